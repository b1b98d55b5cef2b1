"""The report of a benchmark: ``README.md`` in the folder of its results."""

from collections.abc import Iterable
from pathlib import Path


def notes_of(output: Path) -> str:
    """Return what has been written by hand for the report, ``notes.md``; nothing without it."""
    notes = output / "notes.md"
    return notes.read_text(encoding="utf-8") if notes.exists() else ""


def write_readme(parts: Iterable[str], output: Path) -> str:
    """Write the report.

    Args:
        parts: Its paragraphs, tables and titles; empty ones are left out.
        output: Folder of the results.

    Returns:
        The report.
    """
    report = "\n\n".join(part for part in parts if part) + "\n"
    (output / "README.md").write_text(report, encoding="utf-8")
    return report
