"""What the README shows runs as it is printed."""

import re
import shlex
from pathlib import Path

import pytest

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
    assert "deletion ↓" in printed


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    quick = ["--trainer.logger=false", "--trainer.fast_dev_run=true", "--trainer.accelerator=cpu"]
    main([*shlex.split(command), *quick])
    assert "pairwise rank agreement" in capsys.readouterr().out


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
