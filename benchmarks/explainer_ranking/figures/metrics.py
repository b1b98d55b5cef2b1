"""How alike the metrics rank the explainers."""

from typing import Any

from benchmarks.explainer_ranking.records import Records, rankings_of
from benchmarks.explainer_ranking.settings import TITLES
from benchmarks.shared.drawing import write_in_cell


def draw_metrics(plt: Any, records: Records) -> Any:
    """Draw how alike the metrics rank the explainers, a panel for each data set."""
    rankings = rankings_of(records)
    n_rows = -(-len(rankings) // 2)
    figure, axes = plt.subplots(
        n_rows, 2, figsize=(8.2, 0.4 + 3.7 * n_rows), layout="constrained", squeeze=False
    )
    for ax in axes.flat[len(rankings) :]:
        ax.axis("off")
    for ax, (name, ranking) in zip(axes.flat, rankings.items(), strict=False):
        values = ranking.metric_correlation()
        image = ax.imshow(values, cmap="RdBu", vmin=-1, vmax=1)
        for i, row in enumerate(values.tolist()):
            for j, value in enumerate(row):
                text = "1" if value > 0.995 else f"{value:.2f}".replace("0.", ".")
                write_in_cell(ax, i, j, text, light=abs(value) > 0.7, fontsize=7)
        labels = ranking.metric_labels()
        ax.set_xticks(range(len(labels)), labels, rotation=90)
        ax.set_yticks(range(len(labels)), labels)
        ax.tick_params(length=0)
        ax.set_title(TITLES[name], weight="bold")
    figure.colorbar(image, ax=axes, shrink=0.6, label="Spearman over the explainers")
    return figure
