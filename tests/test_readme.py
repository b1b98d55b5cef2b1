"""What the README shows runs as it is printed."""

import glob
import re
import shlex
from pathlib import Path

import pandas as pd
import torch

from pear_lightning.cli import main

README = (Path(__file__).parent.parent / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = re.findall(r"^pear-lightning (.*)$", README, flags=re.MULTILINE)
QUIET = {
    "Trainer(": 'Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, '
    "enable_progress_bar=False, ",
    "max_epochs=10": "max_epochs=1",
}


def test_python_blocks_run_one_after_another(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert len(PYTHON) >= 4
    names: dict[str, object] = {}
    for block in PYTHON:
        for shown, run in QUIET.items():
            if block is PYTHON[0]:
                assert shown in block
            block = block.replace(shown, run)
        exec(compile(block, "README.md", "exec"), names)  # the README is ours
    printed = capsys.readouterr().out
    assert "untrained pairs" in printed
    assert "rank_correlation" in printed
    assert "DEL↓" in printed


def test_commands_run_one_after_another(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame({"age": [*range(20, 60)] * 2, "job": ["cook", "clerk", None, "cook"] * 20})
    table.to_csv("new.csv", index=False)
    table.assign(churned=["yes", "no"] * 40).to_csv("churn.csv", index=False)
    limits = [f"--trainer.limit_{part}_batches=2" for part in ("train", "val", "test")]
    quick = ["--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu", *limits]
    shown = {
        "fit": "pairwise rank agreement",
        "test": "pairwise rank agreement",
        "explain": "deletion ↓",
        "rank": "mean rank",
        "predict": "",
    }
    commands = [command for command in COMMANDS if "deepfaith" not in command]
    kinds = [command.split()[0] for command in commands]
    assert sorted(kinds) == ["explain", "fit", "fit", "predict", "rank", "test", "test"]
    for command in commands:
        words = [each for word in shlex.split(command) for each in glob.glob(word) or [word]]
        fewer = ["--rows=8"] if words[0] in ("explain", "rank") else []
        cli = main([*words, *quick, *fewer])
        assert shown[words[0]] in capsys.readouterr().out
        if words[0] != "fit":
            (checkpoint,) = [word for word in words if word.endswith(".ckpt")]
            saved = torch.load(checkpoint, weights_only=True)["state_dict"]
            weights = cli.model.state_dict().items()
            assert all(torch.equal(value, saved[name]) for name, value in weights)
    written = pd.read_csv("predictions/predictions.csv")
    assert len(written) == 80
    assert {"probability[no]", "probability[yes]", "input_x_gradient[job]"} <= {*written.columns}


def test_commands_of_supervision_run_one_after_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quick = ["--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu"]
    make, learn = (shlex.split(command) for command in COMMANDS if "deepfaith" in command)
    main([*make, *quick, "--data.n_samples=32"])
    cli = main([*learn, *quick, "--data.n_samples=32", "--trainer.max_epochs=1"])
    assert cli.model.alpha == 1
    assert cli.trainer.callback_metrics["train_pattern_consistency_loss"] > 0


def test_every_shipped_name_is_mentioned():
    parts = ("modules", "masking", "explainers", "losses", "metrics", "datamodules", "callbacks")
    for part in parts:
        module = __import__(f"pear_lightning.{part}", fromlist=["__all__"])
        missing = [
            name for name in module.__all__ if name not in README and name not in NOT_FOR_EVERYONE
        ]
        assert not missing, f"README does not mention {missing} of pear_lightning.{part}"


NOT_FOR_EVERYONE = {  # for those who extend the library
    "AttributionLoss",
    "Baseline",
    "BoundMasker",
    "ConsensusTerms",
    "ExplainedModule",
    "Explainer",
    "ExplanationLoss",
    "FixedBaseline",
    "GradientExplainer",
    "Masker",
    "PerturbationExplainer",
    "Query",
    "Scorer",
    "Segmenter",
    "TokenBaseline",
}
