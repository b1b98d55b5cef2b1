"""The report on mutation testing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.mutation.settings import PACKAGES
from benchmarks.shared.json_files import read_json
from benchmarks.shared.markdown import markdown
from benchmarks.shared.report import notes_of, write_readme

Runs = list[dict[str, Any]]


def latest(runs: Runs) -> Runs:
    """Return the last record of each mutant.

    Args:
        runs: All records, oldest first.
    """
    return list({run["name"]: run for run in runs}.values())


def judgements(output: Path) -> dict[str, dict[str, Any]]:
    """Return what was judged by hand of mutants that survived, by name.

    Args:
        output: Folder of ``judged.json``.
    """
    path = output / "judged.json"
    return read_json(path) if path.exists() else {}


def write_report(runs: Runs, output: Path) -> str:
    """Write ``README.md``.

    Args:
        runs: All records, oldest first.
        output: Folder of the results; ``judged.json`` in it says of surviving mutants, by name,
            whether they are ``equivalent`` and why.

    Returns:
        The report.
    """
    judged = judgements(output)
    return write_readme([*_sections(latest(runs), judged), notes_of(output).rstrip()], output)


def _sections(runs: Runs, judged: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield "# Mutation testing"
    yield (
        "Random places of the source code, one random change of each (operators of cosmic-ray), "
        "against the examples and the test files that are about the changed file (at most "
        "four). *Killed*: a test fails, or does not end "
        "in time. *Equivalent*: judged by hand to change no documented behaviour. *Score*: killed "
        "of those that are not equivalent."
    )
    rows = []
    for package in [*PACKAGES, "all"]:
        own = [run for run in runs if package in (run["package"], "all")]
        killed = sum(run["outcome"] == "killed" for run in own)
        first = sum(run["first"] == "killed" for run in own)
        left = [run for run in own if run["outcome"] != "killed"]
        equal = sum(judged.get(run["name"], {}).get("equivalent", False) for run in left)
        if own:
            score = 100 * killed / max(1, len(own) - equal)
            before = 100 * first / max(1, len(own) - equal)
            row = (package, len(own), killed, equal, len(left) - equal)
            rows.append((*row, f"**{score:.0f} %**", f"{before:.0f} %"))
    header = ("package", "mutants", "killed", "equivalent", "left", "score", "at first")
    yield markdown(header, rows)
    yield '"At first" is the score with the tests that there were before the run.'
    for title, equivalent in (("Left", False), ("Equivalent", True)):
        rows = [
            (f"`{run['path'].removeprefix('pear_lightning/')}`", *_change(run), _why(run, judged))
            for run in runs
            if run["outcome"] != "killed"
            and judged.get(run["name"], {}).get("equivalent", False) == equivalent
        ]
        if rows:
            yield f"## {title}"
            yield markdown(("file", "line", "becomes", "reason"), rows)


def _change(run: dict[str, Any]) -> tuple[str, str]:
    return _cell(run["code"]), _cell(run["becomes"])


def _cell(code: str) -> str:
    return "`" + code.replace("|", "\\|").replace("`", "'") + "`"


def _why(run: dict[str, Any], judged: dict[str, dict[str, Any]]) -> str:
    return str(judged.get(run["name"], {}).get("why", "not judged yet"))
