"""What stands in the cells of several tables."""

from collections.abc import Callable

from benchmarks.pear_tradeoff.protocols import ALIGNED, TRAINED_BY_THE_PAPER, pairs_of
from benchmarks.pear_tradeoff.records import UNTRAINED, agreement
from benchmarks.shared.finished_runs import Run, Runs
from benchmarks.shared.mean_and_sd import mean_and_sd


def mean_of(runs: Runs, value: Callable[[Run], float], digits: int = 3) -> str:
    """Write the mean and the deviation of what is read from each run."""
    return mean_and_sd((value(run) for run in runs), digits)


def accuracy(runs: Runs, scaling: str = "train") -> str:
    """Write the test accuracy in %."""
    return mean_of(runs, lambda run: run[f"accuracy_{scaling}"], 2)


def fvu(runs: Runs) -> str:
    """Write the variance that affine fits leave."""
    return mean_of(runs, lambda run: run["fvu"])


def trained(runs: Runs) -> str:
    """Write the agreement of the pair that the paper trains."""
    return mean_of(runs, lambda run: agreement(run, [TRAINED_BY_THE_PAPER]))


def untrained(runs: Runs) -> str:
    """Write the agreement of the paper's other pairs."""
    return mean_of(runs, lambda run: agreement(run, UNTRAINED))


def aligned(runs: Runs) -> str:
    """Write the agreement of all pairs of protocol B."""
    return mean_of(runs, lambda run: agreement(run, pairs_of(ALIGNED)))
