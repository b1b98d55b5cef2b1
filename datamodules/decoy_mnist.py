"""Decoy MNIST: digits, or clothes, with a block in a corner that reveals the class."""

from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor
from typing_extensions import override

from pear_lightning.datamodules.annotated import AnnotatedDataModule
from pear_lightning.datamodules.annotated_dataset import AnnotatedDataset
from pear_lightning.datamodules.decoy_masks import DecoyMask, corner_blocks, decoy_masks
from pear_lightning.datamodules.digit_images import CLOTHES, read_digit_files, read_digit_hub

_CHOICES: dict[str, tuple[str, ...]] = {
    "test_grey": ("random", "reversed", "same"),
    "scaling": ("raw", "unit", "symmetric"),
    "mask": get_args(DecoyMask),
}


class DecoyMNIST(AnnotatedDataModule):
    r"""Decoy MNIST: digits with a grey block in a random corner that reveals the class.

    The 4 x 4 block of a training image has the grey value 255 − 25 · digit, so a model needs no
    other pixels. In test images, the digit in that formula is random, so the block carries no
    information. The mask marks the block of the image, 16 pixels. 60,000 training and 10,000 test
    images, from MNIST or Fashion-MNIST.

    Several data sets have this name:

    ============================== ======================================================
    Ross et al. 2017               the defaults
    Rieger et al. 2020 (CDEP)      ``block_size=5, test_grey="reversed",
                                   scaling="symmetric", mask="all_corners"``
    Friedrich et al. 2023          ``flat=False``, for a convolutional network
    Ghitu et al. 2025 (R4)         ``scaling="unit"``
    ============================== ======================================================

    Shapes:
        - ``inputs``: ``(B, 784)`` float32; ``(B, 1, 28, 28)`` with ``flat=False``
        - ``target``: ``(B,)`` long, ten classes
        - ``mask``: shaped like the inputs

    Args:
        data_dir: Folder with the four idx files (``train-images-idx3-ubyte`` and so on, or
            ``.gz``), or the folder above ``MNIST/raw`` and ``FashionMNIST/raw``, the layout of
            torchvision. None reads from the hub.
        fashion: Whether to use Fashion-MNIST instead of MNIST.
        mask: Mask of the training images: ``"own_block"``, ``"all_corners"``, or masks of lower
            quality: ``"half_block"`` (incomplete), ``"wrong_place"``, ``"random"``, ``"all"``
            (adversarial), ``"none"``. The mask of a test image always marks its own block.
        decoy: Whether images have blocks; without blocks the masks are empty.
        block_size: Height and width of a block in pixels.
        test_grey: Grey value in test images: ``"random"``, 255 − 25 · a random digit;
            ``"reversed"``, 25 · digit; ``"same"``, as in training.
        scaling: ``"raw"`` (0 to 255, as in the paper), ``"unit"`` (0 to 1) or ``"symmetric"`` (−1
            to 1).
        flat: Whether an image is a row of 784 values.
        revision: Branch, tag or commit on the hub.
        cache_dir: Folder for data from the hub. None is the default folder of ``datasets``.
        seed: Seed of the blocks; training and test images are drawn from separate streams.
        kwargs: Other arguments of
            :class:`~pear_lightning.datamodules.annotated.AnnotatedDataModule`.

    Raises:
        FileNotFoundError: If the files are not in ``data_dir``.
        ValueError: If an option is unknown, the block does not fit, or ``data_dir`` is the folder
            of another data set (such as ``MNIST`` with ``fashion``).

    Example:
        >>> data = DecoyMNIST("some/folder", scaling="unit", n_annotated=100)
        >>> data.mask, data.block_size, data.num_classes
        ('own_block', 4, 10)

    References:
        A. Ross, M. Hughes, F. Doshi-Velez. *Right for the right reasons: training differentiable
        models by constraining their explanations.* IJCAI 2017, arXiv 1703.03717.

        L. Rieger, C. Singh, W. J. Murdoch, B. Yu. *Interpretations are useful: penalizing
        explanations to align neural networks with prior knowledge.* ICML 2020.
    """

    class_names: ClassVar[tuple[str, ...]] = tuple("0123456789")
    marked_by: ClassVar[str] = "mask and decoy"

    def __init__(
        self,
        data_dir: str | None = None,
        fashion: bool = False,
        mask: DecoyMask = "own_block",
        decoy: bool = True,
        block_size: int = 4,
        test_grey: Literal["random", "reversed", "same"] = "random",
        scaling: Literal["raw", "unit", "symmetric"] = "raw",
        flat: bool = True,
        revision: str | None = None,
        cache_dir: str | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        data_dir = None if data_dir is None else str(data_dir)
        for name, value in {"mask": mask, "test_grey": test_grey, "scaling": scaling}.items():
            if value not in _CHOICES[name]:
                raise ValueError(f"{name} must be one of {_CHOICES[name]}, got {value!r}")
        if not 1 <= block_size <= 14:
            raise ValueError(f"block_size must lie in [1, 14] pixels, got {block_size}")
        super().__init__(seed=seed, **kwargs)
        self.data_dir = data_dir
        self.fashion = fashion
        self.mask: DecoyMask = mask
        self.decoy = decoy
        self.block_size = block_size
        self.test_grey = test_grey
        self.scaling = scaling
        self.flat = flat
        self.revision = revision
        self.cache_dir = cache_dir
        if fashion:
            self.class_names = CLOTHES  # type: ignore[misc]

    @override
    def prepare_data(self) -> None:
        if self.data_dir is None:
            self._read()  # fills the cache for the other processes

    @override
    def load_rows(self) -> dict[str, AnnotatedDataset]:
        import numpy as np

        rows = {}
        for stream, (split, (images, labels)) in enumerate(self._read().items()):
            rng = np.random.default_rng([self.seed, stream])
            ends = torch.from_numpy(rng.integers(2, size=(len(labels), 2)) == 1)
            drawn = torch.from_numpy(rng.integers(10, size=len(labels)))
            coins = torch.Generator().manual_seed(int(rng.integers(2**62)))
            inputs, target = torch.from_numpy(images).float(), torch.from_numpy(labels).long()
            own = corner_blocks(ends, images.shape[-1], self.block_size)
            mask = own if split == "test" else decoy_masks(self.mask, own, self.block_size, coins)
            if self.decoy:
                grey = self._grey(target, drawn) if split == "test" else 255 - 25 * target
                inputs = torch.where(own, grey[:, None, None].float(), inputs)
            else:
                mask = torch.zeros_like(own)
            rows[split] = self._in_shape(inputs, target, mask)
        return rows

    def _read(self) -> dict[str, Any]:
        name: Literal["MNIST", "FashionMNIST"] = "FashionMNIST" if self.fashion else "MNIST"
        if self.data_dir is not None:
            return read_digit_files(name, self.data_dir)
        try:
            return read_digit_hub(name, self.revision, self.cache_dir)
        except Exception as error:
            error.add_note(f"DecoyMNIST can also read the idx files of {name}: give data_dir")
            raise

    def _grey(self, target: Tensor, drawn: Tensor) -> Tensor:
        if self.test_grey == "reversed":
            return 25 * target
        return 255 - 25 * (drawn if self.test_grey == "random" else target)

    def _in_shape(self, inputs: Tensor, target: Tensor, mask: Tensor) -> AnnotatedDataset:
        if self.scaling == "unit":
            inputs = inputs / 255
        elif self.scaling == "symmetric":
            inputs = inputs / 127.5 - 1
        shape = (len(inputs), -1) if self.flat else (len(inputs), 1, *inputs.shape[1:])
        return AnnotatedDataset(inputs.reshape(shape), target, mask.reshape(shape))
