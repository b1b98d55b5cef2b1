"""Figures of the ranking of explainers."""

from pathlib import Path
from typing import Any

from benchmarks.explainer_ranking.explainers import CONTROLS
from benchmarks.explainer_ranking.records import TITLES, as_ranking
from benchmarks.explainer_ranking.tables import Records, by_mean_place, present
from benchmarks.shared.drawing import BLUE, GREEN, GREY, PURPLE, RED, pyplot

COLOURS = {"mnist": BLUE, "fashion": RED, "bank": GREEN, "ag_news": PURPLE}


def draw_figures(records: Records, output: Path) -> None:
    """Draw all figures.

    Args:
        records: Records by data set and kind.
        output: Folder to write to.

    Raises:
        ImportError: If matplotlib is missing.
    """
    with pyplot() as plt:
        for name in present(records):
            ranking = as_ranking(records[name, "papers"])
            figure, (left, _) = ranking.plot(controls=CONTROLS)
            left.set_title(TITLES[name], weight="bold", loc="left")
            figure.savefig(output / f"{name}.png")
        _overview(plt, records).savefig(output / "overview.png")
        _metrics(plt, records).savefig(output / "metrics.png")


def _overview(plt: Any, records: Records) -> Any:
    """Draw mean ranks on all data sets, as shares of the way from first to last."""
    names = present(records)
    rankings = {name: as_ranking(records[name, "papers"]) for name in names}
    explainers = by_mean_place(list(rankings.values()))
    figure, ax = plt.subplots(figsize=(7.2, 0.9 + 0.33 * len(explainers)), layout="constrained")
    for number, (name, ranking) in enumerate(rankings.items()):
        last = len(ranking.explainers) - 1
        shift = 0.16 * (number - (len(names) - 1) / 2)
        for row, explainer in enumerate(explainers):
            if explainer not in ranking.explainers:
                continue
            e = ranking.explainers.index(explainer)
            low, high = ((ranking.interval[e] - 1) / last).tolist()
            colour, y = COLOURS[name], row + shift
            ax.plot([low, high], [y, y], color=colour, lw=2.5, alpha=0.4, solid_capstyle="butt")
            label = TITLES[name] if row == 0 else None
            ax.plot(
                float((ranking.mean_rank[e] - 1) / last), y, "o", color=colour, ms=4, label=label
            )
    for row in range(1, len(explainers), 2):
        ax.axhspan(row - 0.5, row + 0.5, color="#f4f4f4", zorder=0)
    ax.set_yticks(range(len(explainers)), explainers)
    for tick, explainer in zip(ax.get_yticklabels(), explainers, strict=True):
        tick.set_color(GREY if explainer in CONTROLS else "black")
    ax.set_ylim(len(explainers) - 0.5, -0.5)
    ax.set_xlim(-0.02, 1.02)
    ax.set_xlabel("mean rank over ten metrics: 0 is first, 1 last (95 % interval over samples)")
    ax.legend(loc="upper right")
    return figure


def _metrics(plt: Any, records: Records) -> Any:
    """Draw how alike the metrics rank the explainers."""
    names = present(records)
    n_rows = -(-len(names) // 2)
    figure, axes = plt.subplots(
        n_rows, 2, figsize=(8.2, 0.4 + 3.7 * n_rows), layout="constrained", squeeze=False
    )
    for ax in axes.flat[len(names) :]:
        ax.axis("off")
    for ax, name in zip(axes.flat, names, strict=False):
        ranking = as_ranking(records[name, "papers"])
        values = ranking.metric_correlation()
        image = ax.imshow(values, cmap="RdBu", vmin=-1, vmax=1)
        for i, row in enumerate(values.tolist()):
            for j, value in enumerate(row):
                text = "1" if value > 0.995 else f"{value:.2f}".replace("0.", ".")
                dark = abs(value) > 0.7
                ax.text(
                    j,
                    i,
                    text,
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if dark else "black",
                )
        labels = ranking.metric_labels()
        ax.set_xticks(range(len(labels)), labels, rotation=90)
        ax.set_yticks(range(len(labels)), labels)
        ax.tick_params(length=0)
        ax.set_title(TITLES[name], weight="bold")
    figure.colorbar(image, ax=axes, shrink=0.6, label="Spearman over the explainers")
    return figure
