"""MNIST: handwritten digits."""

from typing import Any, ClassVar

import torch
from typing_extensions import override

from pear_lightning.datamodules.digit_images import DigitSet, read_digit_files, read_digit_hub
from pear_lightning.datamodules.image_classification import ImageClassification
from pear_lightning.datamodules.image_source import LabelledImages


class MNIST(ImageClassification):
    """MNIST: 60,000 training and 10,000 test images of handwritten digits, 28 x 28 pixels, grey.

    Shapes:
        - ``inputs``: ``(B, 1, 28, 28)`` float32, or as requested
        - ``target``: ``(B,)`` long, ten classes

    Args:
        data_dir: Folder with the four idx files (``train-images-idx3-ubyte`` and so on, or
            ``.gz``), or the folder above ``MNIST/raw``, the layout of torchvision. None reads from
            the hub (``ylecun/mnist``).
        kwargs: Other arguments of :class:`ImageClassification`, except those that name a source:
            ``model_name``, ``image_size``, ``channels=3`` for a network of colour images,
            ``val_fraction``, ``batch_size`` and so on. Without ``mean`` and ``std``, they are those
            of the training images.

    Raises:
        FileNotFoundError: If the files are not in ``data_dir``.
        ValueError: If ``data_dir`` is the folder of another data set.

    Example:
        >>> MNIST("some/folder", batch_size=64).num_classes
        10

    References:
        Y. LeCun, L. Bottou, Y. Bengio, P. Haffner. *Gradient-based learning applied to document
        recognition.* Proceedings of the IEEE 86, 1998.
    """

    default_channels: ClassVar[int] = 1
    default_statistics: ClassVar[Any] = ((0.1307,), (0.3081,))
    digit_set: ClassVar[DigitSet] = "MNIST"
    names: ClassVar[tuple[str, ...]] = tuple("0123456789")

    def __init__(self, data_dir: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_dir, **kwargs)
        self._refuse_source()
        self.name_classes(self.class_names or self.names)
        if len(self.class_names) != len(self.names):
            raise ValueError(
                f"class_names must have one name for each of ten classes, got {self.class_names}"
            )

    @override
    def prepare_data(self) -> None:
        if self.data_dir is None:
            self.load_images()  # fills the cache for the other processes

    @override
    def load_images(self) -> dict[str, LabelledImages]:
        if self.data_dir is not None:
            splits = read_digit_files(self.digit_set, self.data_dir)
        else:
            try:
                splits = read_digit_hub(self.digit_set, self.revision, self.cache_dir)
            except Exception as error:
                error.add_note(f"{self.digit_set} can also be read from idx files: give data_dir")
                raise
        return {
            split: LabelledImages(torch.from_numpy(images), torch.from_numpy(labels).long())
            for split, (images, labels) in splits.items()
        }
