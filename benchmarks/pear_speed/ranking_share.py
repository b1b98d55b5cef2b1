"""The share of soft ranking in a training step of the shipped configurations."""

import statistics
import warnings
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import LightningCLI

from benchmarks.pear_speed.problem import Problem
from benchmarks.pear_speed.rank_timer import RankTimer
from benchmarks.shared.quiet_trainer import silence_lightning
from benchmarks.shared.shape import Shape
from benchmarks.shared.timing import clock
from benchmarks.shared.training_step import optimizer_and_schedule, training_step
from pear_lightning.modules import PEAR

FEATURES = {
    "pear_bank_marketing": 7,
    "pear_breast_cancer": 30,
    "pear_california_housing": 8,
    "pear_electricity": 8,
}
"""Configurations of tables, and the numbers of their columns, which they take from the data."""


def ranking_shares(device: str, repetitions: int) -> list[dict[str, Any]]:
    """Measure the share of soft ranking in a training step of the shipped configurations.

    Network, explainers, loss, optimiser and batch size are the configuration's; rows are random.

    Args:
        device: ``"cpu"`` or ``"cuda"``.
        repetitions: Steps.

    Returns:
        A record for each configuration, alone and with the paper's protocol laid over it.
    """
    silence_lightning()
    folder = Path(str(files("pear_lightning.configs")))
    records = []
    for config, n_features in FEATURES.items():
        for overlay in (None, folder / "paper_protocol.yaml"):
            if overlay and config == "pear_breast_cancer":
                continue  # not one of the paper's data sets
            name = config + (" + paper_protocol" if overlay else "")
            module, batch_size = _configured(folder / f"{config}.yaml", overlay, n_features)
            times, shares = _time_steps(module, batch_size, device, repetitions)
            records.append(
                {
                    "config": name,
                    "n": module.backbone.in_features,
                    "batch_size": batch_size,
                    "step": statistics.median(times),
                    "ranking": statistics.median(shares),
                    "share": statistics.median(s / t for s, t in zip(shares, times, strict=True)),
                }
            )
    return records


def _configured(path: Path, overlay: Path | None, n_features: int) -> tuple[PEAR, int]:
    options = ["--config", str(path)] + (["--config", str(overlay)] if overlay else [])
    options += ["--model.init_args.backbone.init_args.in_features", str(n_features)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cli = LightningCLI(
            LightningModule,
            LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            seed_everything_default=0,
            run=False,
            args=options,
        )
    assert isinstance(cli.model, PEAR)
    return cli.model, int(getattr(cli.datamodule, "batch_size", 64))


def _time_steps(
    module: PEAR, batch_size: int, device: str, repetitions: int
) -> tuple[list[float], list[float]]:
    n_features = int(module.backbone.in_features)  # type: ignore[arg-type]
    problem = Problem(Shape("", n_features, (), batch_size), device)
    module = module.to(device)
    problem.fit_explainers(module)
    optimizer, _ = optimizer_and_schedule(module)
    batches = problem.batches(torch.float32)
    step = training_step(optimizer, lambda: module.training_loss(next(batches))["loss"])
    now = clock(device)
    times, rankings = [], []
    with RankTimer(device) as timer:
        for _ in range(repetitions + 5):
            timer.seconds = 0.0
            start = now()
            step()
            times.append(now() - start)
            rankings.append(timer.seconds)
    return times[5:], rankings[5:]
