"""Tables and figure of the speed of PEAR."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.pear_speed.steps import VARIANTS


def write(results: dict[str, Any], output: Path) -> str:
    """Save numbers, tables and figure.

    Args:
        results: What was measured.
        output: Folder for it.

    Returns:
        The tables, in Markdown.
    """
    output.mkdir(parents=True, exist_ok=True)
    (output / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    drawn = _draw(results["steps"], output / "pear_speed.png")
    report = _report(results, "![Cost of a step](pear_speed.png)\n\n" if drawn else "")
    (output / "README.md").write_text(report)
    return report


def _report(results: dict[str, Any], figure: str) -> str:
    machine = results["machine"]
    parts = [
        "# Speed of PEAR\n\n",
        f"{machine['device']}, {machine['threads']} thread(s), torch {machine['torch']}, "
        f"Python {machine['python']}, load average {machine['load']:.1f} at the start. On the CPU, "
        "milliseconds of processor time. Median of steps that took turns; in brackets the fastest "
        "tenth. A step is forward, loss, backward and optimiser.\n\n",
        "## Training step\n\n",
        figure,
        "The bound counts multiply-adds: a plain step takes 3 passes through the network, less the "
        "first layer of one; a query point that is trained through takes 6 (forward, gradient, 2 "
        "back through the gradient, 2 back through the forward pass). Memory on the CPU is the "
        "growth of a fresh process in its first three steps, the median of three. The first step "
        "of a compiled variant "
        "contains the compilation; what an earlier run left in the compiler's cache shortens "
        "it.\n\n",
        *_steps(results["steps"]),
        "## Soft ranking in the shipped configurations\n\n",
        "Forward and backward of `soft_rank` inside real steps (medians).\n\n",
        _table(
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
                for row in results["shares"]
            ),
        ),
        "## Soft ranks against torchsort\n\n",
        "Forward and backward, float32, |N(0, 1)| over the row's largest, strength 0.4/n.\n\n",
        _table(
            ("rows", "n", "ours, ms", "torchsort, ms", "ours / torchsort"),
            (
                (
                    row["rows"],
                    row["n"],
                    f"{1e3 * row['torch']:.2f}",
                    f"{1e3 * row['torchsort']:.2f}" if row["torchsort"] else "not installed",
                    f"{row['torch'] / row['torchsort']:.2f}" if row["torchsort"] else "",
                )
                for row in results["soft_ranks"]
            ),
        ),
        "## Trainer\n\n",
        "MLP 8-100-100-100-2, batch 64, (d), batches made beforehand, no logger.\n\n",
        _table(
            ("loop", "step, ms"),
            ((row["loop"], f"{1e3 * row['step']:.2f}") for row in results["trainer"]),
        ).rstrip("\n"),
        "\n",
    ]
    return "".join(parts)


def _steps(records: Sequence[dict[str, Any]]) -> Iterable[str]:
    for shape in dict.fromkeys(row["shape"] for row in records):
        rows = {row["variant"]: row for row in records if row["shape"] == shape}
        plain, authors = rows["plain"]["median"], rows["authors"]["median"]
        yield f"### {shape}\n\n"
        yield _table(
            (
                "",
                "step, ms",
                "times plain",
                "bound by multiplications",
                "faster than (b)",
                "memory, MB",
                "first step, s",
            ),
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


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines) + "\n"


def _draw(records: Sequence[dict[str, Any]], path: Path) -> bool:
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    shapes = list(dict.fromkeys(row["shape"] for row in records))
    figure, axes = plt.subplots(
        1, len(shapes), figsize=(4.2 * len(shapes) + 1.8, 3.2), sharey=True, squeeze=False
    )
    for axis, shape in zip(axes[0], shapes, strict=True):
        rows = [row for row in records if row["shape"] == shape]
        plain = rows[0]["median"]
        names = [VARIANTS[row["variant"]] for row in rows]
        ratios = [row["median"] / plain for row in rows]
        colours = ["#b0b0b0", "#c44e52", *["#4c72b0"] * (len(rows) - 2)]
        axis.barh(names, ratios, color=colours)
        axis.plot([row["bound"] for row in rows], names, "k|", markersize=14, markeredgewidth=2)
        for name, ratio, row in zip(names, ratios, rows, strict=True):
            axis.text(max(ratio, row["bound"]) * 1.12, name, f"{ratio:.1f}", va="center")
        axis.set_xscale("log")
        axis.set_xlim(0.7, 2.4 * max(max(ratios), *(row["bound"] for row in rows)))
        axis.set_title(shape, fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].invert_yaxis()
    figure.supxlabel(
        "time of a step over that of plain cross-entropy (black mark: multiplications alone)",
        fontsize=10,
    )
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return True
