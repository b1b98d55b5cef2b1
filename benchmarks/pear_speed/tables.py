"""Tables of the speed of PEAR, as Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.pear_speed.steps import VARIANTS
from benchmarks.shared.markdown import markdown

Records = Sequence[dict[str, Any]]


def step_tables(records: Records) -> Iterable[str]:
    """Yield title and table of each network: time and memory of the steps."""
    header = ("", "step, ms", "times plain", "bound by multiplications", "faster than (b)")
    for shape in dict.fromkeys(row["shape"] for row in records):
        rows = {row["variant"]: row for row in records if row["shape"] == shape}
        plain, authors = rows["plain"]["median"], rows["authors"]["median"]
        yield f"### {shape}"
        yield markdown(
            (*header, "memory, MB", "first step, s"),
            (
                (
                    VARIANTS[name],
                    f"{1e3 * row['median']:.2f} ({1e3 * row['fast']:.2f})",
                    f"{row['median'] / plain:.1f}",
                    f"{row['bound']:.1f}",
                    f"{authors / row['median']:.1f}",
                    "" if row["memory"] is None else f"{row['memory']:.1f}",
                    f"{row['first']:.1f}" if name.endswith("_compiled") else "",
                )
                for name, row in rows.items()
            ),
        )


def share_table(records: Records) -> str:
    """Return the share of soft ranking in the steps of the shipped configurations."""
    return markdown(
        ("configuration", "n", "batch", "step, ms", "soft ranking, ms", "share"),
        (
            (
                row["config"],
                row["n"],
                row["batch_size"],
                f"{1e3 * row['step']:.2f}",
                f"{1e3 * row['ranking']:.2f}",
                f"{row['share']:.1%}",
            )
            for row in records
        ),
    )


def soft_rank_table(records: Records) -> str:
    """Return the time of soft ranks, ours and torchsort's."""
    return markdown(
        ("rows", "n", "ours, ms", "torchsort, ms", "ours / torchsort"),
        (
            (
                row["rows"],
                row["n"],
                f"{1e3 * row['torch']:.2f}",
                f"{1e3 * row['torchsort']:.2f}" if row["torchsort"] else "not installed",
                f"{row['torch'] / row['torchsort']:.2f}" if row["torchsort"] else "",
            )
            for row in records
        ),
    )


def trainer_table(records: Records) -> str:
    """Return the time of a step in a bare loop and in the Trainer."""
    return markdown(
        ("loop", "step, ms"), ((row["loop"], f"{1e3 * row['step']:.2f}") for row in records)
    )
