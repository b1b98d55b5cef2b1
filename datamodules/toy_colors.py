"""Toy colours: images of two classes that differ in two rules."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import torch
from typing_extensions import override

from pear_lightning.datamodules.annotated import AnnotatedDataModule
from pear_lightning.datamodules.annotated_dataset import AnnotatedDataset

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

_PALETTE = [(255, 0, 0), (0, 255, 0), (0, 128, 255), (128, 0, 255)]
# indices of pixels, row by row: top left, top right, bottom left, bottom right
_CORNERS = [0, 4, 20, 24]
_TOP_MIDDLE = [1, 2, 3]

ToyMask = Literal[
    "none", "corners", "top_middle", "both", "all_but_corners", "all_but_top_middle", "all"
]


class ToyColors(AnnotatedDataModule):
    """Toy colours: 5 x 5 images whose class is determined by either of two rules.

    Every pixel is red, green, blue or violet. In class 0, both rules hold: the four corners have
    the same colour (rule 1), and the three pixels in the middle of the top row have three different
    colours (rule 2). In class 1, both rules are violated. A model can learn either rule; a mask on
    the pixels of one rule selects the other.

    Shapes:
        - ``inputs``: ``(B, 75)`` float32, 0 to 255 unless scaled; ``(B, 3, 5, 5)`` with
          ``flat=False``
        - ``target``: ``(B,)`` long, two classes
        - ``mask``: shaped like the inputs

    Args:
        mask: Pixels marked as irrelevant in every image: ``"none"``; those of rule 1,
            ``"corners"`` (12 values); those of rule 2, ``"top_middle"`` (9 values); those of
            ``"both"`` rules; all others, ``"all_but_corners"`` or ``"all_but_top_middle"``; or
            ``"all"``. "Anti-Rule 1" of the paper is ``"corners"``, "Pro-Rule 1" is
            ``"all_but_corners"``.
        n_train: Number of training images.
        n_test: Number of test images.
        scaling: ``"raw"`` (0 to 255, as in the paper) or ``"unit"`` (0 to 1).
        flat: Whether an image is a row of 75 values (row, column, channel), as in the paper.
        seed: Seed of the images; training and test images differ.
        kwargs: Other arguments of
            :class:`~pear_lightning.datamodules.annotated.AnnotatedDataModule`.

    Raises:
        ValueError: If ``mask`` or ``scaling`` is unknown, or there are no images.

    Example:
        >>> data = ToyColors(mask="corners", n_train=100, n_test=50)
        >>> data.setup()
        >>> inputs, target, mask = next(iter(data.test_dataloader()))
        >>> inputs.shape, mask.sum(dim=1).unique()
        (torch.Size([50, 75]), tensor([12]))

    References:
        A. Ross, M. Hughes, F. Doshi-Velez. *Right for the right reasons: training differentiable
        models by constraining their explanations.* IJCAI 2017, arXiv 1703.03717.
    """

    class_names: ClassVar[tuple[str, ...]] = ("rules hold", "rules broken")
    marked_by: ClassVar[str] = "mask, which marks nothing if it is 'none'"

    def __init__(
        self,
        mask: ToyMask = "none",
        n_train: int = 20_000,
        n_test: int = 20_000,
        scaling: Literal["raw", "unit"] = "raw",
        flat: bool = True,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        if mask not in get_args(ToyMask):
            raise ValueError(f"mask must be one of {get_args(ToyMask)}, got {mask!r}")
        if scaling not in ("raw", "unit"):
            raise ValueError(f"scaling must be 'raw' or 'unit', got {scaling!r}")
        for name, rows in {"n_train": n_train, "n_test": n_test}.items():
            if rows < 1:
                raise ValueError(f"{name} must be at least 1, got {rows}")
        super().__init__(seed=seed, **kwargs)
        self.mask: ToyMask = mask
        self.n_train = n_train
        self.n_test = n_test
        self.scaling = scaling
        self.flat = flat

    @override
    def load_rows(self) -> dict[str, AnnotatedDataset]:
        import numpy as np

        sizes = {"train": self.n_train, "test": self.n_test}
        return {
            split: self._rows(*draw(size, np.random.default_rng([self.seed, stream])))
            for stream, (split, size) in enumerate(sizes.items())
        }

    def _rows(self, pixels: "NDArray[Any]", target: "NDArray[Any]") -> AnnotatedDataset:
        images = torch.tensor(_PALETTE, dtype=torch.float32)[torch.from_numpy(pixels)]
        if self.scaling == "unit":
            images = images / 255
        marked = torch.zeros(25, dtype=torch.bool)
        for name, places in {"corners": _CORNERS, "top_middle": _TOP_MIDDLE}.items():
            if name in self.mask or self.mask == "both":
                marked[places] = True
        if self.mask.startswith("all"):
            marked = ~marked
        mask = marked[:, None].expand_as(images)
        both = [each.reshape(-1, 5, 5, 3).permute(0, 3, 1, 2) for each in (images, mask)]
        if self.flat:
            both = [each.flatten(1) for each in (images, mask)]
        inputs, mask = (each.contiguous() for each in both)
        return AnnotatedDataset(inputs, torch.from_numpy(target), mask)


def draw(n: int, rng: "Generator") -> "tuple[NDArray[Any], NDArray[Any]]":
    """Draw images and their classes.

    All images are drawn together. The authors change one image until a rule holds; here, all images
    in which it does not hold yet are changed together.

    Args:
        n: Number of images.
        rng: Random generator.

    Returns:
        Index of the colour of each pixel ``(n, 25)``, row by row, and classes ``(n,)``.

    Example:
        >>> import numpy as np
        >>> pixels, target = draw(4, np.random.default_rng(0))
        >>> pixels.shape, target.shape
        ((4, 25), (4,))
    """
    import numpy as np

    pixels = rng.integers(len(_PALETTE), size=(n, 25))
    target = rng.integers(2, size=n)
    top_left, top_right, bottom_left, bottom_right = _CORNERS

    def recolour(rows: "NDArray[Any]", places: "NDArray[Any]") -> None:
        pixels[rows, places] = rng.integers(len(_PALETTE), size=len(rows))

    # class 0: all corners get the colour of the bottom right corner
    holds = target == 0
    pixels[np.ix_(holds, _CORNERS)] = pixels[holds, bottom_right][:, None]
    # class 1: a random top corner is changed until it differs from the opposite corner
    changed = np.where(rng.integers(2, size=n) == 0, top_right, top_left)
    across = np.where(changed == top_right, bottom_left, bottom_right)
    rows = np.flatnonzero(~holds)
    while len(rows := rows[pixels[rows, changed[rows]] == pixels[rows, across[rows]]]):
        recolour(rows, changed[rows])
    # one of the three pixels is changed until all differ (class 0) or two are equal (class 1)
    rows = np.arange(n)
    while len(rows := rows[_all_differ(pixels[rows]) != holds[rows]]):
        recolour(rows, rng.choice(_TOP_MIDDLE, size=len(rows)))
    return pixels, target


def _all_differ(pixels: "NDArray[Any]") -> "NDArray[Any]":
    left, middle, right = (pixels[:, place] for place in _TOP_MIDDLE)
    differ: NDArray[Any] = (left != middle) & (middle != right) & (left != right)
    return differ
