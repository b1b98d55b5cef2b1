import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningModule

from pear_lightning.cli import main
from pear_lightning.cli.command_line import CommandLine
from pear_lightning.modules import PEAR

TABLES = ("bank_marketing", "breast_cancer", "california_housing", "electricity")
CONFIGS = [f"pear_{name}.yaml" for name in TABLES]
QUICK = [
    "--trainer.logger=false",
    "--trainer.enable_progress_bar=false",
    "--trainer.accelerator=cpu",
]


def data_of(config: str, request: pytest.FixtureRequest) -> list[str]:
    """Where a configuration finds its data set without the hub."""
    if config == "pear_breast_cancer.yaml":
        return []
    return [f"--data.data_dir={request.getfixturevalue('data_dir')}"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_there_is_a_configuration_for_every_data_set():
    shipped = Path(str(files("pear_lightning.configs"))).glob("pear_*.yaml")
    others = (
        "cifar10",
        "ag_news",
        "sst2",
        "csv",
    )  # in test_cli_images_texts.py, test_cli_tables.py
    names = {path.name for path in shipped if not any(other in path.name for other in others)}
    assert names == set(CONFIGS)


@pytest.mark.parametrize("config", CONFIGS)
def test_shipped_configuration_fits_validates_tests_and_predicts(config, request, capsys):
    common = ["--config", config, *data_of(config, request), *QUICK]
    short = ["--trainer.limit_train_batches=3", "--trainer.limit_val_batches=2"]
    cli = main(["fit", *common, *short, "--trainer.max_epochs=1"])
    assert cli.trainer.global_step == 3
    printed = capsys.readouterr().out
    assert "pairwise rank agreement" in printed
    assert "accuracy" in printed
    (checkpoint,) = Path("checkpoints").glob("*.ckpt")
    capsys.readouterr()
    main(["validate", *common, *short, f"--ckpt_path={checkpoint}"])
    assert "pairwise rank agreement" in capsys.readouterr().out
    main(["test", *common, "--trainer.limit_test_batches=1", f"--ckpt_path={checkpoint}"])
    printed = capsys.readouterr().out
    assert "untrained pairs" in printed
    assert re.search(r"random +│.*0\.\d{3}", printed)
    writer = "--trainer.callbacks+=pear_lightning.callbacks.PredictionWriter"
    main(["predict", *common, writer, "--trainer.callbacks.output_dir=out",
          "--trainer.limit_predict_batches=2", f"--ckpt_path={checkpoint}"])  # fmt: skip
    saved = torch.load("out/predictions.pt")
    assert saved["attributions"]["integrated_gradients"].shape[0] == len(saved["prediction"]) > 0


@pytest.mark.parametrize("config", [c for c in CONFIGS if c != "pear_breast_cancer.yaml"])
def test_the_papers_protocol_lies_over_a_configuration(config, request):
    configs = ["--config", config, "--config", "paper_protocol.yaml"]
    short = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=2"]
    with pytest.warns(UserWarning, match="ConsensusLoss explains output='logit'"):
        cli = main(["fit", *configs, *QUICK, *short, *data_of(config, request),
                    "--trainer.enable_checkpointing=false"])  # fmt: skip
    model = cli.model
    assert isinstance(model, PEAR)
    assert list(model.explainers) == ["gradient", "integrated_gradients"]
    assert model.explainers["integrated_gradients"].n_steps == 20
    assert not model.explainers["integrated_gradients"].multiply_by_inputs
    assert list(model.test_explainers)[2:4] == ["smooth_grad", "input_x_gradient"]
    assert isinstance(model.configure_optimizers(), torch.optim.AdamW)  # and no scheduler
    assert model.configure_optimizers().param_groups[0]["lr"] == 5e-4
    assert (cli.datamodule.hparams["scaling"], cli.datamodule.hparams["batch_size"]) == (
        "minmax",
        64,
    )
    assert (model.consensus.normalize, model.consensus.strength) == ("none", 0.2)
    assert model.consensus.spearman_weight == 0.75
    assert model.consensus.output == "logit"
    assert (model.objective.rows, model.objective.every) == (None, 1)
    assert cli.datamodule.val_dataloader() == []


def test_checkpoint_of_the_command_line_rebuilds_the_model_by_itself():
    main(["fit", "--config", "pear_breast_cancer.yaml", *QUICK, "--trainer.max_epochs=1",
          "--model.consensus_weight=0.25",
          "--model.optimizer=torch.optim.SGD", "--model.optimizer.lr=0.05"])  # fmt: skip
    (path,) = Path("checkpoints").glob("*.ckpt")
    checkpoint = torch.load(path, weights_only=True)
    model = PEAR.load_from_checkpoint(path)
    assert model.consensus_weight == 0.25
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, checkpoint["state_dict"][name])
    optimizer = model.configure_optimizers()
    assert isinstance(optimizer, torch.optim.SGD)
    assert optimizer.param_groups[0]["lr"] == 0.05


