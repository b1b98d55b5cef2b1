"""Fashion-MNIST: clothes."""

from typing import Any, ClassVar

from pear_lightning.datamodules.digit_images import CLOTHES, DigitSet
from pear_lightning.datamodules.mnist import MNIST


class FashionMNIST(MNIST):
    """Fashion-MNIST: 60,000 training and 10,000 test images of clothes, 28 x 28 pixels, grey.

    Shapes:
        - ``inputs``: ``(B, 1, 28, 28)`` float32, or as requested
        - ``target``: ``(B,)`` long, ten classes

    Args:
        data_dir: Folder with the four idx files (``train-images-idx3-ubyte`` and so on, or
            ``.gz``), or the folder above ``FashionMNIST/raw``, the layout of torchvision. None
            reads from the hub (``zalando-datasets/fashion_mnist``).
        kwargs: Other arguments of :class:`ImageClassification`, as for :class:`MNIST`.

    Raises:
        FileNotFoundError: If the files are not in ``data_dir``.
        ValueError: If ``data_dir`` is the folder of another data set.

    Example:
        >>> FashionMNIST("some/folder").class_names[:3]
        ['T-shirt/top', 'trouser', 'pullover']

    References:
        H. Xiao, K. Rasul, R. Vollgraf. *Fashion-MNIST: a novel image dataset for benchmarking
        machine learning algorithms.* arXiv 1708.07747.
    """

    default_statistics: ClassVar[Any] = ((0.2860,), (0.3530,))
    digit_set: ClassVar[DigitSet] = "FashionMNIST"
    names: ClassVar[tuple[str, ...]] = CLOTHES
