"""What is reported of a model's explanations: pictures, tables, and files of attributions."""

from pear_lightning.reports.explained_samples import ExplainedSamples, explain_samples
from pear_lightning.reports.pictures import Picture, PictureStyle

__all__ = ["ExplainedSamples", "Picture", "PictureStyle", "explain_samples"]