def test_the_first_example_compares_with_plain_training(capsys):
    main(["fit", "--config", "pear_breast_cancer.yaml", *QUICK, "--trainer.max_epochs=1"])
    printed = capsys.readouterr().out
    for part in ("without PEAR", "chance", "k = "):
        assert part in printed


@pytest.mark.filterwarnings("ignore:The dirpath has changed")  # it has: the other run's folder
def test_command_line_resumes_to_the_weights_of_the_uninterrupted_run():
    common = ["--config", "pear_breast_cancer.yaml", *QUICK]
    whole = main(["fit", *common, "--trainer.max_epochs=4"]).model
    main(["fit", *common, "--trainer.max_epochs=2", "--trainer.default_root_dir=half"])
    (half,) = Path("half/checkpoints").glob("*.ckpt")
    resumed = main(["fit", *common, "--trainer.max_epochs=4", f"--ckpt_path={half}"]).model
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.parametrize("subcommand", ["fit", "validate", "test", "predict", "explain", "rank"])
def test_options_of_the_model_come_before_values_of_a_checkpoint(subcommand):
    common = ["--config=pear_breast_cancer.yaml", *QUICK, "--trainer.limit_train_batches=1"]
    main(["fit", *common, "--trainer.max_epochs=1", "--model.backbone.hidden_features=[8]",
          "--model.normalize=none"])  # fmt: skip
    (path,) = Path("checkpoints").glob("*.ckpt")
    more = {"explain": ["--pictures=0", "--faithfulness=false", "--rows=4"],
            "rank": ["--rows=4", "--n_steps=2", "--n_subsets=3"],
            "fit": ["--trainer.max_epochs=2"]}.get(subcommand, [])  # fmt: skip
    given = ["--model.consensus_weight=0.25", "--model.backbone.activation", "tanh",
             "--model.test_explainers+=Gradient", "--model.test_explainers+=SmoothGrad",
             "--model.test_explainers.n_samples=3", f"--ckpt_path={path}"]  # fmt: skip
    cli = main([subcommand, *common, *more, *given])
    model = cli.config[subcommand]["model"]["init_args"]
    assert (model["consensus_weight"], model["normalize"]) == (0.25, "none")
    assert cli.model.consensus_weight == 0.25
    backbone = model["backbone"]["init_args"]
    assert (backbone["activation"], backbone["hidden_features"]) == ("tanh", [8])
    assert len(model["test_explainers"]) == 2
    assert len(cli.model.test_explainers) == 2


def test_another_class_than_that_of_a_checkpoint_is_taken():
    common = ["--config=pear_breast_cancer.yaml", *QUICK, "--trainer.limit_train_batches=1"]
    main(["fit", *common, "--trainer.max_epochs=1"])
    (path,) = Path("checkpoints").glob("*.ckpt")
    with pytest.raises(RuntimeError, match=r"loading state_dict"):
        main(["test", *common, f"--ckpt_path={path}", "--model.backbone=LinearModel"])
    cli = main(["test", *common, f"--ckpt_path={path}", "--model=PEAR", "--model.backbone=MLP"])
    assert cli.model.backbone.in_features == 30


