"""What divides images into segments."""

from abc import ABC, abstractmethod

from torch import Tensor


class Segmenter(ABC):
    """Divides images into segments, each image by itself.

    A function of the images does as well; a class can be named in YAML.
    """

    @abstractmethod
    def __call__(self, images: Tensor) -> Tensor:
        """Return the label of every pixel.

        Args:
            images: ``(B, C, H, W)``.

        Returns:
            Labels ``(B, H, W)`` long, from 0 on, or -1 for a pixel of no segment.
        """
