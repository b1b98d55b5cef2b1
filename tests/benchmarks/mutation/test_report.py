import json
from pathlib import Path

from benchmarks.mutation.report import write_report


def run(number: int, outcome: str, first: str | None = None) -> dict[str, object]:
    return {
        "name": f"m{number}", "package": "losses", "path": "pear_lightning/losses/a.py",
        "code": f"a | {number}", "becomes": f"b | {number}", "outcome": outcome,
        "first": first or outcome,
    }  # fmt: skip


def test_scores_leave_out_what_is_equivalent(tmp_path: Path) -> None:
    judged = {"m2": {"equivalent": True, "why": "the same"}, "m3": {"why": "a message"}}
    (tmp_path / "judged.json").write_text(json.dumps(judged))
    runs = [run(1, "survived"), run(2, "survived"), run(3, "survived"), run(4, "killed"),
            run(1, "killed", "survived")]  # fmt: skip
    report = write_report(runs, tmp_path)
    assert "| losses | 4 | 2 | 1 | 1 | **67 %** | 33 % |" in report
    left, equivalent = report.split("## Left")[1].split("## Equivalent")
    assert "`a \\| 3`" in left
    assert "a message" in left
    assert "the same" in equivalent
    assert report == (tmp_path / "README.md").read_text()
