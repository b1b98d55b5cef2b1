"""Shares of a real training step: soft ranking, and what the Trainer adds."""

import logging
import statistics
import sys
import warnings
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.cli import LightningCLI
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.pear_speed.steps import SHAPES, Problem, Shape, fitted_module
from benchmarks.shared.measuring import clock
from pear_lightning.explainers import Explainer
from pear_lightning.modules import PEAR

# the function of the same name hides the module from an import statement
SOFT_SPEARMAN = sys.modules["pear_lightning.functional.soft_spearman"]


class RankTimer:
    """Adds up the time of ``soft_rank``, forward and backward, inside a training step.

    Args:
        device: Whose clock counts.
    """

    def __init__(self, device: str) -> None:
        self.now = clock(device)
        self.seconds = 0.0

    def __enter__(self) -> "RankTimer":
        """Put a timed function in place of ``soft_rank``."""
        self.original = SOFT_SPEARMAN.soft_rank
        SOFT_SPEARMAN.soft_rank = self.timed  # type: ignore[attr-defined]
        return self

    def __exit__(self, *_: object) -> None:
        """Put ``soft_rank`` back."""
        SOFT_SPEARMAN.soft_rank = self.original  # type: ignore[attr-defined]

    def timed(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Rank, and have the backward pass timed by hooks before and after it."""
        start = self.now()
        ranks: Tensor = self.original(x, *args, **kwargs)
        self.seconds += self.now() - start
        if ranks.requires_grad:
            ranks.register_hook(self._begin)
            x.register_hook(self._end)
        return ranks

    def _begin(self, _: Tensor) -> None:
        self._start = self.now()

    def _end(self, _: Tensor) -> None:
        self.seconds += self.now() - self._start


def ranking_shares(device: str, repetitions: int) -> list[dict[str, Any]]:
    """Measure the share of soft ranking in a training step of the shipped configurations.

    Network, explainers, loss, optimiser and batch size are the configuration's; rows are random.

    Args:
        device: ``"cpu"`` or ``"cuda"``.
        repetitions: Steps.

    Returns:
        A record for each configuration, alone and with the paper's protocol laid over it.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)
    folder = Path(str(files("pear_lightning.configs")))
    records = []
    for path in sorted(folder.glob("pear_*.yaml")):
        for overlay in (None, folder / "paper_protocol.yaml"):
            if overlay and (path.stem == "pear_breast_cancer" or not overlay.exists()):
                continue  # not one of the paper's data sets
            name = path.stem + (" + paper_protocol" if overlay else "")
            module, batch_size = _configured(path, overlay)
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


def _configured(path: Path, overlay: Path | None) -> tuple[PEAR, int]:
    configs = ["--config", str(path)] + (["--config", str(overlay)] if overlay else [])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cli = LightningCLI(
            LightningModule,
            LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            seed_everything_default=0,
            trainer_defaults={"logger": False, "enable_checkpointing": False},
            run=False,
            args=configs,
        )
    assert isinstance(cli.model, PEAR)
    return cli.model, int(getattr(cli.datamodule, "batch_size", 64))


def _time_steps(
    module: PEAR, batch_size: int, device: str, repetitions: int
) -> tuple[list[float], list[float]]:
    n_features = int(module.backbone.in_features)  # type: ignore[arg-type]
    problem = Problem(Shape("", n_features, (), batch_size), device)
    module = module.to(device)
    for each in module.modules():
        if isinstance(each, Explainer):
            each.fit_reference(problem.inputs.float().mean(0), problem.inputs.float())
    optimizer = _optimizer(module)
    batches = problem.batches(torch.float32)
    now = clock(device)
    times, rankings = [], []
    with RankTimer(device) as timer:
        for _ in range(repetitions + 5):
            timer.seconds = 0.0
            start = now()
            optimizer.zero_grad()
            module.training_loss(*next(batches))["loss"].backward()
            optimizer.step()
            times.append(now() - start)
            rankings.append(timer.seconds)
    return times[5:], rankings[5:]


def _optimizer(module: PEAR) -> torch.optim.Optimizer:
    """Return the module's optimiser without its schedule."""
    configured: Any = module.configure_optimizers()
    optimizer = configured["optimizer"] if isinstance(configured, dict) else configured
    assert isinstance(optimizer, torch.optim.Optimizer)
    return optimizer


def trainer_overhead(device: str, n_steps: int) -> list[dict[str, Any]]:
    """Time a step of ``Trainer.fit`` against the same step in a bare loop, at batch 64.

    Batches are made beforehand, and nothing is logged to disk.

    Args:
        device: ``"cpu"`` or ``"cuda"``.
        n_steps: Steps of each run; the two take turns, five runs each.

    Returns:
        Records of the loop and the Trainer, median seconds of a step.
    """
    problem = Problem(SHAPES[0], device)
    now = clock(device)
    batches = problem.batches(torch.float32)
    data: Any = [next(batches) for _ in range(max(n_steps // 5, 2))]
    times: dict[str, list[float]] = {"bare loop": [], "Trainer": []}
    for _ in range(5):
        module = fitted_module(problem, paper=False)
        optimizer = _optimizer(module)
        start = now()
        for inputs, target in data:
            optimizer.zero_grad()
            module.training_loss(inputs, target)["loss"].backward()
            optimizer.step()
        times["bare loop"].append((now() - start) / len(data))

        stopwatch = Stopwatch(now)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Trainer(
                max_epochs=1,
                accelerator="gpu" if device == "cuda" else "cpu",
                devices=1,
                logger=False,
                callbacks=[stopwatch],
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            ).fit(fitted_module(problem, paper=False), DataLoader(data, batch_size=None))
        times["Trainer"].append(stopwatch.seconds / len(data))
    return [{"loop": name, "step": statistics.median(values)} for name, values in times.items()]


class Stopwatch(Callback):
    """Times an epoch, without what comes before and after.

    Args:
        now: The clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.seconds = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start."""
        self.start = self.now()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop."""
        self.seconds = self.now() - self.start
