"""The report on the speed of the faithfulness metrics."""

from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks.faithfulness_speed.figures import draw_times, drawn
from benchmarks.faithfulness_speed.tables import (
    Record,
    agreement_section,
    batch_section,
    explainer_section,
    machine_section,
    metric_section,
    suite_section,
)
from benchmarks.shared.drawing import save_figures
from benchmarks.shared.report import notes_of, write_readme


def write_report(results: Record, output: Path) -> str:
    """Write ``README.md`` and, where there is something to draw with and to draw, the figure.

    Args:
        results: What was measured.
        output: Folder to write to; ``notes.md`` in it is copied to the end of the report.

    Returns:
        The report.
    """
    records = drawn(results["metrics"])
    has_figure = bool(records) and find_spec("matplotlib") is not None
    if has_figure:
        save_figures({"faithfulness_speed": partial(draw_times, records=records)}, output)
    parts = [
        "# Speed of the faithfulness metrics, and agreement with Quantus",
        machine_section(results),
        "![Time of one evaluation](faithfulness_speed.png)" if has_figure else "",
        *metric_section(results["metrics"]),
        *batch_section(results["batches"]),
        *suite_section(results["suite"]),
        *explainer_section(results.get("explainers", [])),
        *agreement_section(results["agreement"]),
        notes_of(output).rstrip(),
    ]
    return write_readme(parts, output)
