"""Figures of the right-reasons benchmark: what each model looks at, and when it changes."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.right_reasons.settings import TOY_ROWS, TOY_SWEEP
from benchmarks.right_reasons.tables import AUTHORS_SWEEP, Runs, of, sweep_runs
from benchmarks.shared.drawing import BLUE, GREY, RED, pyplot

MODELS = {
    "find-mnist-0-0": "no mask",
    "mnist-mask-0-0": "masks of the blocks",
    "find-mnist-0-1": "another explanation",
}


def draw_figures(runs: Runs, output: Path) -> None:
    """Draw what can be drawn; the pictures of a run are there where it was run."""
    with pyplot() as plt:
        for name, draw in {"looked_at": _pictures, "toy": _toy, "sweep": _sweep}.items():
            figure = draw(plt, runs, output)
            if figure is not None:
                figure.savefig(output / f"{name}.png")


def _pictures(plt: Any, runs: Runs, output: Path) -> Any:
    """Images of Decoy MNIST beside the gradients of the models."""
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


def _toy(plt: Any, runs: Runs, output: Path) -> Any:
    """Where the toy model looks as λ and the annotations grow."""
    by_weight = [(0.0, "none"), *((weight, f"λ={weight:g}") for weight in TOY_SWEEP)]
    by_rows = [(0, "none"), *((n, f"{n} rows") for n in TOY_ROWS), (20_000, "λ=1000")]
    if not any(of(runs, "toy", name) for _, name in by_weight):
        return None
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
    for axis, points, label in (
        (axes[0], by_weight, "λ, all rows annotated"),
        (axes[1], by_rows, "annotated rows of 20,000, λ = 1000"),
    ):
        present = [(x, of(runs, "toy", name)) for x, name in points if of(runs, "toy", name)]
        places = range(len(present))
        for pick, colour, title in (
            ("corners", RED, "corners (penalised)"),
            ("top_middle", BLUE, "top middle"),
        ):
            values = [[run["models"][0][pick] for run in chosen] for _, chosen in present]
            axis.plot(places, [np.mean(v) for v in values], color=colour, label=title)
            for place, each in zip(places, values, strict=True):
                axis.plot([place] * len(each), each, ".", color=colour, alpha=0.5)
        accuracy = [np.mean([r["models"][0]["test"] for r in chosen]) for _, chosen in present]
        axis.plot(places, accuracy, color=GREY, linestyle=":", label="test accuracy")
        axis.set_xticks(list(places), [f"{x:g}" for x, _ in present])
        axis.set_xlabel(label)
    axes[0].set_ylabel("share of what is looked at")
    axes[0].legend(fontsize=8)
    return figure


def _sweep(plt: Any, runs: Runs, output: Path) -> Any:
    """Accuracy on Decoy MNIST over λ, ours and the authors'."""
    ours = {weight: sweep_runs(runs, weight) for weight in AUTHORS_SWEEP}
    ours = {weight: chosen for weight, chosen in ours.items() if chosen}
    if len(ours) < 3:
        return None
    figure, axis = plt.subplots(figsize=(5, 3.2), layout="constrained")
    theirs = [test for _, test in AUTHORS_SWEEP.values()]
    axis.plot(list(AUTHORS_SWEEP), theirs, color=GREY, marker=".", label="authors, test")
    for pick, style in (("test", "-"), ("train", ":")):
        values = [[run["models"][0][pick] for run in chosen] for chosen in ours.values()]
        axis.plot(
            list(ours), [np.mean(each) for each in values], style, color=BLUE, label=f"ours, {pick}"
        )
        for weight, each in zip(ours, values, strict=True):
            axis.plot([weight] * len(each), each, ".", color=BLUE, alpha=0.5)
    axis.set_xscale("log")
    axis.set_xlabel("λ on pixels 0..255")
    axis.set_ylabel("accuracy")
    axis.legend(fontsize=8)
    return figure
