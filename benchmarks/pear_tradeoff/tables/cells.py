"""What stands in the cells of several tables."""

from collections.abc import Callable

from benchmarks.pear_tradeoff.protocols import TRAINED_BY_THE_PAPER
from benchmarks.pear_tradeoff.records import (
    CENTRED,
    LOGIT,
    UNTRAINED,
    against_baseline,
    agreement,
    aligned_agreement,
)
from benchmarks.shared.finished_runs import Run, Runs
from benchmarks.shared.mean_and_interval import mean_and_interval


def mean_of(runs: Runs, value: Callable[[Run], float], digits: int = 3) -> str:
    """Write the mean, and its interval over the seeds, of what is read from each run."""
    return mean_and_interval((value(run) for run in runs), digits)


def accuracy(runs: Runs, *, own: bool = False) -> str:
    """Write the test accuracy in %."""
    name = "accuracy_own" if own else "accuracy"
    return mean_of([run for run in runs if name in run], lambda run: run[name], 2)


def price(all_runs: Runs, runs: Runs) -> str:
    """Write the difference in accuracy to the same network with weight 0, paired by seed."""
    return mean_and_interval(against_baseline(all_runs, runs), 2, signed=True)


def share(runs: Runs) -> str:
    """Write the share that both logits have in common."""
    return mean_of([run for run in runs if "common_share" in run], lambda r: r["common_share"], 2)


def fvu(runs: Runs) -> str:
    """Write the variance that affine fits leave."""
    return mean_of([run for run in runs if "fvu" in run], lambda run: run["fvu"])


def trained(runs: Runs, output: str = CENTRED) -> str:
    """Write the agreement of the pair that the paper trains."""
    return mean_of(runs, lambda run: agreement(run, [TRAINED_BY_THE_PAPER], output=output))


def untrained(runs: Runs, output: str = CENTRED) -> str:
    """Write the agreement of the paper's other pairs; a dash where they were not measured."""
    measured = [run for run in runs if "Grad / LIME" in run["agreement"][output]]
    return mean_of(measured, lambda run: agreement(run, UNTRAINED, output=output))


def aligned(runs: Runs, output: str = CENTRED) -> str:
    """Write the agreement of all pairs of protocol B."""
    return mean_of(runs, lambda run: aligned_agreement(run, output))


def both_scalars(cell: Callable[[Runs, str], str], runs: Runs) -> list[str]:
    """Write a cell for the logit and for the centred logit."""
    return [cell(runs, LOGIT), cell(runs, CENTRED)]
