import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.deepfaith.settings import CONTROLS, DEFINITIONS, OURS, PAPERS
from tests.benchmarks.running import run_benchmark

LIMITS = ("steps=4", "test=6", "val=5", "train=40", "supervised=12", "epochs=1", "small=10",
          "large=12")  # fmt: skip


def run(folder: Path, only: str) -> list[dict]:
    folders = ("--data-dir", str(folder / "data"), "--output", str(folder / "output"))
    run_benchmark("deepfaith", *folders, "--only", only, "--limits", *LIMITS)
    lines = (folder / "output" / "runs.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "data" / "wholesale-customers").mkdir(parents=True)
    names = ["Fresh", "Milk", "Grocery", "Frozen", "Detergents_Paper", "Delicassen"]
    table = pd.DataFrame(rng.integers(1, 9000, (90, 6)), columns=names)
    table.insert(0, "Region", rng.integers(1, 4, 90))
    table.insert(0, "Channel", 1 + (table["Milk"] > table["Fresh"]).astype(int))
    path = tmp_path / "data" / "wholesale-customers" / "Wholesale_customers_data.csv"
    table.to_csv(path, index=False)
    return tmp_path


@pytest.mark.slow
def test_smoke_it_ranks_measures_reports_and_resumes(folder: Path):
    only = "^(ranking|pooled|cost|confidence)/wholesale/"
    records = run(folder, only)
    kinds = [record["kind"] for record in records]
    assert kinds == ["ranking"] * 3 + ["pooled", "cost", "confidence"]
    for record in records[:4]:
        for definition in DEFINITIONS:
            ranking = record[definition]
            known = {OURS, PAPERS, CONTROLS[0], CONTROLS[2], "LIME", "LIME 10 [p]"}
            assert known <= set(ranking["explainers"])
            total = len(ranking["explainers"])
            wanted = pytest.approx(total * (total + 1) / 2)
            assert np.sum(ranking["ranks"], axis=1) == wanted
    ranked = (folder / "output" / "cache").glob("*/ranked-library.pt")
    rows = torch.cat([torch.load(each)[3] for each in ranked])
    assert len(rows) == 18
    assert records[3]["library"]["n_samples"] == len(rows.unique()) < 18
    cost = records[4]
    assert cost["evaluations"][OURS] == 0
    assert cost["evaluations"]["LIME"] == 13  # 12, and the sample itself
    report = (folder / "output" / "README.md").read_text(encoding="utf-8")
    assert "nan" not in report
    assert re.search(r"\*\*Wholesale customers \(library\): (DeepFaith is first|ahead of)", report)
    for figure in ("ranks", "price", "fallback"):
        assert (folder / "output" / f"{figure}.png").stat().st_size > 10_000
    assert (folder / "output" / "cache" / ".gitignore").read_text() == "*\n"
    assert run(folder, only) == records


@pytest.mark.slow
def test_smoke_ablations_of_a_table(folder: Path):
    only = (
        "^ranking/wholesale/0|^ablation/wholesale/0/(paper: full|ours|ours: without made-up rows)$"
    )
    variants = {record["variant"]: record for record in run(folder, only)[1:]}
    assert list(variants) == ["paper: full", "ours", "ours: without made-up rows"]
    for each in variants.values():
        assert all(len(each[definition]["ranks"]) == 10 for definition in DEFINITIONS)
    assert variants["ours"]["training"]["training_samples"] == 40
    assert variants["paper: full"]["curves"]["alpha"][0] == 1
    report = (folder / "output" / "README.md").read_text(encoding="utf-8")
    assert "| ours: without made-up rows |" in report
    assert (folder / "output" / "curves.png").stat().st_size > 10_000
