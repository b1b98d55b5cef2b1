"""The report on the speed of PEAR."""

from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks.pear_speed.figures import draw_steps
from benchmarks.pear_speed.records import Runs, machine_line, records_of
from benchmarks.pear_speed.tables import (
    lever_tables,
    share_table,
    soft_rank_table,
    step_tables,
    time_table,
    trainer_table,
    zeros_table,
)
from benchmarks.shared.drawing import save_figures
from benchmarks.shared.report import notes_of, write_readme


def write_report(runs: Runs, output: Path) -> str:
    """Write ``README.md`` and, where matplotlib is installed, the figure.

    Args:
        runs: The finished parts.
        output: Folder to write to.

    Returns:
        The report.
    """
    steps = records_of(runs, "steps")
    has_figure = bool(steps) and find_spec("matplotlib") is not None
    if has_figure:
        save_figures({"pear_speed": partial(draw_steps, records=steps)}, output)
    parts = [
        "# Speed of PEAR",
        notes_of(output).strip(),
        "## Rows and steps",
        "Time of a step over that of a plain step, averaged over the steps with and without the "
        "consensus loss; in brackets the same ratio of the numbers of multiply-adds. Bold: at most "
        "2. Four steps of every variant took turns with four plain steps in one process, and the "
        "ratio is the median over the turns.",
        *lever_tables(records_of(runs, "levers")),
        "## Where the time goes",
        "Gradient x input and integrated gradients with 3 points. Shares of a step, from torch's "
        "profiler, which makes steps slower: matrix products; other operations on tensors (the "
        "optimiser's too); and the rest, which is Python, the bookkeeping of autograd, and the "
        "profiler's own.",
        time_table(records_of(runs, "time")),
        "## Second derivatives that are zero",
        "The slope of a ReLU is constant, so 2 of the 6 passes of a query point carry zeros. Time "
        "of a step over that of a plain one, with them and without (`zeros.py`: the activations "
        "are exchanged beforehand, so a library would gain less).",
        zeros_table(records_of(runs, "zeros")),
        "## One step, all rows",
        "![Cost of a step](pear_speed.png)" if has_figure else "",
        "Milliseconds, the median of steps that took turns; in brackets the fastest tenth. A step "
        "is forward, loss, backward and optimiser. "
        "The bound counts multiply-adds: a plain step takes 3 passes through the network, less the "
        "first layer of one; a query point that is trained through takes 6 (forward, gradient, 2 "
        "back through the gradient, 2 back through the forward pass). Memory on the CPU is the "
        "growth of a fresh process in its first three steps, the median of three. The first step "
        "of a compiled variant contains the compilation; what an earlier run left in the "
        "compiler's cache shortens it.",
        *step_tables(steps),
        "## Soft ranking in the shipped configurations",
        "Forward and backward of `soft_rank` inside real steps (medians).",
        share_table(records_of(runs, "shares")),
        "## Soft ranks against torchsort",
        "Forward and backward, float32, |N(0, 1)| over the row's largest, strength 0.4/n.",
        soft_rank_table(records_of(runs, "soft_ranks")),
        "## Trainer",
        "MLP 8-100-100-100-2, batch 64, (d), batches made beforehand, no logger.",
        trainer_table(records_of(runs, "trainer")),
        "## Measured on",
        f"{machine_line(runs)}. Times on the CPU are processor time. The parts were measured one "
        "by one, both sides of a ratio in one run; `runs.jsonl` has the machine of each part.",
    ]
    return write_readme(parts, output)
