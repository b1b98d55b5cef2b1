"""Mean ranks on all data sets."""

from typing import Any

from benchmarks.explainer_ranking.records import Records, rankings_of
from benchmarks.explainer_ranking.settings import CONTROLS, TITLES
from benchmarks.explainer_ranking.tables.places import by_mean_place
from benchmarks.shared.drawing import BLUE, GREEN, GREY, PURPLE, RED

COLOURS = {"mnist": BLUE, "fashion": RED, "bank": GREEN, "ag_news": PURPLE}


def draw_overview(plt: Any, records: Records) -> Any:
    """Draw mean ranks on all data sets, as shares of the way from first to last."""
    rankings = rankings_of(records)
    explainers = list(by_mean_place(rankings.values()))
    figure, ax = plt.subplots(figsize=(7.2, 0.9 + 0.33 * len(explainers)), layout="constrained")
    for number, (name, ranking) in enumerate(rankings.items()):
        last = len(ranking.explainers) - 1
        shift = 0.16 * (number - (len(rankings) - 1) / 2)
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
