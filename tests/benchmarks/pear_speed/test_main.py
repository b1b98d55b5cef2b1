from pathlib import Path

import pytest

from benchmarks.pear_speed.__main__ import main


@pytest.mark.slow
def test_smoke(tmp_path: Path) -> None:
    main(["--quick", "--no-compile", "--output", str(tmp_path)])
    assert "soft ranking" in (tmp_path / "README.md").read_text()
    assert (tmp_path / "results.json").exists()
