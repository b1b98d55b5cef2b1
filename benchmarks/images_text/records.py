"""Which records there are."""

from collections.abc import Callable

from benchmarks.images_text.settings import METHODS, PROBLEMS
from benchmarks.shared.finished_runs import Run, Runs, runs_with
from benchmarks.shared.mean_and_interval import mean_and_interval


def problems_of(runs: Runs) -> list[str]:
    """Return the problems that have records, in their order."""
    return [name for name in PROBLEMS if any(run["problem"] == name for run in runs)]


def methods_of(runs: Runs, problem: str) -> list[str]:
    """Return the methods that have records of a problem, in their order."""
    return [method for method in METHODS if runs_with(runs, problem=problem, method=method)]


def over_seeds(runs: Runs, problem: str, method: str, value: Callable[[Run], float]) -> list[float]:
    """Return a number of each seed.

    Args:
        runs: All records.
        problem: Name of the problem.
        method: Name of the method.
        value: The number of a record.
    """
    return [value(run) for run in runs_with(runs, problem=problem, method=method)]


def paired(runs: Runs, problem: str, method: str, value: Callable[[Run], float]) -> list[float]:
    """Return what a method adds to plain training, for each seed that both have.

    Args:
        runs: All records.
        problem: Name of the problem.
        method: Name of the method.
        value: The number of a record.
    """
    plain = {run["seed"]: value(run) for run in runs_with(runs, problem=problem, method="plain")}
    own = runs_with(runs, problem=problem, method=method)
    return [value(run) - plain[run["seed"]] for run in own if run["seed"] in plain]


def with_seeds(values: list[float], digits: int = 3, *, signed: bool = False) -> str:
    """Write mean ± interval and, unless it is three, the number of seeds."""
    text = mean_and_interval(values, digits, signed=signed)
    return text if len(values) in (0, 3) else f"{text} (n = {len(values)})"
