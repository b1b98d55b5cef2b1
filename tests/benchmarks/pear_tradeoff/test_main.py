import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.benchmarks.running import run_benchmark


def run(folder: Path, *options: str) -> str:
    data, output = str(folder / "data"), str(folder / "output")
    folders = ("--data-dir", data, "--output", output)
    return run_benchmark("pear_tradeoff", *folders, *options, timeout=300)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    rng = np.random.default_rng(0)
    for part, rows in {"train": 80, "test": 40}.items():
        table = pd.DataFrame(rng.normal(size=(rows, 7)), columns=[f"V{i}" for i in range(7)])
        table["class"] = (table["V0"] + table["V1"] > 0).astype(int)
        table.to_csv(tmp_path / "data" / f"bankmarketing-{part}.csv", index=False)
    return tmp_path


@pytest.mark.slow
def test_writes_a_report_and_resumes(folder: Path):
    only = ["paper/paper λ=0(.5)?/", "linear", "logistic", "junk λ=0.5", "decay 3"]
    only += ["beyond/(plain|both λ=0.35)/"]
    options = ["--datasets", "bank", "--seeds", "0", "--max-epochs", "1", "--only", *only]
    printed = run(folder, *options)
    assert len(printed.splitlines()) == 8

    output = folder / "output"
    lines = (output / "runs.jsonl").read_text(encoding="utf-8").splitlines()
    runs = {record["setting"]: record for record in map(json.loads, lines)}
    assert len(lines) == len(runs) == 8
    for scalar in ("logit", "centered_logit"):
        matrix = runs["linear"]["agreement"][scalar]
        assert matrix["Grad / IntGrad"] == pytest.approx([1] * 6, abs=1e-3)
        assert matrix["Grad*(x-b) / SHAP(b)"][-1] == pytest.approx(1, abs=1e-2)
    assert runs["linear"]["fvu"] == pytest.approx(0, abs=1e-5)
    assert runs["junk λ=0.5"]["junk"]["Random"][1] == pytest.approx(0.5, abs=0.15)
    assert 0 <= runs["plain"]["val_accuracy"] <= 100

    report = (output / "README.md").read_text(encoding="utf-8")
    assert "| linear | 1 |" in report
    assert "nan" not in report
    assert "| both λ=0.35 | 1 |" in report
    for figure in ("tradeoff", "pairs", "linearity"):
        assert (output / f"{figure}.png").stat().st_size > 10_000

    assert run(folder, *options) == ""  # nothing is trained twice
