"""Tables and figure of the speed of the faithfulness metrics."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Record = dict[str, Any]


def write(results: Record, output: Path) -> str:
    """Save numbers, tables and figure.

    Args:
        results: What was measured.
        output: Folder for it.

    Returns:
        The tables, in Markdown.
    """
    output.mkdir(parents=True, exist_ok=True)
    (output / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    drawn = _draw(results["metrics"], output / "faithfulness_speed.png")
    notes = output / "notes.md"
    parts = [
        "# Speed of the faithfulness metrics, and agreement with Quantus\n\n",
        _machine(results),
        "![Time of one evaluation](faithfulness_speed.png)\n\n" if drawn else "",
        *_metrics(results["metrics"]),
        *_batches(results["batches"]),
        *_suite(results["suite"]),
        *_agreement(results["agreement"]),
        notes.read_text(encoding="utf-8") if notes.exists() else "",
    ]
    report = "".join(parts).rstrip("\n") + "\n"
    (output / "README.md").write_text(report, encoding="utf-8")
    return report


def _machine(results: Record) -> str:
    machine = results["machine"]
    quantus = f"Quantus {machine['quantus']}" if machine["quantus"] else "no Quantus"
    return (
        f"{machine['device']}, torch {machine['torch']}, NumPy {machine['numpy']}, {quantus}, "
        f"Captum {machine['captum']}, Python {machine['python']}; load average "
        f"{machine['load']:.1f} at the start. Table: scikit-learn's breast cancer. Images: "
        f"{machine['images']}. Both sides get the same model, samples, classes and attributions, "
        "in one batch, and take turns in one process; medians. With one thread on a CPU, "
        "processor time, otherwise time on the wall.\n\n"
    )


def _metrics(records: Sequence[Record]) -> Iterable[str]:
    yield "## Metric by metric\n\n"
    yield (
        "*Evaluations* of the model for one sample, *time* in all, and inside the model's forward "
        'pass ("model"). *Check*: Quantus compares every perturbed sample with the original by '
        "`numpy.allclose`, to warn where nothing changed; a column shows it without. *Bound*: how "
        "many times faster ours would be if it did nothing but "
        "evaluate the model. *Memory*: what a fresh process grows by, beyond model, samples and "
        "libraries.\n\n"
    )
    for threads in dict.fromkeys(record["threads"] for record in records):
        chosen = [record for record in records if record["threads"] == threads]
        for problem in dict.fromkeys(record["problem"] for record in chosen):
            rows = [record for record in chosen if record["problem"] == problem]
            yield f"### {problem}, {rows[0]['samples']} samples, {threads} thread(s)\n\n"
            yield _table(
                (
                    "metric",
                    "other side",
                    "evaluations, ours / theirs",
                    "ours, ms (model)",
                    "theirs, ms (model)",
                    "times faster",
                    "than theirs without its check",
                    "bound",
                    "memory, MB, ours / theirs",
                ),
                map(_metric, rows),
            )
    yield "Settings, the same on both sides unless said otherwise:\n\n"
    seen = {(each["metric"], each["peer"]): each for each in records}
    for (metric, peer), record in seen.items():
        note = f" ({record['note']})" if record["note"] else ""
        yield f"- {metric}, {peer}: {record['settings']}{note}\n"
    yield "\n"


def _metric(record: Record) -> tuple[str, ...]:
    ours, theirs = record["ours"], record["theirs"]
    counts = [f"{side['evaluations']:.0f}" for side in (ours, theirs) if side]
    memory = [
        "" if side["memory"] is None else f"{side['memory']:.1f}" for side in (ours, theirs) if side
    ]
    return (
        record["metric"],
        record["peer"],
        " / ".join(counts),
        _milliseconds(ours),
        _milliseconds(theirs) if theirs else "not installed",
        f"**{theirs['seconds'] / ours['seconds']:.1f}**" if theirs else "",
        f"{record['unchecked'] / ours['seconds']:.1f}" if record.get("unchecked") else "",
        f"{theirs['seconds'] / ours['model']:.1f}" if theirs else "",
        " / ".join(memory) if any(memory) else "",
    )


def _milliseconds(side: Record) -> str:
    return f"{1e3 * side['seconds']:.1f} ({1e3 * side['model']:.1f})"


def _batches(records: Sequence[Record]) -> Iterable[str]:
    if not records:
        return
    yield "## Batches of several sizes\n\n"
    yield "Milliseconds for one sample, one thread.\n\n"
    yield _table(
        ("problem", "metric", "samples", "ours", "theirs", "times faster"),
        (
            (
                record["problem"],
                record["metric"],
                record["samples"],
                f"{1e3 * record['ours']['seconds'] / record['samples']:.2f}",
                f"{1e3 * record['theirs']['seconds'] / record['samples']:.2f}"
                if record["theirs"]
                else "",
                f"{record['theirs']['seconds'] / record['ours']['seconds']:.1f}"
                if record["theirs"]
                else "",
            )
            for record in records
        ),
    )


def _suite(records: Sequence[Record]) -> Iterable[str]:
    yield "## One suite for many explanations\n\n"
    yield (
        f"`FaithfulnessSuite` with ten metrics scores {records[0]['explanations']} explanations of "
        "the same samples, against the same metrics of ours one by one.\n\n"
    )
    yield _table(
        (
            "problem",
            "samples",
            "features",
            "evaluations of a sample, together",
            "one by one",
            "fewer",
            "time together, ms",
            "one by one, ms",
            "times faster",
        ),
        (
            (
                record["problem"],
                record["samples"],
                record["features"],
                f"{record['evaluations']['together']:.0f}",
                f"{record['evaluations']['one_by_one']:.0f}",
                f"{record['evaluations']['one_by_one'] / record['evaluations']['together']:.1f}",
                f"{1e3 * record['seconds']['together']:.0f}",
                f"{1e3 * record['seconds']['one_by_one']:.0f}",
                f"{record['seconds']['one_by_one'] / record['seconds']['together']:.1f}",
            )
            for record in records
        ),
    )


def _agreement(agreement: Record | None) -> Iterable[str]:
    if agreement is None:
        return
    yield "## Agreement with Quantus\n\n"
    yield (
        "Where Quantus' definition is sound the values are the same up to float32's rounding. "
        "Quantus gets the same subsets and noise (ours, put in the place of its random numbers) "
        "and a fixed baseline, 0; its areas get the start of the curve and a width of 1, its drops "
        "their mean. Infidelity: our formula at the copies that Quantus makes. IROF: one image at "
        "a time.\n\n"
    )
    yield _table(
        ("metric", "problem", "largest value", "largest difference"),
        (
            (
                record["metric"],
                record["problem"],
                f"{record['largest']:.3g}",
                f"{record['difference']:.1e}",
            )
            for record in agreement["values"]
        ),
    )
    yield "What differs, and why; measured in this run:\n\n"
    yield _table(
        ("metric", "difference", "measured"),
        ((each["metric"], each["what"], each["measured"]) for each in agreement["differences"]),
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines) + "\n"


def _draw(records: Sequence[Record], path: Path) -> bool:
    """Draw the time of one evaluation, in and outside the model; False if there is nothing."""
    try:
        import matplotlib
    except ImportError:
        return False
    records = [
        record
        for record in records
        if record["theirs"]
        and record["peer"].startswith("Quantus")
        and record["threads"] == records[0]["threads"]
        and record["metric"] != "max-sensitivity"  # also takes a backward pass
    ]
    if not records:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    problems = list(dict.fromkeys(record["problem"] for record in records))
    figure, axes = plt.subplots(
        1, len(problems), figsize=(4.2 * len(problems) + 1.2, 3.9), squeeze=False
    )
    for axis, problem in zip(axes[0], problems, strict=True):
        rows = [record for record in records if record["problem"] == problem]
        for offset, side, colours in (
            (-0.2, "theirs", ("#c44e52", "#e8b4b6")),
            (0.2, "ours", ("#4c72b0", "#b3c3e0")),
        ):
            name = "Quantus" if side == "theirs" else "pear-lightning"
            scale = [1e6 / (row[side]["evaluations"] * row["samples"]) for row in rows]
            model = [row[side]["model"] * s for row, s in zip(rows, scale, strict=True)]
            whole = [row[side]["seconds"] * s for row, s in zip(rows, scale, strict=True)]
            rest = [max(0.0, w - m) for w, m in zip(whole, model, strict=True)]
            places = [index + offset for index in range(len(rows))]
            axis.barh(places, model, 0.36, color=colours[0], label=f"{name}: model")
            axis.barh(places, rest, 0.36, left=model, color=colours[1], label=f"{name}: the rest")
        for place, row in enumerate(rows):
            ratio = row["theirs"]["seconds"] / row["ours"]["seconds"]
            scale = 1e6 / (row["theirs"]["evaluations"] * row["samples"])
            axis.text(row["theirs"]["seconds"] * scale, place - 0.2, f" {ratio:.1f}×", va="center")
        axis.set_yticks(range(len(rows)), [row["metric"] for row in rows])
        axis.set_xlim(0, 1.18 * axis.get_xlim()[1])
        axis.set_title(problem, fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
        axis.invert_yaxis()
    figure.supxlabel(
        "microseconds for one evaluation of one sample (×: how many times faster)", fontsize=10
    )
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, ncols=4, loc="upper center", frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0, 1, 0.94))
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return True
