"""Base class of image segmentation methods."""

from abc import ABC, abstractmethod

from torch import Tensor

from pear_lightning.functional.rebuilding import Rebuildable


class Segmenter(Rebuildable, ABC):
    """Base class of methods that divide each image of a batch into segments, independently.

    Maskers also accept a plain function of the images; a class can be named in YAML.
    """

    @abstractmethod
    def __call__(self, images: Tensor) -> Tensor:
        """Return the label of every pixel.

        Args:
            images: ``(B, C, H, W)``.

        Returns:
            Labels ``(B, H, W)`` long, from 0 on, or -1 for pixels of no segment.
        """
