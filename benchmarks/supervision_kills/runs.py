"""Supervision runs in processes of their own, killed at random moments and started again."""

import os
import random
import signal
import socket
import time
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pear_lightning.training.supervision_store import SupervisionStore

FEATURES, SAMPLES, BATCH = 5, 42, 4
PRELOADED = ["pear_lightning.cli", "pear_lightning.losses", "datasets", "lightning.pytorch"]


class SlowModel(nn.Module):
    """A small network that takes a while, so that a kill meets it at work."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        weights = torch.randn(2, FEATURES, generator=torch.Generator().manual_seed(1))
        self.weights = nn.Parameter(weights)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits ``(N, 2)``."""
        time.sleep(self.seconds)
        return (inputs @ self.weights.T).tanh()


def explain_samples(folder: str, rank: int, world_size: int, port: int, seconds: float) -> None:
    """Explain the samples that are left, as one of the processes of a run.

    Args:
        folder: Folder of the shards.
        rank: Rank of this process.
        world_size: Number of processes.
        port: Port at which they meet.
        seconds: Time of each evaluation of the model.
    """
    # a process that is started anew imports these itself
    from lightning.pytorch import Trainer
    from lightning.pytorch.plugins.environments import LightningEnvironment
    from lightning.pytorch.strategies import DDPStrategy

    from pear_lightning.callbacks import SupervisionWriter
    from pear_lightning.datamodules import SupervisionDataModule
    from pear_lightning.losses import LocalCorrelationLoss
    from pear_lightning.masking import ColumnMasker
    from pear_lightning.metrics import FaithfulnessSuite
    from pear_lightning.modules import PriorExplanations

    torch.set_num_threads(1)
    samples = torch.randn(SAMPLES, FEATURES, generator=torch.Generator().manual_seed(0))
    model = PriorExplanations(
        SlowModel(seconds),
        ColumnMasker(FEATURES),
        "model_free",
        suite=lambda masker, names: FaithfulnessSuite(masker, names, n_subsets=10),
        removals=LocalCorrelationLoss("table", n_subsets=5),
    )
    options: dict[str, Any] = {}
    if world_size > 1:
        os.environ.update(
            LOCAL_RANK=str(rank),
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=str(port),
        )
        environment = LightningEnvironment()
        options["strategy"] = DDPStrategy(
            process_group_backend="gloo", cluster_environment=environment
        )
    trainer = Trainer(
        accelerator="cpu",
        devices=world_size,
        callbacks=[SupervisionWriter(folder, rows_per_shard=BATCH)],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        **options,
    )
    trainer.predict(model, SupervisionDataModule(samples, folder, batch_size=BATCH))


def start(folder: str, world_size: int, seconds: float) -> list[BaseProcess]:
    """Start a run.

    Args:
        folder: Folder of the shards.
        world_size: Number of processes.
        seconds: Time of each evaluation of the model.
    """
    context = get_context("forkserver")  # imports once, and starts each process from there
    context.set_forkserver_preload(PRELOADED)
    port = _free_port()
    processes = [
        context.Process(
            target=explain_samples, args=(folder, rank, world_size, port, seconds), daemon=True
        )
        for rank in range(world_size)
    ]
    for process in processes:
        process.start()
    return list(processes)


def finish(folder: str, world_size: int, seconds: float = 0.0) -> float:
    """Run to the end, and return the time in seconds.

    Args:
        folder: Folder of the shards.
        world_size: Number of processes.
        seconds: Time of each evaluation of the model.

    Raises:
        RuntimeError: If a process fails.
    """
    begin = time.perf_counter()
    processes = start(folder, world_size, seconds)
    for process in processes:
        process.join(300)
    if codes := [process.exitcode for process in processes if process.exitcode]:
        raise RuntimeError(f"a supervision run failed with the exit codes {codes}")
    return time.perf_counter() - begin


def kill_at_random(
    folder: str,
    world_size: int,
    kills: int,
    moments: tuple[float, float],
    seconds: float,
    seed: int = 0,
) -> list[int]:
    """Start a run and kill all its processes, again and again.

    Args:
        folder: Folder of the shards.
        world_size: Number of processes.
        kills: Number of kills.
        moments: Smallest and largest time from the start of a run to its kill, in seconds.
        seconds: Time of each evaluation of the model.
        seed: Seed of the times.

    Returns:
        Number of samples in finished shards after each kill.
    """
    chance = random.Random(seed)
    finished = []
    for _ in range(kills):
        processes = start(folder, world_size, seconds)
        time.sleep(chance.uniform(*moments))
        for process in chance.sample(processes, len(processes)):  # one dies before the other
            assert process.pid is not None
            if process.is_alive():
                os.kill(process.pid, signal.SIGKILL)
        for process in processes:
            process.join()
        finished.append(len(SupervisionStore(folder).finished()))
    return finished


def rows_of(folder: str | Path) -> list[dict[str, Any]]:
    """Return all rows in the order of their ids.

    Args:
        folder: Folder of the shards.
    """
    rows: list[dict[str, Any]] = SupervisionStore(folder).read().to_list()
    return rows


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
