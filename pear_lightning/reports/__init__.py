"""What is reported of a model's explanations: pictures, tables, and files of attributions."""

from pear_lightning.reports.explained_samples import ExplainedSamples, explain_samples
from pear_lightning.reports.picture_style import PictureStyle
from pear_lightning.reports.pictures import Picture, draw_pictures

__all__ = ["ExplainedSamples", "Picture", "PictureStyle", "draw_pictures", "explain_samples"]
