"""Every picture, and how it reaches a logger; the only place that imports matplotlib."""

from pear_lightning.figures.ranking import draw_ranking

__all__ = ["draw_ranking"]
