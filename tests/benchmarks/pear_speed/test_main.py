from pathlib import Path

import pytest

from benchmarks.pear_speed.__main__ import main


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:ConsensusLoss explains output='logit'")  # the paper's output
def test_smoke(tmp_path: Path) -> None:
    main(["--quick", "--no-compile", "--output", str(tmp_path)])
    assert "soft ranking" in (tmp_path / "README.md").read_text()
    assert (tmp_path / "results.json").exists()
