from importlib.resources import files
from pathlib import Path

import pytest
import torch

from pear_lightning.cli import main
from pear_lightning.modules import ScoresActivationModule

CONFIGS = sorted(
    path.name for path in Path(str(files("pear_lightning.configs"))).glob("scores_*.yaml")
)
NEEDS_FILES = {"scores_california_housing.yaml"}
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
    if config in NEEDS_FILES:
        common.append(f"--data.data_dir={request.getfixturevalue('data_dir')}")
    cli = main(["fit", *common, *SHORT])
    printed = capsys.readouterr().out
    assert "feature scores" in printed
    assert cli.datamodule.feature_names[0] in Path("scores.csv").read_text()
    (checkpoint,) = Path("checkpoints").glob("*.ckpt")
    main(["test", *common, f"--ckpt_path={checkpoint}"])
    assert "Test" in capsys.readouterr().out
    writer = "--trainer.callbacks+=pear_lightning.callbacks.PredictionWriter"
    main(["predict", *common, writer, "--trainer.callbacks.output_dir=out",
          "--trainer.limit_predict_batches=2", f"--ckpt_path={checkpoint}"])  # fmt: skip
    saved = torch.load("out/predictions.pt")
    assert saved["scores"].shape == (len(saved["prediction"]), cli.datamodule.num_features)
    again = ScoresActivationModule.load_from_checkpoint(checkpoint)
    torch.testing.assert_close(again.scores, saved["scores"][0])


def test_gate_and_figure_can_be_chosen_on_the_command_line():
    pytest.importorskip("matplotlib")
    cli = main(["fit", "--config", "scores_breast_cancer.yaml", *QUICK, *SHORT,
                "--trainer.enable_checkpointing=false",
                "--trainer.callbacks.figure=scores.png",
                "--model.gate=pear_lightning.nn.CancelOut",
                "--model.gate.in_features=30", "--model.lr_multiplier=5"])  # fmt: skip
    assert type(cli.model.gate).__name__ == "CancelOut"
    rates = [group["lr"] for group in cli.trainer.optimizers[0].param_groups]
    assert rates == pytest.approx([1e-3, 5e-3])
    assert Path("scores.png").exists()


def test_deep_lasso_from_the_command_line():
    cli = main(["fit", "--model=pear_lightning.modules.DeepLasso",
                "--model.backbone=pear_lightning.nn.MLP", "--model.backbone.in_features=30",
                "--model.weight=0.2", "--data=pear_lightning.datamodules.BreastCancer",
                "--trainer.callbacks=pear_lightning.callbacks.ScoresLogger",
                "--trainer.enable_checkpointing=false", *QUICK, *SHORT])  # fmt: skip
    assert cli.model.scores.shape == (30,)
