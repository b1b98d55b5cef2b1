"""Figures of the right-reasons benchmark: what each model looks at, and when it changes."""

from pathlib import Path
from typing import Any

import numpy as np
from right_reasons_settings import SWEEP, TOY_ROWS, TOY_SWEEP
from right_reasons_tables import AUTHORS_SWEEP, Runs, of

MODELS = {
    "find-mnist-0-0": "no mask",
    "mnist-mask-0-0": "masks of the blocks",
    "find-mnist-0-1": "another explanation",
}


def draw_figures(runs: Runs, output: Path) -> None:
    """Draw what can be drawn; the pictures of a run are there where it was run."""
    try:
        import matplotlib
    except ImportError as error:
        raise ImportError(
            "the figures need matplotlib: pip install pear-lightning[plot]"
        ) from error
    matplotlib.use("Agg")
    for name, draw in {"looked_at": _pictures, "toy": _toy, "sweep": _sweep}.items():
        figure = draw(runs, output)
        if figure is not None:
            figure.savefig(output / f"{name}.png", dpi=120, bbox_inches="tight")


def _pictures(runs: Runs, output: Path) -> Any:
    """Images of Decoy MNIST beside the gradients of the models."""
    from matplotlib import pyplot as plt

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
        rows, len(kept) + 1, figsize=(1.7 * (len(kept) + 1), 1.75 * rows), squeeze=False
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
    figure.tight_layout(pad=0.4)
    return figure


def _toy(runs: Runs, output: Path) -> Any:
    """Where the toy model looks as λ and the annotations grow."""
    from matplotlib import pyplot as plt

    by_weight = [(0.0, "none"), *((weight, f"λ={weight:g}") for weight in TOY_SWEEP)]
    by_rows = [(0, "none"), *((n, f"{n} rows") for n in TOY_ROWS), (20_000, "λ=1000")]
    if not any(of(runs, "toy", name) for _, name in by_weight):
        return None
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
    for axis, points, label in (
        (axes[0], by_weight, "λ, all rows annotated"),
        (axes[1], by_rows, "annotated rows of 20,000, λ = 1000"),
    ):
        present = [(x, of(runs, "toy", name)) for x, name in points if of(runs, "toy", name)]
        places = range(len(present))
        for pick, colour, title in (
            ("corners", "#c0392b", "corners (penalised)"),
            ("top_middle", "#2471a3", "top middle"),
        ):
            values = [[run["models"][0][pick] for run in chosen] for _, chosen in present]
            axis.plot(places, [np.mean(v) for v in values], color=colour, label=title)
            for place, each in zip(places, values, strict=True):
                axis.plot([place] * len(each), each, ".", color=colour, alpha=0.5)
        accuracy = [np.mean([r["models"][0]["test"] for r in chosen]) for _, chosen in present]
        axis.plot(places, accuracy, color="gray", linestyle=":", label="test accuracy")
        axis.set_xticks(list(places), [f"{x:g}" for x, _ in present])
        axis.set_xlabel(label)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("share of what is looked at")
    axes[0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    return figure


def _sweep(runs: Runs, output: Path) -> Any:
    """Accuracy on Decoy MNIST over λ, ours and the authors'."""
    from matplotlib import pyplot as plt

    ours = {weight: of(runs, "sweep", f"λ={weight:g}") for weight in SWEEP}
    ours = {weight: chosen for weight, chosen in ours.items() if chosen}
    if len(ours) < 3:
        return None
    figure, axis = plt.subplots(figsize=(5, 3.2))
    axis.plot(
        list(AUTHORS_SWEEP),
        [test for _, test in AUTHORS_SWEEP.values()],
        color="gray",
        marker=".",
        label="authors, 64 epochs",
    )
    epochs = next(iter(ours.values()))[0]["options"]["epochs"]
    for pick, style in (("test", "-"), ("train", ":")):
        values = [np.mean([r["models"][0][pick] for r in chosen]) for chosen in ours.values()]
        label = f"ours, {epochs} epochs, {pick}"
        axis.plot(list(ours), values, style, marker=".", color="#2471a3", label=label)
    long = [run["models"][0]["test"] for run in of(runs, "mnist", "mask")]
    if long:
        axis.plot([1000], [np.mean(long)], "*", color="#c0392b", label="ours, 64 epochs, test")
    axis.set_xscale("log")
    axis.set_xlabel("λ on pixels 0..255")
    axis.set_ylabel("accuracy")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    return figure
