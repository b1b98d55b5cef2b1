"""One run of the DeepFaith benchmark."""

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch

from benchmarks.deepfaith.ablation_run import SIZES, ablate, vary_samples
from benchmarks.deepfaith.choice_run import choose, hold_out
from benchmarks.deepfaith.confidence_run import try_confidence
from benchmarks.deepfaith.cost_run import measure_cost
from benchmarks.deepfaith.explained_network import problem_of
from benchmarks.deepfaith.jobs import Job
from benchmarks.deepfaith.problem import Problem
from benchmarks.deepfaith.ranking_run import pool, rank_seed
from benchmarks.deepfaith.settings import SEEDS, TASKS, Terms
from benchmarks.shared.finished_runs import Run

_RUNS: dict[str, Callable[[Problem, Path], Run]] = {
    "ranking": rank_seed,
    "cost": measure_cost,
    "confidence": try_confidence,
    "choice": choose,
    "held out": hold_out,
    "ablation": ablate,
    "samples": vary_samples,
}


def run_job(job: Job, folder: Path, cache: Path, limits: dict[str, int]) -> Run | None:
    """Make one run.

    Args:
        job: The run.
        folder: Folder of the data.
        cache: Folder for networks, explanations and scores.
        limits: Upper limits on numbers among the terms, for a trial.

    Returns:
        A record that can be written as JSON; ``None`` if it needs other runs first.
    """
    torch.set_num_threads(1)
    start = time.perf_counter()
    if job.kind == "pooled":
        caches = [_cache(cache, job.task, seed) for seed in SEEDS]
        if not all((each / "ranked-deepfaith.pt").exists() for each in caches):
            return None
        return asdict(job) | pool(caches)
    terms = _limited(TASKS[job.task], limits)
    if job.kind == "samples":
        terms = replace(terms, train=_limited(replace(terms, train=max(SIZES)), limits).train)
    own = _cache(cache, job.task, job.seed)
    own.mkdir(parents=True, exist_ok=True)
    problem = problem_of(job.task, job.seed, terms, folder, own)
    record = asdict(job) | _RUNS[job.kind](problem, own)
    return record | {"wall_seconds": round(time.perf_counter() - start, 1)}


def _cache(cache: Path, task: str, seed: int) -> Path:
    return cache / f"{task}-{seed}"


def _limited(terms: Terms, limits: dict[str, int]) -> Terms:
    lower = {name: min(limit, getattr(terms, name)) for name, limit in limits.items()}
    return replace(terms, **lower)
