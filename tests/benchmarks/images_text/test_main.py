import json
from pathlib import Path

import pytest
import torch

from benchmarks.images_text.settings import PROBLEMS
from tests.benchmarks.running import run_benchmark

REVIEWS = ("a warm and funny film about two old friends", "a dull and far too long mess of a plot")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of SST-2 with a few rows."""
    data = tmp_path / "data" / "sst2"
    data.mkdir(parents=True)
    for name, n in (("train", 60), ("dev", 20), ("test_labelled", 20)):
        rows = [f"{REVIEWS[row % 2]} {'again ' * (row % 5)}\t{(row + 1) % 2}" for row in range(n)]
        (data / f"{name}.tsv").write_text("\n".join(["sentence\tlabel", *rows]) + "\n")
    return data.parent


@pytest.mark.slow
def test_trains_measures_reports_and_resumes(tmp_path: Path, folder: Path) -> None:
    pytest.importorskip("matplotlib")
    output = tmp_path / "results"
    options = ["--data-dir", str(folder), "--output", str(output), "--seeds", "0"]
    options += ["--only", "sst2/transformer/(plain|PEAR)/"]
    printed = run_benchmark("images_text", *options)
    assert printed.count("sst2/transformer/") == 2
    records = [json.loads(line) for line in (output / "runs.jsonl").read_text().splitlines()]
    assert [each["method"] for each in records] == ["plain", "PEAR"]
    for each in records:
        lengths = {len(values) for values in each["samples"].values()}
        assert lengths == {20}
        assert len(each["higher_is_better"]) == 10
        values = list(each["samples"].values())
        assert torch.tensor(values).isfinite().all()
    report = (output / "README.md").read_text("utf-8")
    assert "| SST-2, small transformer | PEAR |" in report
    assert "nan" not in report
    assert (output / "agreement.png").stat().st_size > 10_000
    assert "sst2/transformer" not in run_benchmark("images_text", *options)  # nothing is left


def test_names_of_problems_say_what_is_trained() -> None:
    for name, problem in PROBLEMS.items():
        assert name == f"{problem.data}/{problem.network}"
