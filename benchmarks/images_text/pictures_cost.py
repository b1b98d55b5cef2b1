"""Which share of an epoch AttributionPictures takes, in a fit of ResNet-18 on CIFAR-10."""

import tempfile
import time
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger
from typing_extensions import override

from benchmarks.shared.machine import machine
from benchmarks.shared.quiet_trainer import silence_lightning
from pear_lightning.callbacks import AttributionPictures
from pear_lightning.datamodules import CIFAR10
from pear_lightning.masking import PatchMasker
from pear_lightning.modules import ScoresActivationModule
from pear_lightning.nn import ScoresActivation, timm_model


class TimedPictures(AttributionPictures):
    """AttributionPictures that take the time of what they do."""

    seconds = 0.0

    @override
    def on_validation_batch_end(self, *args: Any, **kwargs: Any) -> None:
        start = time.perf_counter()
        super().on_validation_batch_end(*args, **kwargs)
        self.seconds += time.perf_counter() - start

    @override
    def on_validation_epoch_end(self, *args: Any, **kwargs: Any) -> None:
        start = time.perf_counter()
        super().on_validation_epoch_end(*args, **kwargs)
        self.seconds += time.perf_counter() - start


def measure_pictures(data_dir: str, device: str, epochs: int = 1) -> dict[str, Any]:
    """Fit with pictures of 8 samples in every epoch.

    Args:
        data_dir: Folder of CIFAR-10.
        device: ``"cpu"`` or ``"cuda"``.
        epochs: Number of epochs.

    Returns:
        A record that can be written as JSON.
    """
    silence_lightning()
    torch.manual_seed(0)
    data = CIFAR10(data_dir, val_fraction=0.1, batch_size=128, eval_batch_size=256)
    backbone = timm_model("resnet18", num_classes=10)
    # any module that trains plainly: this one multiplies the channels by three learned numbers
    module = ScoresActivationModule(
        backbone, ScoresActivation(3, axis=1, check_scale=False), num_classes=10
    )
    pictures = TimedPictures(PatchMasker(4), samples=8)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            max_epochs=epochs,
            accelerator="cpu" if device == "cpu" else "gpu",
            devices=1,
            logger=CSVLogger(folder),
            callbacks=[pictures],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        start = time.perf_counter()
        trainer.fit(module, data)
        total = time.perf_counter() - start
    return {
        "network": "resnet18",
        "training_images": data.splits["train"],
        "epochs": epochs,
        "seconds": round(total, 2),
        "pictures_seconds": round(pictures.seconds, 3),
        "share": round(pictures.seconds / total, 4),
        **machine(device),
    }
