"""Everything that the benchmark of PEAR's speed measures, in parts that are recorded one by one."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from benchmarks.pear_speed.lever_times import compare_levers
from benchmarks.pear_speed.problem import SHAPES
from benchmarks.pear_speed.ranking_share import ranking_shares
from benchmarks.pear_speed.soft_ranks import compare_soft_ranks
from benchmarks.pear_speed.step_times import compare_steps
from benchmarks.pear_speed.steps import measurable
from benchmarks.pear_speed.time_shares import time_shares
from benchmarks.pear_speed.trained_sets import SETS
from benchmarks.pear_speed.trainer_overhead import trainer_overhead
from benchmarks.pear_speed.zeros import compare_zeros
from benchmarks.shared.machine import machine
from benchmarks.shared.shape import Shape

KEYS = ("part", "shape", "trained")
ZEROS_AT = (0, 3)  # the smallest and the largest network


class Job(NamedTuple):
    """A part of the benchmark.

    Attributes:
        part: What is measured.
        shape: Name of a network and batch; empty if that is not the part's choice.
        trained: Name of a set of explainers; empty if that is not the part's choice.
    """

    part: str
    shape: str = ""
    trained: str = ""


class Effort(NamedTuple):
    """How much is measured.

    Attributes:
        device: ``"cpu"`` or ``"cuda"``.
        threads: Number of threads that work.
        seconds: Time for all variants of one network.
        compiled: Whether compiled variants are measured.
        quick: Little of everything, to see that it runs.
    """

    device: str
    threads: int
    seconds: float
    compiled: bool
    quick: bool


def jobs(*, quick: bool) -> Iterator[Job]:
    """Yield all parts, the most important first.

    Args:
        quick: Whether only the smallest network is measured.
    """
    names = [shape.name for shape in SHAPES[: 1 if quick else None]]
    for trained in SETS:
        yield from (Job("levers", name, trained) for name in names)
    yield from (Job("steps", name) for name in names)
    yield from (Job("time", name) for name in names[:3])  # of the largest, the bound says it
    yield from (Job("zeros", SHAPES[i].name) for i in (ZEROS_AT[:1] if quick else ZEROS_AT))
    yield from (Job("shares"), Job("soft_ranks"), Job("trainer"))


def run(job: Job, effort: Effort) -> dict[str, Any]:
    """Measure a part.

    Args:
        job: The part.
        effort: How much is measured.

    Returns:
        A record that can be written as JSON.
    """
    torch.compiler.reset()  # after a number of versions of one function, it compiles no more
    on = {"threads": effort.threads, **machine(effort.device)}
    return {**job._asdict(), "machine": on, "records": _measured(job, effort)}


def _measured(job: Job, effort: Effort) -> list[dict[str, Any]]:
    device, quick, seconds = effort.device, effort.quick, effort.seconds
    turns = 3 if quick else 300
    if job.part == "levers":
        return compare_levers(
            _shape(job), job.trained, device, turns, seconds, compiled=effort.compiled
        )
    if job.part == "steps":
        variants = measurable(device, compiled=effort.compiled)
        return compare_steps(_shape(job), variants, device, turns, seconds)
    if job.part == "time":
        return time_shares(_shape(job), device, repetitions=3 if quick else 50)
    if job.part == "zeros":
        return compare_zeros(_shape(job), device, turns, seconds)
    if job.part == "shares":
        return ranking_shares(device, turns)
    if job.part == "soft_ranks":
        sizes = (8, 30) if quick else (8, 16, 30, 64, 196, 500, 1000)
        return compare_soft_ranks(sizes, (64,) if quick else (64, 128), device, turns)
    return trainer_overhead(device, n_steps=20 if quick else 600)


def _shape(job: Job) -> Shape:
    return next(shape for shape in SHAPES if shape.name == job.shape)
