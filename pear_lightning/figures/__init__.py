"""All figures, and how they reach loggers; the only package that imports matplotlib."""

from pear_lightning.figures.agreement import draw_agreement
from pear_lightning.figures.alpha import draw_alpha
from pear_lightning.figures.loggers import log_figure, log_text
from pear_lightning.figures.plot_extra import check_plot_extra
from pear_lightning.figures.ranking import draw_ranking
from pear_lightning.figures.scores import draw_scores

__all__ = [
    "check_plot_extra",
    "draw_agreement",
    "draw_alpha",
    "draw_ranking",
    "draw_scores",
    "log_figure",
    "log_text",
]
