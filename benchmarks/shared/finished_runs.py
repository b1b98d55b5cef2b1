"""Finished runs in a file of JSON lines, so that a stopped benchmark resumes where it was."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Run = dict[str, Any]
Runs = list[Run]


def read_runs(path: Path) -> Runs:
    """Return the records of the finished runs, in the order in which they finished.

    Args:
        path: The file; where there is none, nothing has finished.
    """
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def finished(path: Path, keys: Sequence[str]) -> set[tuple[Any, ...]]:
    """Return what names the finished runs.

    Args:
        path: The file.
        keys: Entries of a record that tell it from all others.

    Returns:
        Their values.
    """
    return {tuple(run[key] for key in keys) for run in read_runs(path)}


def append_run(path: Path, run: Run) -> None:
    """Add the record of a run that has finished.

    Args:
        path: The file.
        run: The record.
    """
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(run, ensure_ascii=False) + "\n")


def runs_with(runs: Runs, **values: Any) -> Runs:
    """Return the runs whose records have these values, by seed.

    Args:
        runs: Records, each with a ``seed``.
        **values: Entries of a record.
    """
    chosen = [run for run in runs if all(run[key] == value for key, value in values.items())]
    return sorted(chosen, key=lambda run: int(run["seed"]))
