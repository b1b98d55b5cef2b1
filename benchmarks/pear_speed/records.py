"""The records of the finished parts."""

from collections.abc import Iterator, Sequence
from typing import Any

Runs = Sequence[dict[str, Any]]


def records_of(runs: Runs, part: str) -> list[dict[str, Any]]:
    """Return the records of a part, with the network and the explainers that they are about.

    Args:
        runs: What is in ``runs.jsonl``.
        part: Name of the part.
    """
    return [
        {"shape": run["shape"], "trained": run["trained"], **record}
        for run in runs
        if run["part"] == part
        for record in run["records"]
    ]


def by_shape(records: Runs) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield each network with its records.

    Args:
        records: Records of a part.
    """
    for shape in dict.fromkeys(row["shape"] for row in records):
        yield shape, [row for row in records if row["shape"] == shape]


def machine_line(runs: Runs) -> str:
    """Return on what the parts were measured.

    Args:
        runs: What is in ``runs.jsonl``.
    """
    machines = [run["machine"] for run in runs]
    loads = [each["load"] for each in machines]
    devices = sorted({each["device"] for each in machines})
    return (
        f"{', '.join(devices)}, {machines[0]['threads']} thread(s), torch {machines[0]['torch']}, "
        f"Python {machines[0]['python']}, load average {min(loads):.1f} to {max(loads):.1f}"
    )
