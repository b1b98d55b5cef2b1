"""What each model looks at."""

from pathlib import Path
from typing import Any

import numpy as np

MODELS = {
    "find-mnist-0-0": "no mask",
    "mnist-mask-0-0": "masks of the blocks",
    "find-mnist-0-1": "another explanation",
}


def draw_looked_at(plt: Any, output: Path) -> Any:
    """Draw images of Decoy MNIST beside the gradients of the models."""
    kept = {
        title: np.load(output / "pictures" / f"{name}.npz")
        for name, title in MODELS.items()
        if (output / "pictures" / f"{name}.npz").exists()
    }
    if not kept:
        return None
    first = next(iter(kept.values()))
    rows = min(5, len(first["images"]))
    figure, axes = plt.subplots(
        rows,
        len(kept) + 1,
        figsize=(1.7 * (len(kept) + 1), 1.75 * rows),
        squeeze=False,
        layout="constrained",
    )
    for row in range(rows):
        axes[row, 0].imshow(first["images"][row].reshape(28, 28), cmap="gray", vmin=0, vmax=255)
        axes[row, 0].set_ylabel(f"a {first['target'][row]}", fontsize=9)
        for axis, (title, each) in zip(axes[row, 1:], kept.items(), strict=True):
            gradient = each["gradients"][row].astype(float).reshape(28, 28)
            strong = np.quantile(np.abs(gradient), 0.99)  # one pixel alone must not hide the rest
            axis.imshow(gradient, cmap="RdBu_r", vmin=-strong, vmax=strong)
            says = int(each["predicted"][row])
            right = says == each["target"][row]
            axis.set_xlabel(f"says {says}", fontsize=8, color="black" if right else "crimson")
            if row == 0:
                axis.set_title(title, fontsize=9)
        if row == 0:
            axes[0, 0].set_title("test image", fontsize=9)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set(visible=True, color="lightgrey")
    return figure
