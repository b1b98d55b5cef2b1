"""Mean ranks of DeepFaith and the others, task by task."""

from typing import Any

from benchmarks.deepfaith.settings import CONTROLS, OURS, PAPERS, TASKS
from benchmarks.shared.drawing import BLUE, GREY, ORANGE, RED
from pear_lightning.metrics import ExplainerRanking

_COLUMNS = 2


def draw_ranks(plt: Any, rankings: dict[str, ExplainerRanking]) -> Any:
    """Draw the mean ranks with their intervals, one panel for each task."""
    if not rankings:
        return None
    rows = -(-len(rankings) // _COLUMNS)
    size = max(len(each.explainers) for each in rankings.values())
    figure, axes = plt.subplots(
        rows, _COLUMNS, figsize=(9.2, rows * (0.7 + 0.19 * size)), layout="constrained"
    )
    axes = axes.flatten() if rows * _COLUMNS > 1 else [axes]
    for ax, (task, ranking) in zip(axes, rankings.items(), strict=False):
        _panel(ax, ranking, TASKS[task].title)
    for ax in axes[len(rankings) :]:
        ax.axis("off")
    return figure


def _panel(ax: Any, ranking: ExplainerRanking, title: str) -> None:
    names = [ranking.explainers[e] for e in ranking.order]
    for row, e in enumerate(ranking.order):
        low, high = ranking.interval[e].tolist()
        colour = _colour(names[row])
        ax.plot([low, high], [row, row], color=colour, lw=3, alpha=0.4, solid_capstyle="butt")
        ax.plot(float(ranking.mean_rank[e]), row, "o", color=colour, ms=4)
    ax.set_yticks(range(len(names)), names, fontsize=7)
    for tick, name in zip(ax.get_yticklabels(), names, strict=True):
        tick.set_color(_colour(name))
        tick.set_fontweight("bold" if name == OURS else "normal")
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(0.5, len(names) + 0.5)
    ax.set_title(f"{title}, {ranking.n_samples} samples", loc="left")
    ax.set_xlabel("mean rank over ten metrics (95 % interval)")


def _colour(name: str) -> str:
    known = {OURS: RED, PAPERS: ORANGE, **dict.fromkeys(CONTROLS, GREY)}
    return known.get(name, BLUE)
