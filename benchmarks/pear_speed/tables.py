"""Tables of the speed of PEAR, as Markdown."""

from collections.abc import Iterable
from typing import Any

from benchmarks.pear_speed.records import Runs, by_shape
from benchmarks.pear_speed.steps import VARIANTS, mode_of
from benchmarks.pear_speed.trained_sets import SETS
from benchmarks.shared.markdown import markdown

AIM = 2.0


def lever_tables(records: Runs) -> Iterable[str]:
    """Yield title and table of each set of explainers: steps with each lever, relative to plain."""
    for trained, title in SETS.items():
        of_set = [row for row in records if row["trained"] == trained]
        if not of_set:
            continue
        yield f"### {title[0].upper()}{title[1:]}"
        levers = dict.fromkeys(row["lever"] for row in of_set)
        yield markdown(
            ("", "plain step, ms", *(f"`{name}`" if "=" in name else name for name in levers)),
            (
                (
                    shape,
                    f"{1e3 * rows[0]['plain']:.2f}",
                    *(_ratio({row["lever"]: row for row in rows}.get(name)) for name in levers),
                )
                for shape, rows in by_shape(of_set)
            ),
        )


def _ratio(row: dict[str, Any] | None) -> str:
    if row is None:
        return "not measured"
    ratio = row["ratio"]
    text = f"{ratio:.1f}" if ratio >= 9.95 else f"{ratio:.2f}"
    return f"{f'**{text}**' if round(ratio, 2) <= AIM else text} ({row['bound']:.1f})"


def time_table(records: Runs) -> str:
    """Return where the time of steps goes."""
    return markdown(
        ("", "step", "matrix products", "other operations", "rest"),
        (
            (
                row["shape"],
                row["what"],
                f"{row['products']:.0%}",
                f"{row['operations']:.0%}",
                f"{1 - row['products'] - row['operations']:.0%}",
            )
            for row in records
        ),
    )


def zeros_table(records: Runs) -> str:
    """Return the time of steps with and without second derivatives that are zero."""
    return markdown(
        ("", "rows", "with", "without", "gain"),
        (
            (
                row["shape"],
                row["lever"],
                f"{row['with']:.2f}",
                f"{row['without']:.2f}",
                f"{row['gain']:.0%}",
            )
            for row in records
        ),
    )


def step_tables(records: Runs) -> Iterable[str]:
    """Yield title and table of each network: time and memory of the steps."""
    header = ("", "step, ms", "times plain", "bound by multiplications", "faster than (b)")
    for shape, of_shape in by_shape(records):
        rows = {row["variant"]: row for row in of_shape}
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
                    f"{row['first']:.1f}" if mode_of(name) else "",
                )
                for name, row in rows.items()
            ),
        )


def share_table(records: Runs) -> str:
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


def soft_rank_table(records: Runs) -> str:
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


def trainer_table(records: Runs) -> str:
    """Return the time of a step in a bare loop and in the Trainer."""
    return markdown(
        ("loop", "step, ms"), ((row["loop"], f"{1e3 * row['step']:.2f}") for row in records)
    )
