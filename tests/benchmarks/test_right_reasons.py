import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPT = BENCHMARKS / "right_reasons.py"


def run(output: Path, *options: str) -> str:
    command = [sys.executable, str(SCRIPT), "--output", str(output), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_writes_a_report_and_resumes(tmp_path: Path) -> None:
    only = ["^iris/(none|mask)/[0-4]$", "^digits/(none|λ=1)/0", "^toy/λ=1000/0", "^find/iris/0"]
    options = ["--max-epochs", "100", "--only", *only]
    printed = run(tmp_path, *options)
    assert len(printed.splitlines()) == 14

    lines = (tmp_path / "runs.jsonl").read_text(encoding="utf-8").splitlines()
    runs = {(r["experiment"], r["setting"], r["seed"]): r for r in map(json.loads, lines)}
    assert len(lines) == len(runs) == 14
    (digits,) = runs["digits", "λ=1", 0]["models"]
    assert digits["test"] > 0.9
    assert digits["inside"] < 0.02 < runs["digits", "none", 0]["models"][0]["inside"]
    shares = [runs["iris", name, 0]["models"][0]["iris_share"] for name in ("none", "mask")]
    assert shares[1] < shares[0]
    found = runs["find", "iris", 0]["models"]  # goes on where the rule would end the sequence
    assert [len(model["similarities"]) for model in found] == [0, 1, 2, 3]
    assert found[0]["refused"] is None
    assert all(model["steps"] == 100 and 0 < model["kept"] < 1 for model in found)
    assert found[0]["first_ratio"] == 0 < found[1]["first_ratio"]
    assert "| iris | 4 |" in (tmp_path / "README.md").read_text(encoding="utf-8")
    assert (tmp_path / "pictures" / "toy-λ=1000-0-0.npz").exists()

    report = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "nan" not in report
    assert "| Toy Colors, corners penalised | 1.0 |" in report
    assert "mnist/mask" in report.split("Not run at all")[1]
    assert (tmp_path / "toy.png").stat().st_size > 10_000

    assert run(tmp_path, *options) == ""  # nothing is trained twice


@pytest.mark.slow
@pytest.mark.parametrize("shuffle", [False, True])
def test_steps_are_those_of_the_trainer(
    shuffle: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    settings = importlib.import_module("right_reasons_settings")
    training = importlib.import_module("right_reasons_training")
    setting = settings.DIGITS.but(weight=10.0, paper_init=not shuffle, decay=1e-4)
    results: list[Any] = []
    for by_trainer in (False, True):
        torch.manual_seed(7)  # decides the order of the rows
        data = training.make_data(setting, 3, None)
        assert data.shuffle is shuffle
        module = training.make_module(setting, data, 3)
        if by_trainer:
            trainer = Trainer(
                accelerator="cpu",
                max_epochs=2,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                default_root_dir=tmp_path,
            )
            trainer.fit(module, data)
            assert trainer.global_step == 42
        else:
            assert training.fit(module, data, epochs=2)["steps"] == 42
        results.append(torch.cat([p.detach().flatten() for p in module.backbone.parameters()]))
    assert torch.equal(*results)
