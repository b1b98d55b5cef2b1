"""Reports say what was recorded, and are what their benchmarks write."""

import shutil
from pathlib import Path

import pytest

from tests.benchmarks.running import ROOT, run_benchmark

DRAWN_ELSEWHERE = ("looked_at", "explained_")  # figures that a report shows and does not draw
NAMES = sorted(path.parents[1].name for path in ROOT.glob("benchmarks/*/results/README.md"))


def test_every_benchmark_has_a_report() -> None:
    benchmarks = [path.parent for path in ROOT.glob("benchmarks/*/__main__.py")]
    assert sorted(folder.name for folder in benchmarks if (folder / "report.py").exists()) == NAMES


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_report_is_written_again_from_the_records(name: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    results = ROOT / "benchmarks" / name / "results"
    for path in results.iterdir():
        if path.suffix in (".md", ".json", ".jsonl") or path.name.startswith(DRAWN_ELSEWHERE):
            shutil.copy(path, tmp_path)
    (tmp_path / "README.md").unlink()
    run_benchmark(name, "--report", "--output", str(tmp_path))
    assert (tmp_path / "README.md").read_text("utf-8") == (results / "README.md").read_text("utf-8")
    for figure in results.glob("*.png"):
        assert (tmp_path / figure.name).stat().st_size > 10_000
