"""Baselines of random noise."""

from torch import Tensor

from pear_lightning.functional.hashed_random import (
    derived_seeds,
    hashed_normal,
    hashed_uniform,
    placed,
)
from pear_lightning.functional.validation import check_floating
from pear_lightning.masking.baseline import Baseline


class UniformNoise(Baseline):
    """Independent uniform values; a sample gets the same values in every batch.

    Args:
        low: Lowest value, in units of the inputs.
        high: Highest value.
        seed: Seed of the values.

    Raises:
        ValueError: If ``low`` is not below ``high``.

    Shapes:
        - inputs: ``(B, *S)``
        - output: ``(K, B, *S)``

    Example:
        >>> import torch
        >>> from pear_lightning.masking import ColumnMasker
        >>> masker = ColumnMasker(3, baseline=UniformNoise(-1, 1))
        >>> masker.apply(torch.ones(2, 3), torch.zeros(2, 4, 3, dtype=torch.bool)).shape
        torch.Size([2, 4, 3])

    References:
        Samek, Binder, Montavon, Lapuschkin, Müller, *Evaluating the Visualization of What a Deep
        Neural Network Has Learned*, IEEE TNNLS 2017, arXiv 1509.06321 (regions replaced by
        uniform noise).
    """

    is_random = True

    def __init__(self, low: float = 0.0, high: float = 1.0, *, seed: int = 0) -> None:
        super().__init__()
        if not low < high:
            raise ValueError(f"low must be below high, got {low} and {high}")
        self.low, self.high, self.seed = low, high, seed

    def replacements(
        self, inputs: Tensor, seeds: Tensor, draws: Tensor, where: Tensor | None = None
    ) -> Tensor:
        """Return values for each draw, ``(K, B, *S)``.

        Args:
            inputs: Inputs, ``(B, *S)``.
            seeds: Seeds of the samples, ``(B,)``.
            draws: Indices of the draws, ``(K,)``.
            where: Which elements belong to a feature, bool, broadcastable to ``(B, *S)``; these
                take the values in order. ``None`` means all.
        """
        check_floating("inputs", inputs)
        seeds = derived_seeds(seeds, "uniform noise", self.seed)
        unit = hashed_uniform(seeds, draws, inputs.shape[1:].numel())
        values = self.low + (self.high - self.low) * unit
        return placed(values.to(inputs.dtype), inputs, where)

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"low={self.low}, high={self.high}"


class GaussianNoise(Baseline):
    """Independent normal values; a sample gets the same values in every batch.

    Args:
        mean: Mean, in units of the inputs.
        std: Standard deviation.
        seed: Seed of the values.

    Raises:
        ValueError: If ``std`` is not positive.

    Shapes:
        - inputs: ``(B, *S)``
        - output: ``(K, B, *S)``
    """

    is_random = True

    def __init__(self, mean: float = 0.0, std: float = 1.0, *, seed: int = 0) -> None:
        super().__init__()
        if not std > 0:
            raise ValueError(f"std must be positive, got {std}")
        self.mean, self.std, self.seed = mean, std, seed

    def replacements(
        self, inputs: Tensor, seeds: Tensor, draws: Tensor, where: Tensor | None = None
    ) -> Tensor:
        """Return values for each draw, ``(K, B, *S)``.

        Args:
            inputs: Inputs, ``(B, *S)``.
            seeds: Seeds of the samples, ``(B,)``.
            draws: Indices of the draws, ``(K,)``.
            where: Which elements belong to a feature, bool, broadcastable to ``(B, *S)``; these
                take the values in order. ``None`` means all.
        """
        check_floating("inputs", inputs)
        seeds = derived_seeds(seeds, "gaussian noise", self.seed)
        normal = hashed_normal(seeds, draws, inputs.shape[1:].numel())
        values = self.mean + self.std * normal
        return placed(values.to(inputs.dtype), inputs, where)

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"mean={self.mean}, std={self.std}"
