"""Mean ranks on one data set."""

from typing import Any

from benchmarks.explainer_ranking.settings import CONTROLS
from pear_lightning.metrics import ExplainerRanking


def draw_ranking(plt: Any, ranking: ExplainerRanking, title: str) -> Any:
    """Draw a ranking as the library does, with a title."""
    figure, (left, _) = ranking.plot(controls=CONTROLS)
    left.set_title(title, weight="bold", loc="left")
    return figure
