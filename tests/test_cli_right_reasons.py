from importlib.resources import files
from pathlib import Path

import pytest
import torch

from pear_lightning.cli import main
from pear_lightning.modules import FindAnotherExplanation, RightForTheRightReasons

CONFIGS = sorted(
    path.name
    for path in Path(str(files("pear_lightning.configs"))).glob("right_reasons_*.yaml")
    if "cifar10" not in path.name  # in test_cli_images_texts.py
)
FOLDERS = {
    "right_reasons_decoy_mnist.yaml": "",
    "right_reasons_twenty_newsgroups.yaml": "20newsgroups",
}
QUICK = [
    "--trainer.logger=false",
    "--trainer.enable_progress_bar=false",
    "--trainer.accelerator=cpu",
]
SHORT = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=3"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("config", CONFIGS)
def test_shipped_configuration_fits_tests_and_predicts(config, request, capsys):
    common = ["--config", config, *QUICK]
    if config in FOLDERS:
        folder = request.getfixturevalue("data_dir") / FOLDERS[config]
        common.append(f"--data.data_dir={folder}")
    if config == "right_reasons_toy_colors.yaml":
        common += ["--data.n_train=200", "--data.n_test=100"]
    validate = ["--trainer.limit_val_batches=1", "--trainer.check_val_every_n_epoch=1"]
    cli = main(["fit", *common, *SHORT, *validate])
    assert isinstance(cli.model, RightForTheRightReasons)
    assert cli.trainer.callback_metrics["train_reasons"] > 0
    (checkpoint,) = Path("checkpoints").glob("*.ckpt")
    capsys.readouterr()
    main(["test", *common, "--trainer.limit_test_batches=1", f"--ckpt_path={checkpoint}"])
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("test_accuracy", "test_reasons", "test_entropy"))
    writer = "--trainer.callbacks+=pear_lightning.callbacks.PredictionWriter"
    main(["predict", *common, writer, "--trainer.callbacks.output_dir=out",
          "--trainer.limit_predict_batches=1", f"--ckpt_path={checkpoint}"])  # fmt: skip
    saved = torch.load("out/predictions.pt")
    assert saved["attributions"]["gradient"].shape[0] == len(saved["prediction"]) > 0
    again = RightForTheRightReasons.load_from_checkpoint(checkpoint)
    assert again.weight.weight == cli.model.weight.weight


def test_loss_and_masker_can_be_chosen_on_the_command_line():
    cli = main(["fit", "--config=right_reasons_decoy_digits.yaml", *QUICK, *SHORT,
                "--model.loss=pear_lightning.losses.RightReasonsLoss", "--model.loss.norm=l1",
                "--model.loss.output=log_prob", "--model.start_epoch=0.5",
                "--data.n_annotated=20", "--data.annotated_per_batch=10",
                "--trainer.enable_checkpointing=false"])  # fmt: skip
    assert (cli.model.loss.norm, cli.model.loss.output) == ("l1", "log_prob")
    assert cli.datamodule.annotated_per_batch == 10


def test_the_callback_regularizes_a_module_from_the_command_line():
    cli = main(["fit", "--config=right_reasons_decoy_digits.yaml", *QUICK, *SHORT,
                "--model.weight=0", "--trainer.enable_checkpointing=false",
                "--trainer.callbacks=pear_lightning.callbacks.ExplanationRegularizer",
                "--trainer.callbacks.loss=pear_lightning.losses.RightReasonsLoss",
                "--trainer.callbacks.weight=0.5"])  # fmt: skip
    assert cli.trainer.callback_metrics["train_explanation_loss"] > 0


@pytest.mark.parametrize("data", ["toy_colors", "decoy_mnist"])
def test_a_sequence_of_models_from_the_command_line(data, request, capsys):
    common = [f"--config=find_another_explanation_{data}.yaml", *QUICK,
              "--model.max_models=2", "--model.epochs_per_model=1",
              "--model.weight=[0.5, 1.0]", "--model.max_accuracy_drop=1"]  # fmt: skip
    if data == "decoy_mnist":
        common.append(f"--data.data_dir={request.getfixturevalue('data_dir')}")
    else:
        common += ["--data.n_train=600", "--data.n_test=100"]
    cli = main(["fit", *common, "--trainer.max_epochs=2", "--trainer.limit_train_batches=3"])
    assert len(cli.model.trained) == 2
    assert cli.model.weights == [0.5, 1.0]
    (checkpoint,) = Path("checkpoints").glob("*.ckpt")
    capsys.readouterr()
    main(["test", *common, "--trainer.limit_test_batches=1", f"--ckpt_path={checkpoint}"])
    assert "test_accuracy_of_model_1" in capsys.readouterr().out
    again = FindAnotherExplanation.load_from_checkpoint(checkpoint)
    assert len(again.trained) == 2
