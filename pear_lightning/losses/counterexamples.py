"""Counterexamples: cross-entropy with random values for irrelevant features."""

import torch
from torch import Tensor

from pear_lightning.functional.validation import check_number
from pear_lightning.losses.perturbed_inputs_loss import PerturbedInputsLoss
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.scorer import Forward


class CounterexamplesLoss(PerturbedInputsLoss):
    r"""Cross-entropy of copies with randomly drawn irrelevant features ("CE", CAIPI).

    .. math:: R = \frac{1}{N} \sum_n \mathrm{CE}\big(f((1 - A_n) \odot x_n + A_n \odot u_n),
              y_n\big), \qquad u_{nd} \sim U[\mathrm{low}, \mathrm{high}]

    With weight 1 this is training on the data and on one copy of each annotated row, redrawn in
    every step. It works for any model, costs one ordinary pass, and is a strong baseline.

    Args:
        low: Smallest value drawn.
        high: Largest value drawn.
        integers: Whether to draw integers from ``low`` to ``high``, both included, such as 0 to 255
            for raw images.

    Raises:
        ValueError: If ``high`` is not above ``low``, or one is not finite, or not a whole number
            with ``integers``; when called, if a mask is not made of zeros and ones or does not fit,
            or a label is out of range.

    Shapes:
        - inputs: ``(B, *S)``; mask: ``(B, *S)``, size 1 in broadcast dimensions
        - output: a scalar, float32 or better

    Example:
        >>> from pear_lightning.nn import MLP
        >>> inputs, target, mask = torch.rand(8, 4), torch.randint(2, (8,)), torch.eye(8, 4)
        >>> _, loss = CounterexamplesLoss().of_model(MLP(4), (inputs, target, mask))

    References:
        Teso, Kersting, *Explanatory Interactive Machine Learning*, AIES 2019. Schramowski et al.,
        *Making deep neural networks right for the right scientific reasons by interacting with
        their explanations*, Nature Machine Intelligence 2020, arXiv 2001.05371.

    Deviations from the paper:
        The copies are drawn in every step instead of once; only marked features change.
    """

    def __init__(self, low: float = 0.0, high: float = 1.0, *, integers: bool = False) -> None:
        super().__init__()
        check_number("low", low, None)
        check_number("high", high, None)
        if not high > low:
            raise ValueError(f"high must be above low, got low={low} and high={high}")
        for name, bound in {"low": low, "high": high}.items():
            if integers and bound != int(bound):
                raise ValueError(
                    f"{name} must be a whole number with integers=True, got {bound}; give the "
                    "smallest and the largest integer to draw"
                )
        self.low = low
        self.high = high
        self.integers = integers

    def perturb(self, forward: Forward, rows: Batch, dtype: torch.dtype) -> Tensor:
        """Return the rows with redrawn irrelevant features, ``(A, *S)``.

        Args:
            forward: Not used.
            rows: The annotated rows.
            dtype: Not used.
        """
        uniform = torch.rand_like(rows.inputs)
        if self.integers:
            count = int(self.high) - int(self.low) + 1
            drawn = int(self.low) + (uniform * count).floor().clamp(max=count - 1)
        else:
            drawn = self.low + (self.high - self.low) * uniform
        return torch.where(rows.marks.bool(), drawn, rows.inputs)

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"low={self.low}, high={self.high}, integers={self.integers}"
