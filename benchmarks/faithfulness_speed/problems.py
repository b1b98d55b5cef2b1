"""Models and data for the speed of the faithfulness metrics."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from benchmarks.faithfulness_speed.problem import Problem
from benchmarks.shared.digit_images import digit_images
from pear_lightning.explainers import InputXGradient, explain
from pear_lightning.nn import MLP


def table(n_samples: int, device: str = "cpu") -> Problem:
    """Return the library's default MLP on scikit-learn's breast cancer table.

    Args:
        n_samples: Number of rows, up to 569.
        device: ``"cpu"`` or ``"cuda"``.

    Returns:
        The problem: 30 columns, standardised.
    """
    from sklearn.datasets import load_breast_cancer

    rows, labels = load_breast_cancer(return_X_y=True)
    rows = (rows - rows.mean(0)) / rows.std(0)
    inputs = torch.from_numpy(rows).float()
    torch.manual_seed(0)
    # Quantus wants a channel dimension in front of the columns, which the model takes away
    model = nn.Sequential(nn.Flatten(), MLP(30))
    name = "table MLP 30-100-100-100-2"
    return _trained(name, model, inputs, torch.from_numpy(labels), n_samples, device)


def images(kind: str, n_samples: int, data_dir: Path | None = None, device: str = "cpu") -> Problem:
    """Return a CNN on images of digits, 28 x 28.

    Args:
        kind: ``"light"``: two convolutions with stride 2, 78 thousand multiplications an image;
            ``"wide"``: two of 32 and 64 channels with pooling, 3.9 million.
        n_samples: Number of images.
        data_dir: Folder that holds ``MNIST/raw``; None for scikit-learn's digits, enlarged.
        device: ``"cpu"`` or ``"cuda"``.

    Returns:
        The problem.
    """
    torch.manual_seed(0)
    if kind == "light":
        model = nn.Sequential(
            *(nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU()),
            *(nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(16 * 7 * 7, 10)),
        )
    else:
        model = nn.Sequential(
            *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(64 * 7 * 7, 10)),
        )
    inputs, labels = _mnist(data_dir) if data_dir else _digits()
    inputs = (inputs - inputs.mean()) / inputs.std()
    return _trained(f"{kind} CNN 28x28", model, inputs, labels, n_samples, device)


PROBLEMS: dict[str, Callable[[int, Path | None, str], Problem]] = {
    "table": lambda n_samples, _, device: table(n_samples, device),
    "light": lambda n_samples, data_dir, device: images("light", n_samples, data_dir, device),
    "wide": lambda n_samples, data_dir, device: images("wide", n_samples, data_dir, device),
}


def _mnist(folder: Path) -> tuple[Tensor, Tensor]:
    images, labels = digit_images("MNIST", folder)["train"]
    return images[:4096], labels[:4096]


def _digits() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    small = torch.from_numpy(digits.images.astype(np.float32) / 16)[:, None]
    large = F.interpolate(small, size=28, mode="bilinear", align_corners=False)
    return large, torch.from_numpy(digits.target)


def _trained(
    name: str, model: nn.Module, inputs: Tensor, labels: Tensor, n_samples: int, device: str
) -> Problem:
    """Train for a moment: smoothed labels keep the probabilities away from 0 and 1."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(100):
        rows = torch.randint(len(inputs), (64,), generator=generator)
        optimizer.zero_grad()
        F.cross_entropy(model(inputs[rows]), labels[rows], label_smoothing=0.2).backward()
        optimizer.step()
    model = model.to(device).eval().requires_grad_(False)
    chosen = inputs[:n_samples].to(device).contiguous()
    with torch.no_grad():
        target = model(chosen).argmax(dim=1)
    _, [attributions] = explain(model, chosen, target, [InputXGradient()], output="prob")
    return Problem(name, model, chosen, target, attributions.detach())
