from pathlib import Path

import pytest

from benchmarks.faithfulness_speed.__main__ import main


@pytest.mark.slow
def test_smoke(tmp_path: Path) -> None:
    main(["--quick", "--no-memory", "--output", str(tmp_path)])
    report = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "faithfulness correlation" in report
    assert "One suite for many explanations" in report
    assert (tmp_path / "results.json").exists()
