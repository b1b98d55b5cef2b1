"""Tables of the speed of the faithfulness metrics."""

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.shared.markdown import markdown

Record = dict[str, Any]


def machine_section(results: Record) -> str:
    """Say on what was measured, and how."""
    machine = results["machine"]
    quantus = f"Quantus {machine['quantus']}" if machine["quantus"] else "no Quantus"
    return (
        f"{machine['device']}, torch {machine['torch']}, NumPy {machine['numpy']}, {quantus}, "
        f"Captum {machine['captum']}, TorchXAI {machine.get('torchxai')}, Python "
        f"{machine['python']}; load average {machine['load']:.1f} at the start. Table: "
        f"scikit-learn's breast cancer. Images: {machine['images']}. Both sides get the same "
        "model, samples, classes and attributions, in one batch, and take turns in one process; "
        "medians. With one thread on a CPU, processor time, otherwise time on the wall."
    )


def metric_section(records: Sequence[Record]) -> Iterable[str]:
    """Yield the section on single metrics."""
    yield "## Metric by metric"
    yield (
        "*Evaluations* of the model for one sample, *time* in all, and inside the model's forward "
        'pass ("model"). *Check*: Quantus compares every perturbed sample with the original by '
        "`numpy.allclose`, to warn where nothing changed; a column shows it without. *Bound*: how "
        "many times faster ours would be if it did nothing but "
        "evaluate the model. *Memory*: what a fresh process grows by, beyond model, samples and "
        "libraries."
    )
    for threads in dict.fromkeys(record["threads"] for record in records):
        chosen = [record for record in records if record["threads"] == threads]
        for problem in dict.fromkeys(record["problem"] for record in chosen):
            rows = [record for record in chosen if record["problem"] == problem]
            yield f"### {problem}, {rows[0]['samples']} samples, {threads} thread(s)"
            yield markdown(
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
    yield "Settings, the same on both sides unless said otherwise:"
    seen = {(each["metric"], each["peer"]): each for each in records}
    yield "\n".join(
        f"- {metric}, {peer}: {record['settings']}{_in_brackets(record['note'])}"
        for (metric, peer), record in seen.items()
    )


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


def _in_brackets(note: str) -> str:
    return f" ({note})" if note else ""


def _milliseconds(side: Record) -> str:
    return f"{1e3 * side['seconds']:.1f} ({1e3 * side['model']:.1f})"


def batch_section(records: Sequence[Record]) -> Iterable[str]:
    """Yield the section on batches of several sizes."""
    if not records:
        return
    yield "## Batches of several sizes"
    yield "Milliseconds for one sample, one thread."
    yield markdown(
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


def suite_section(records: Sequence[Record]) -> Iterable[str]:
    """Yield the section on suites."""
    yield "## One suite for many explanations"
    yield (
        f"`FaithfulnessSuite` with ten metrics scores {records[0]['explanations']} explanations of "
        "the same samples, against the same metrics of ours one by one."
    )
    yield markdown(
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


def explainer_section(records: Sequence[Record]) -> Iterable[str]:
    """Yield the section on explainers; nothing where they were not measured."""
    if not records:
        return
    first = records[0]
    yield "## KernelSHAP and LIME of many rows"
    yield (
        f"{first['rows']} rows of the table, {first['coalitions']} coalitions each. Captum "
        f"explains one row after another; its time is extrapolated from {first['their_rows']} rows."
    )
    yield markdown(
        ("explainer", "ours, s", "Captum, s", "times faster"),
        (
            (
                each["explainer"],
                f"{each['ours']:.2f}",
                f"{each['theirs']:.1f}",
                f"**{each['theirs'] / each['ours']:.0f}**",
            )
            for each in records
        ),
    )


def agreement_section(agreement: Record | None) -> Iterable[str]:
    """Yield the section on the values; nothing where they were not compared."""
    if agreement is None:
        return
    yield "## Agreement with Quantus"
    yield (
        "Where Quantus' definition is sound the values are the same up to float32's rounding. "
        "Quantus gets the same subsets and noise (ours, put in the place of its random numbers) "
        "and a fixed baseline, 0; its areas get the start of the curve and a width of 1, its drops "
        "their mean. Infidelity: our formula at the copies that Quantus makes. IROF: one image at "
        "a time."
    )
    yield markdown(
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
    yield "What differs, and why; measured in this run:"
    yield markdown(
        ("metric", "difference", "measured"),
        ((each["metric"], each["what"], each["measured"]) for each in agreement["differences"]),
    )
