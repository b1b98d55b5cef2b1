"""Reading the records of the ScoresActivation benchmark's runs."""

import torch
from torch import Tensor

from benchmarks.scores_activation.table_settings import TABLES
from benchmarks.shared.finished_runs import Runs, runs_with
from pear_lightning.datamodules.known_relevance import KnownRelevance


def select(runs: Runs, protocol: str, table: str, method: str) -> Runs:
    """Return the runs of one method on one table, by seed."""
    chosen = runs_with(runs, protocol=protocol, table=table, method=method)
    return sorted(chosen, key=lambda run: (run["data_seed"], run["seed"], run["bootstrap"] or 0))


def column(runs: Runs, key: str) -> Tensor:
    """Return one vector of each run, ``(R, d)``."""
    return torch.tensor([run[key] for run in runs])


def relevance_of(table: str) -> Tensor:
    """Return which features of a synthetic table are relevant."""
    data = TABLES[table].build(None, 0)
    assert isinstance(data, KnownRelevance)
    data.setup()
    relevance: Tensor = data.relevance
    return relevance


def gains(runs: Runs, base: Runs) -> list[float]:
    """Return the gains in accuracy over other runs of the same seeds, in points."""
    before = {run["data_seed"]: run["test"] for run in base}
    return [
        100 * (run["test"] - before[run["data_seed"]]) for run in runs if run["data_seed"] in before
    ]
