from pathlib import Path

import pytest

from benchmarks.pear_speed.__main__ import main


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:ConsensusLoss explains output='logit'")  # the paper's output
def test_smoke(tmp_path: Path) -> None:
    main(["--quick", "--no-compile", "--seconds", "1", "--output", str(tmp_path)])
    report = (tmp_path / "README.md").read_text()
    assert all(part in report for part in ("rows=1/8, every=4", "matrix products", "soft ranking"))


@pytest.mark.slow
def test_finished_parts_are_not_measured_again(tmp_path: Path) -> None:
    options = ["--quick", "--output", str(tmp_path), "--only"]
    main([*options, "zeros"])
    first = (tmp_path / "runs.jsonl").read_text()
    main([*options, "zeros", "time"])
    second = (tmp_path / "runs.jsonl").read_text().splitlines()
    assert second[0] + "\n" == first
    assert len(second) == 2
    assert "| gain |" in (tmp_path / "README.md").read_text()
