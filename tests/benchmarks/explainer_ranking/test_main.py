import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.benchmarks.running import run_benchmark

WORDS = [["war", "minister", "talks"], ["match", "goal", "coach"], ["stocks", "oil", "profit"]]
WORDS.append(["software", "space", "web"])


def run(folder: Path) -> str:
    folders = ("--data-dir", str(folder / "data"), "--output", str(folder / "output"))
    small = ("--samples", "4", "--max-epochs", "1", "--datasets", "mnist", "bank", "ag_news")
    return run_benchmark("explainer_ranking", *folders, *small)


def write_idx(path: Path, values: np.ndarray) -> None:
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    data = tmp_path / "data"
    raw = data / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        labels = rng.integers(10, size=40)
        images = rng.integers(60, size=(40, 28, 28)) + 15 * labels[:, None, None]
        write_idx(raw / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(raw / f"{part}-labels-idx1-ubyte.gz", labels)
    (data / "bank-marketing").mkdir()
    for part, rows in {"train": 80, "test": 40}.items():
        table = pd.DataFrame(rng.normal(size=(rows, 7)), columns=[f"V{i}" for i in range(7)])
        table["class"] = (table["V0"] + table["V1"] > 0).astype(int)
        table.to_csv(data / "bank-marketing" / f"bankmarketing-{part}.csv", index=False)
    (data / "ag_news").mkdir()
    texts = [(k % 4, " ".join(rng.choice(WORDS[k % 4], size=3 + k % 5))) for k in range(40)]
    with gzip.open(data / "ag_news" / "train_subset.csv.gz", "wt", newline="") as file:
        csv.writer(file).writerows(
            [("label", "text", "source"), *((k + 1, text, "made up") for k, text in texts)]
        )
    with gzip.open(data / "ag_news" / "test.csv.gz", "wt", newline="") as file:
        csv.writer(file).writerows(
            [(k + 1, text, "said \\ Mr. &lt;b&gt; X's") for k, text in texts]
        )
    return tmp_path


@pytest.mark.slow
def test_smoke_it_ranks_reports_and_resumes(folder: Path):
    run(folder)
    output = folder / "output"
    lines = (output / "rankings.jsonl").read_text(encoding="utf-8").splitlines()
    records = {(each["data_set"], each["kind"]): each for each in map(json.loads, lines)}
    assert len(lines) == len(records) == 9  # no other baseline for the table, budgets for one
    for record in records.values():
        assert len(record["metrics"]) == 10
        assert {"Random", "Inverted IG"} < set(record["explainers"])
        total = len(record["explainers"])
        assert np.sum(record["ranks"], axis=1) == pytest.approx(total * (total + 1) / 2)
    report = (output / "README.md").read_text(encoding="utf-8")
    assert "nan" not in report
    assert all(title in report for title in ("### MNIST", "### Bank Marketing", "### AG News"))
    for figure in ("mnist", "bank", "ag_news", "overview", "metrics"):
        assert (output / f"{figure}.png").stat().st_size > 10_000
    assert (output / "cache" / ".gitignore").read_text() == "*\n"

    run(folder)
    assert (output / "rankings.jsonl").read_text(encoding="utf-8").splitlines() == lines
