"""One run of the benchmark: train a network, then measure it."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.images_text.data import data_of
from benchmarks.images_text.measurement import measure
from benchmarks.images_text.settings import METHODS, PROBLEMS
from benchmarks.images_text.training import make_module, train
from benchmarks.shared.quiet_trainer import silence_lightning

KEYS = ("problem", "method", "seed")


def run(
    name: str,
    method: str,
    seed: int,
    data_dir: Path,
    cache: Path,
    max_epochs: int | None = None,
) -> dict[str, Any]:
    """Train a network and measure everything that the report shows.

    Args:
        name: Name of the problem.
        method: Name of the method.
        seed: Seed of the weights, of the order of batches and of the validation rows.
        data_dir: Folder of the data.
        cache: Folder for the weights, of which the pictures are drawn.
        max_epochs: Upper limit on the epochs, for a trial.

    Returns:
        A record that can be written as JSON.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    silence_lightning()
    problem = PROBLEMS[name]
    start = time.process_time()
    data = data_of(problem, data_dir, seed)
    torch.manual_seed(seed)
    module = make_module(problem, data, METHODS[method])
    before = time.process_time()
    steps = train(module, data, problem, max_epochs)
    trained = time.process_time()
    cache.mkdir(parents=True, exist_ok=True)
    torch.save(module.backbone.state_dict(), cache / weights_name(name, method, seed))
    record = {"problem": name, "method": method, "seed": seed, **asdict(METHODS[method])}
    record |= {"steps": steps, "ms_per_step": round(1000 * (trained - before) / max(steps, 1), 1)}
    record |= measure(problem, module, data)
    record["cpu_seconds"] = round(time.process_time() - start, 1)
    return record


def weights_name(name: str, method: str, seed: int) -> str:
    """Return the name of the file of a network's weights."""
    trained = METHODS[method]
    return f"{name.replace('/', '_')}_{trained.weight}_{trained.rows}_{seed}.pt"
