"""All figures, and how they reach loggers; the only package that imports matplotlib."""

from pear_lightning.figures.agreement import draw_agreement
from pear_lightning.figures.alpha import draw_alpha
from pear_lightning.figures.axes import blank_axes
from pear_lightning.figures.column_attributions import draw_column_attributions
from pear_lightning.figures.image_attributions import draw_image_attributions
from pear_lightning.figures.loggers import log_figure, log_text
from pear_lightning.figures.plot_extra import check_plot_extra
from pear_lightning.figures.ranking import draw_ranking
from pear_lightning.figures.scores import draw_scores
from pear_lightning.figures.token_attributions import draw_token_attributions
from pear_lightning.figures.token_page import token_attributions_html

__all__ = [
    "blank_axes",
    "check_plot_extra",
    "draw_agreement",
    "draw_alpha",
    "draw_column_attributions",
    "draw_image_attributions",
    "draw_ranking",
    "draw_scores",
    "draw_token_attributions",
    "log_figure",
    "log_text",
    "token_attributions_html",
]
