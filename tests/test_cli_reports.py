import csv
from pathlib import Path

import pytest
import torch

from pear_lightning.cli import main

CONFIG = ["--config=pear_breast_cancer.yaml", "--trainer.logger=false", "--trainer.accelerator=cpu",
          "--trainer.enable_progress_bar=false"]  # fmt: skip
SHORT = ["--rows=6", "--n_steps=3", "--n_subsets=5"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def rows_of(path):
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_checkpoint_is_explained_and_its_explainers_are_ranked(capsys):
    fit = ["--trainer.max_epochs=1", "--trainer.limit_val_batches=1"]
    trained = main(["fit", *CONFIG, *fit]).model
    (checkpoint,) = Path("checkpoints").glob("*.ckpt")
    capsys.readouterr()
    cli = main(["explain", *CONFIG, *SHORT, f"--ckpt_path={checkpoint}", "--output=out",
                "--pictures=1", "--style.top=4"])  # fmt: skip
    assert "deletion ↓" in capsys.readouterr().out
    for name, value in trained.state_dict().items():
        torch.testing.assert_close(value, cli.model.state_dict()[name])
    assert [path.name for path in Path("out/pictures").iterdir()] == ["sample_0.png"]
    found = rows_of("out/attributions.csv")
    assert len(found) == 6 * 4
    assert {row["predicted"] for row in found} <= {"malignant", "benign"}
    assert "mean radius" in found[0]
    assert len(rows_of("out/faithfulness.csv")) == 4
    assert main(["rank", *CONFIG, *SHORT, f"--ckpt_path={checkpoint}"])
    assert "random" in capsys.readouterr().out
    assert len(rows_of("ranking/ranking.csv")) == 5


def test_explainers_masker_and_style_are_named_on_the_command_line():
    arguments = [
        "--explainers+=Gradient",
        "--explainers+=IntegratedGradients",
        "--explainers.n_steps=3",
        "--masker=ColumnMasker",
        "--masker.n_columns=30",
        "--masker.groups=[[0,1,2]]",
        "--output=out",
        "--split=val",
        "--data.val_fraction=0.2",
        "--faithfulness=false",
        "--style.class_names=[bad,good]",
        "--pictures=0",
    ]
    with pytest.warns(UserWarning, match="explain without --ckpt_path"):
        main(["explain", *CONFIG, *SHORT, *arguments])
    found = rows_of("out/attributions.csv")
    assert {row["explainer"] for row in found} == {"gradient", "integrated_gradients"}
    assert {row["label"] for row in found} <= {"bad", "good"}
    assert [name for name in found[0] if name.startswith("feature_")][-1] == "feature_27"


def test_a_file_names_explainers():
    Path("explainers.yaml").write_text(
        "explainers:\n"
        "  slope: {class_path: Gradient}\n"
        "  average: {class_path: IntegratedGradients, init_args: {n_steps: 3}}\n"
    )
    with pytest.warns(UserWarning, match="rank without --ckpt_path"):
        main(["rank", *CONFIG, *SHORT, "--config=explainers.yaml", "--output=out"])
    assert {row["explainer"] for row in rows_of("out/ranking.csv")} == {
        "slope",
        "average",
        "random",
    }


def test_modules_of_other_methods_are_explained(monkeypatch):
    """Callbacks that expect the module (ScoresLogger) are left out."""
    quick = ["--trainer.logger=false", "--trainer.accelerator=cpu",
             "--trainer.enable_progress_bar=false"]  # fmt: skip
    with pytest.warns(UserWarning, match="explain without --ckpt_path"):
        main(["explain", "--config=scores_breast_cancer.yaml", *quick, *SHORT, "--pictures=0"])
    assert len(rows_of("explanations/attributions.csv")) == 24


@pytest.mark.parametrize("subcommand", ["explain", "rank"])
def test_the_configuration_that_a_fit_saves_is_read(subcommand):
    own = ["--config=pear_breast_cancer.yaml", *CONFIG[2:], "--trainer.logger=CSVLogger",
           "--trainer.logger.save_dir=."]  # fmt: skip
    main(["fit", *own, "--trainer.max_epochs=1", "--trainer.limit_train_batches=1"])
    (saved,), (checkpoint,) = Path().rglob("config.yaml"), Path().rglob("*.ckpt")
    main([subcommand, f"--config={saved}", *SHORT, f"--ckpt_path={checkpoint}", "--output=out"])
    assert rows_of("out/faithfulness.csv" if subcommand == "explain" else "out/ranking.csv")


@pytest.mark.parametrize("subcommand", ["explain", "rank"])
@pytest.mark.filterwarnings("ignore:.*without --ckpt_path")
def test_explainers_are_not_explained(subcommand):
    with pytest.raises(TypeError, match=r"model must map inputs to logits, got an explainer of an"):
        main([subcommand, "--config=deepfaith_breast_cancer.yaml", *CONFIG[1:], *SHORT])


def test_the_monitors_are_named_in_a_configuration():
    callbacks = [
        "--trainer.callbacks+=AgreementMonitor",
        "--trainer.callbacks.explainers+=Gradient",
        "--trainer.callbacks.explainers+=InputXGradient",
        "--trainer.callbacks.rows=8",
        "--trainer.callbacks+=AttributionPictures",
        "--trainer.callbacks.samples=[1,4]",
        "--trainer.callbacks.explainers+=InputXGradient",
    ]
    arguments = [each for each in CONFIG if "logger" not in each]
    options = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=2",
               "--trainer.logger=CSVLogger", "--trainer.logger.save_dir=."]  # fmt: skip
    cli = main(["fit", *arguments, *options, *callbacks])
    names = [name for name in cli.trainer.callback_metrics if name.startswith("val_agreement/")]
    assert len(names) == 8
    assert len(list(Path().rglob("figures/val_attributions-*.png"))) == 1


@pytest.mark.parametrize("subcommand", ["explain", "rank"])
def test_help_describes_the_arguments(subcommand, capsys):
    with pytest.raises(SystemExit):
        main([subcommand, "--help"])
    printed = capsys.readouterr().out
    assert "--explained_output" in printed
    assert "Data that are explained" in printed
