"""The runs of the DeepFaith benchmark, in the order in which they are made."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.deepfaith.methods import ablations
from benchmarks.deepfaith.settings import SEEDS, TASKS

KINDS = ("ranking", "pooled", "cost", "confidence", "choice", "held out", "ablation", "samples")
_TABLES = [name for name, terms in TASKS.items() if terms.kind == "table"]


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes:
        kind: What is measured, one of ``KINDS``.
        task: Name of the task.
        seed: Seed; -1 for all seeds together.
        variant: Name of the variant, of ablations.
    """

    kind: str
    task: str
    seed: int
    variant: str = ""


def jobs() -> Iterator[Job]:
    """Yield all runs, the most important first."""
    for tasks in (_TABLES, ["fashion", "ag_news"], ["mnist", "sst2"]):
        for seed, task in itertools.product(SEEDS, tasks):
            yield Job("ranking", task, seed)
        for task in tasks:
            yield Job("pooled", task, -1)
        for kind, task in itertools.product(("cost", "confidence"), tasks):
            yield Job(kind, task, 0)
    for task in ("nhanes", "wholesale", "bank", "fashion"):
        for variant in ablations(TASKS[task].kind):
            yield Job("ablation", task, 0, variant)
    for kind, task in itertools.product(("choice", "held out", "samples"), ("bank", "fashion")):
        yield Job(kind, task, 0)
    for kind, task in (("choice", "nhanes"), ("held out", "nhanes"), ("choice", "ag_news")):
        yield Job(kind, task, 0)
