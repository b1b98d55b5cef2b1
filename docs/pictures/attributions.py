"""Draws the picture of the README: python docs/pictures/attributions.py.

A small network learns, in about half a minute on a CPU, to tell crops of the two photographs of
scikit-learn apart; the third sample is half of each.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from PIL import Image
from skimage.transform import resize
from sklearn.datasets import load_sample_images
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)
from torch.utils.data import DataLoader, TensorDataset

from pear_lightning.callbacks import AttributionPictures
from pear_lightning.explainers import GradCAM, IntegratedGradients, KernelShap
from pear_lightning.masking import SegmentMasker, Slic

MEAN, STD, CROP = 0.5, 0.25, 64


class Photographs(LightningModule):
    """Tells a palace from a flower."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            *(nn.Conv2d(3, 16, 5, 2, 2), nn.GELU()),
            *(nn.Conv2d(16, 32, 3, 2, 1), nn.GELU()),
            *(nn.Conv2d(32, 32, 3, 2, 1), nn.GELU()),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 2)),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.net(images)
        return logits

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Do nothing: the callback draws."""


def crops(photographs: list[Tensor], n: int) -> tuple[Tensor, Tensor]:
    """Return random crops, brighter or darker, half of them grey."""
    found, labels = [], torch.randint(2, (n,))
    for label in labels.tolist():
        image = photographs[label]
        top, left = (int(torch.randint(size - CROP, ())) for size in image.shape[1:])
        crop = image[:, top : top + CROP, left : left + CROP] * (0.7 + 0.6 * torch.rand(()))
        grey = crop.mean(dim=0, keepdim=True).expand_as(crop)
        found.append((grey if torch.rand(()) < 0.5 else crop).clamp(0, 1))
    return (torch.stack(found) - MEAN) / STD, labels


def main() -> None:
    """Train the network and draw."""
    torch.manual_seed(0)
    arrays = [resize(each, (213, 320), anti_aliasing=True) for each in load_sample_images().images]
    photographs = [torch.from_numpy(each).float().movedim(2, 0) for each in arrays]
    module = Photographs()
    optimizer = torch.optim.Adam(module.parameters(), 3e-3)
    for _ in range(100):
        images, labels = crops(photographs, 32)
        optimizer.zero_grad()
        F.cross_entropy(module(images), labels).backward()
        optimizer.step()
    palace, flower = photographs[0][:, :192, :192], photographs[1][:, 10:202, 64:256]
    both = torch.cat([palace[:, :, :96], photographs[1][:, 10:202, 100:196]], dim=2)
    shown = (torch.stack([palace, flower, both]) - MEAN) / STD
    masker = SegmentMasker(Slic(80), baseline="blur")
    explainers = {
        "integrated_gradients": IntegratedGradients(20),
        "kernel_shap": KernelShap(400, masker=masker, seed=0),
        "grad_cam": GradCAM("net.4"),
    }
    pictures = AttributionPictures(
        masker,
        explainers,
        samples=[0, 2],
        class_names=["palace", "flower"],
        mean=[MEAN],
        std=[STD],
    )
    with TemporaryDirectory() as folder:
        trainer = Trainer(logger=CSVLogger(folder), callbacks=[pictures], accelerator="cpu")
        data = TensorDataset(shown, torch.tensor([0, 1, 1]))
        trainer.validate(module, DataLoader(data, batch_size=3), verbose=False)
        (path,) = Path(folder).rglob("*.png")
        picture = Image.open(path).convert("RGB")
        picture.thumbnail((680, 680), Image.Resampling.LANCZOS)
        picture.save(Path(__file__).with_suffix(".png"), optimize=True)


if __name__ == "__main__":
    main()
