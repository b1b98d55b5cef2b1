"""What was not run."""

from benchmarks.right_reasons.records import runs_of
from benchmarks.right_reasons.settings import EXPERIMENTS
from benchmarks.shared.finished_runs import Runs


def missing(runs: Runs) -> str:
    """Say which settings have no run at all, and which have fewer than five."""
    counts = {
        (experiment, name): len(runs_of(runs, experiment, name))
        for experiment, settings in EXPERIMENTS.items()
        for name in settings
    }
    never = [f"{experiment}/{name}" for (experiment, name), n in counts.items() if n == 0]
    few = [f"{experiment}/{name} ({n})" for (experiment, name), n in counts.items() if 0 < n < 5]
    return (
        f"Not run at all: {', '.join(never) or 'nothing'}.\n\n"
        f"Fewer than five seeds: {', '.join(few) or 'nothing'}."
    )