def test_options_that_a_resumed_fit_cannot_follow_are_named():
    common = ["--config=pear_breast_cancer.yaml", *QUICK, "--trainer.limit_train_batches=1"]
    main(["fit", *common, "--trainer.max_epochs=1"])
    (path,) = Path("checkpoints").glob("*.ckpt")
    given = ["--model.optimizer=torch.optim.SGD", "--model.optimizer.lr=0.5"]
    with pytest.warns(UserWarning, match=r"--model.optimizer, --model.optimizer.lr may have no ef"):
        main(["fit", *common, "--trainer.max_epochs=1", *given, f"--ckpt_path={path}"])


def test_any_lightning_module_can_be_named():
    cli = main(["fit", "--model=lightning.pytorch.demos.boring_classes.BoringModel",
                "--data=lightning.pytorch.demos.boring_classes.BoringDataModule",
                "--trainer.fast_dev_run=true", *QUICK])  # fmt: skip
    assert isinstance(cli.model, LightningModule)


def test_classes_of_the_package_can_be_named_without_their_path():
    options = ["--model=PEAR", "--model.backbone=MLP", "--model.backbone.in_features=30",
               "--data=BreastCancer",
               "--trainer.callbacks+=AgreementTable", "--trainer.callbacks+=PredictionWriter",
               "--trainer.callbacks.output_dir=out"]  # fmt: skip
    # in a process of its own: doctests import some modules a second time under another name
    command = [sys.executable, "-m", "pear_lightning", "fit", *options, "--print_config"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    for part in ("modules.PEAR", "nn.MLP", "datamodules.BreastCancer", "callbacks.AgreementTable",
                 "callbacks.PredictionWriter"):  # fmt: skip
        assert f"class_path: pear_lightning.{part}" in result.stdout


@pytest.mark.parametrize("subcommand", ["validate", "test", "predict"])
def test_random_weights_are_used_with_a_warning_only(subcommand):
    common = ["--config=pear_breast_cancer.yaml", *QUICK, "--data.batch_size=16"]
    short = [f"--trainer.limit_{part}_batches=1" for part in ("train", "val", "test", "predict")]
    with pytest.warns(UserWarning, match="without --ckpt_path: the model has its initial") as given:
        main([subcommand, *common, *short])
    assert [str(each.message).split()[0] for each in given] == [subcommand]
    main(["fit", *common, *short, "--trainer.max_epochs=1"])  # needs none
    (checkpoint,) = Path("checkpoints").glob("*.ckpt")
    main([subcommand, *common, *short, f"--ckpt_path={checkpoint}"])


def test_a_file_of_that_name_comes_before_the_shipped_one():
    shipped = Path(str(files("pear_lightning.configs") / "pear_breast_cancer.yaml"))
    text = shipped.read_text().replace("max_epochs: 30", "max_epochs: 1")
    Path("pear_breast_cancer.yaml").write_text(text)
    cli = main(["fit", "--config=pear_breast_cancer.yaml", *QUICK])
    assert cli.trainer.max_epochs == 1


def test_a_value_out_of_range_is_named():
    with pytest.raises(ValueError, match=r"consensus_weight must lie in \[0, 1\], got 2"):
        main(["fit", "--config", "pear_breast_cancer.yaml", "--model.consensus_weight=2", *QUICK])


def test_an_unknown_argument_is_named(capsys):
    with pytest.raises(SystemExit):
        main(["fit", "--config", "pear_breast_cancer.yaml", "--model.lambda=2", *QUICK])
    assert "lambda" in capsys.readouterr().err


def test_as_a_program():
    command = [sys.executable, "-m", "pear_lightning", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert "pear-lightning" in result.stdout


def test_help_of_the_program_names_all_subcommands(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    said = capsys.readouterr().out
    assert all(name in said for name in CommandLine.subcommands())


@pytest.mark.parametrize("subcommand", CommandLine.subcommands())
def test_help_of_a_subcommand(subcommand, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([subcommand, "--help"])
    assert exit_.value.code == 0
    said = capsys.readouterr().out
    assert f"pear-lightning [options] {subcommand}" in said
    assert "--model" in said


def test_the_error_of_an_unknown_subcommand_names_all(capsys):
    with pytest.raises(SystemExit):
        main(["fti"])
    said = capsys.readouterr().err
    assert all(name in said for name in CommandLine.subcommands())
