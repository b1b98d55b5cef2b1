"""The benchmark runs, resumes and reports."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.amortized.settings import BESIDE, LEARNED, OPTIONS
from tests.benchmarks.running import run_benchmark


def run(folder: Path) -> str:
    return run_benchmark(
        "amortized", "--data-dir", str(folder), "--output", str(folder / "output"),
        "--tasks", "bank", "--seeds", "0", "--samples", "8", "--shrink", "0.02", "--kinds", "table",
    )  # fmt: skip


@pytest.mark.slow
def test_smoke_it_compares_reports_and_resumes(tmp_path: Path) -> None:
    (tmp_path / "bank-marketing").mkdir()
    rng = np.random.default_rng(0)
    for part, rows in {"train": 200, "test": 40}.items():
        table = pd.DataFrame(rng.normal(size=(rows, 7)), columns=[f"V{i}" for i in range(7)])
        table["class"] = (table["V0"] + table["V1"] > 0).astype(int)
        table.to_csv(tmp_path / "bank-marketing" / f"bankmarketing-{part}.csv", index=False)
    assert "bank DeepFaith 0 None" in run(tmp_path)
    path = tmp_path / "output" / "runs.jsonl"
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [each["method"] for each in records] == list(LEARNED + OPTIONS + BESIDE)
    assert all(len(each["scores"]) == 10 for each in records)
    learned = {each["method"]: each for each in records if each["method"] in LEARNED}
    assert all(each["evaluations_per_explanation"] == 0 for each in learned.values())
    assert all(each["steps"] > 0 for each in learned.values())
    before = path.read_text("utf-8")
    assert run(tmp_path) == ""
    assert path.read_text("utf-8") == before
    report = (tmp_path / "output" / "README.md").read_text("utf-8")
    assert all(name in report for name in LEARNED + OPTIONS + BESIDE)
