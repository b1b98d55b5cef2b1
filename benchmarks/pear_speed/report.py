"""The report on the speed of PEAR."""

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.pear_speed.figures import draw_steps
from benchmarks.pear_speed.tables import share_table, soft_rank_table, step_tables, trainer_table
from benchmarks.shared.drawing import save_figures
from benchmarks.shared.report import write_readme


def write_report(results: dict[str, Any], output: Path) -> str:
    """Write ``README.md`` and, where matplotlib is installed, the figure.

    Args:
        results: What was measured.
        output: Folder to write to.

    Returns:
        The report.
    """
    machine = results["machine"]
    has_figure = find_spec("matplotlib") is not None
    if has_figure:
        save_figures({"pear_speed": partial(draw_steps, records=results["steps"])}, output)
    parts = [
        "# Speed of PEAR",
        f"{machine['device']}, {machine['threads']} thread(s), torch {machine['torch']}, "
        f"Python {machine['python']}, load average {machine['load']:.1f} at the start. On the CPU, "
        "milliseconds of processor time. Median of steps that took turns; in brackets the fastest "
        "tenth. A step is forward, loss, backward and optimiser.",
        "## Training step",
        "![Cost of a step](pear_speed.png)" if has_figure else "",
        "The bound counts multiply-adds: a plain step takes 3 passes through the network, less the "
        "first layer of one; a query point that is trained through takes 6 (forward, gradient, 2 "
        "back through the gradient, 2 back through the forward pass). Memory on the CPU is the "
        "growth of a fresh process in its first three steps, the median of three. The first step "
        "of a compiled variant "
        "contains the compilation; what an earlier run left in the compiler's cache shortens "
        "it.",
        *step_tables(results["steps"]),
        "## Soft ranking in the shipped configurations",
        "Forward and backward of `soft_rank` inside real steps (medians).",
        share_table(results["shares"]),
        "## Soft ranks against torchsort",
        "Forward and backward, float32, |N(0, 1)| over the row's largest, strength 0.4/n.",
        soft_rank_table(results["soft_ranks"]),
        "## Trainer",
        "MLP 8-100-100-100-2, batch 64, (d), batches made beforehand, no logger.",
        trainer_table(results["trainer"]),
    ]
    return write_readme(parts, output)
