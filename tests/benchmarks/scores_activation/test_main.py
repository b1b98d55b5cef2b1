from pathlib import Path

import pytest

from benchmarks.scores_activation.__main__ import main
from benchmarks.scores_activation.methods import TUNED
from benchmarks.shared.finished_runs import read_runs


@pytest.mark.slow
def test_writes_a_report_and_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shap")
    pytest.importorskip("xgboost")
    options = ["--output", str(tmp_path), "--seeds", "1", "--max-epochs", "1", "--quick-timing"]
    only = (
        "quality/10/5, 160|real/Breast|gain/16/5, 80|stability.*(no gate|tuned)|formulas/(syn4|F)"
    )
    main([*options, "--only", only])
    assert TUNED in capsys.readouterr().out
    runs = read_runs(tmp_path / "runs.jsonl")
    assert {run["protocol"] for run in runs} == {
        "quality",
        "real",
        "gain",
        "stability",
        "formulas",
    }
    report = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "nan" not in report
    for figure in ("recovery", "gain"):
        assert (tmp_path / f"{figure}.png").stat().st_size > 10_000
    main([*options, "--only", only])
    assert read_runs(tmp_path / "runs.jsonl") == runs
