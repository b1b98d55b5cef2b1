import json
from pathlib import Path

import pytest

from tests.benchmarks.running import run_benchmark


def run(output: Path, *options: str) -> str:
    return run_benchmark("right_reasons", "--output", str(output), *options)


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
