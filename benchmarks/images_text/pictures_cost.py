"""Which share of an epoch AttributionPictures takes, in a fit of ResNet-18 on CIFAR-10."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger
from typing_extensions import override

from benchmarks.shared.machine import machine
from benchmarks.shared.quiet_trainer import silence_lightning
from benchmarks.shared.timing import clock
from pear_lightning.callbacks import AttributionPictures
from pear_lightning.datamodules import CIFAR10
from pear_lightning.masking import Masker, PatchMasker
from pear_lightning.modules import ScoresActivationModule
from pear_lightning.nn import ScoresActivation, timm_model


class TimedPictures(AttributionPictures):
    """AttributionPictures that take the time of what they do, and of the epochs.

    Args:
        now: The clock.
        masker: See :class:`~pear_lightning.callbacks.AttributionPictures`.
        samples: See there.
    """

    def __init__(self, now: Callable[[], float], masker: Masker, samples: int) -> None:
        super().__init__(masker, samples=samples)
        self.now = now
        self.pictures: list[float] = []
        self.epochs: list[float] = []
        self._began = 0.0

    @override
    def on_train_epoch_start(self, *args: Any) -> None:
        self._began = self.now()
        self.pictures.append(0.0)

    @override
    def on_validation_batch_end(self, *args: Any, **kwargs: Any) -> None:
        start = self.now()
        super().on_validation_batch_end(*args, **kwargs)
        self.pictures[-1] += self.now() - start

    @override
    def on_validation_epoch_end(self, *args: Any, **kwargs: Any) -> None:
        start = self.now()
        super().on_validation_epoch_end(*args, **kwargs)
        self.pictures[-1] += self.now() - start

    @override
    def on_train_epoch_end(self, *args: Any) -> None:  # the validation is over by then
        self.epochs.append(self.now() - self._began)


def measure_pictures(
    data_dir: Path, device: str, epochs: int = 2, steps: int | None = None
) -> dict[str, Any]:
    """Fit with pictures of 8 samples in every epoch.

    The first pictures also load matplotlib, so epochs are measured one by one.

    Args:
        data_dir: Folder of CIFAR-10.
        device: ``"cpu"`` or ``"cuda"``.
        epochs: Number of epochs.
        steps: Training steps of an epoch; ``None`` for all.

    Returns:
        A record that can be written as JSON.
    """
    silence_lightning()
    torch.manual_seed(0)
    data = CIFAR10(str(data_dir), val_fraction=0.1, batch_size=128, eval_batch_size=256)
    backbone = timm_model("resnet18", num_classes=10)
    # any module that trains plainly: this one multiplies the channels by three learned numbers
    module = ScoresActivationModule(
        backbone, ScoresActivation(3, axis=1, check_scale=False), num_classes=10
    )
    pictures = TimedPictures(clock(device), PatchMasker(4), samples=8)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            max_epochs=epochs,
            limit_train_batches=1.0 if steps is None else steps,
            accelerator="cpu" if device == "cpu" else "gpu",
            devices=1,
            logger=CSVLogger(folder),
            callbacks=[pictures],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(module, data)
    return {
        "network": "resnet18",
        "steps": trainer.num_training_batches,
        "epoch_seconds": [round(each, 2) for each in pictures.epochs],
        "pictures_seconds": [round(each, 3) for each in pictures.pictures],
        **machine(device),
    }
