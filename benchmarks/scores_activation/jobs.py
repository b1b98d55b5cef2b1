"""The models of the ScoresActivation benchmark, in the order in which they are run."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmarks.scores_activation.methods import ALIGNED, FURTHER, GAIN_METHODS, SCORING, SHORT
from benchmarks.scores_activation.table_settings import CLUSTERS, FORMULAS, GAIN, REAL

FIRST_SEED = 100
"""Seeds 0 to 5 were looked at when settings were chosen; none of them is reported."""


@dataclass(frozen=True)
class Job:
    """One model.

    Attributes:
        protocol: ``"quality"``, ``"stability"``, ``"gain"``, ``"formulas"`` or ``"real"``.
        table: Name of the table.
        method: Name of the method.
        data_seed: Seed of the table (of its split, for a real one).
        seed: Seed of the weights and of the order of the batches.
        bootstrap: Seed of a bootstrap sample of the training rows; None for the rows themselves.
    """

    protocol: str
    table: str
    method: str
    data_seed: int
    seed: int
    bootstrap: int | None = None


def jobs(seeds: int = 10) -> Iterator[Job]:
    """Yield all models of the benchmark, the most important first.

    Args:
        seeds: Repetitions of a quality run; the other protocols have at most 5 or 3.
    """
    every = range(FIRST_SEED, FIRST_SEED + seeds)
    tables: list[tuple[str, Iterable[str], Iterable[str], range]] = [
        ("quality", CLUSTERS, SCORING, every[:5]),
        ("real", REAL, [*SHORT, ALIGNED], every[:1]),
        ("gain", GAIN, GAIN_METHODS, every[:3]),
        ("quality", CLUSTERS, SCORING, every[5:]),
        ("gain", GAIN, GAIN_METHODS, every[3:5]),
        ("formulas", FORMULAS, SHORT, every[:3]),
        ("real", REAL, [*SHORT, ALIGNED], every[1:3]),
        ("quality", ("10/5, 400", "16/5, 400"), FURTHER, every),
    ]
    for place, (protocol, names, methods, chosen) in enumerate(tables):
        for seed, name, method in itertools.product(chosen, names, methods):
            yield Job(protocol, name, method, seed, seed)
        if place == 3:
            for data_seed, method, i in itertools.product(every[:3], SHORT, range(5)):
                yield Job("stability", "16/5, 400", method, data_seed, i)
                yield Job("stability", "16/5, 400", method, data_seed, 0, bootstrap=i)
