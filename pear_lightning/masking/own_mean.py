"""A baseline of the input's own mean."""

from torch import Tensor

from pear_lightning.functional.validation import at_least_float32, check_floating
from pear_lightning.masking.baseline import Baseline


class OwnMean(Baseline):
    """Mean over the positions of the input itself: an image's mean colour, a row's mean value.

    Positions that are never removed (padding, special tokens) are excluded.

    Shapes:
        - inputs: ``(B, *S)``: images ``(B, C, H, W)`` (mean for each channel), embeddings
          ``(B, T, E)`` (mean token), columns ``(B, d)``
        - output: ``(1, B, *S)``, with size 1 in the averaged dimensions

    References:
        Rieger, Hansen, *IROF: a low resource evaluation metric for explanation methods*, 2020,
        arXiv 2003.08747.
    """

    def replacements(
        self, inputs: Tensor, seeds: Tensor, draws: Tensor, where: Tensor | None = None
    ) -> Tensor:
        """Return the mean of each sample, broadcastable to ``(1, B, *S)``.

        Args:
            inputs: Inputs, ``(B, *S)``.
            seeds: Not used.
            draws: Not used.
            where: Elements that the mean is taken over, bool, broadcastable to ``(B, *S)``;
                ``None`` means all.
        """
        check_floating("inputs", inputs)
        positions = (2, 3) if inputs.ndim == 4 else (1,)
        if where is None:
            return inputs.mean(dim=positions, keepdim=True)[None]
        values = at_least_float32(inputs)
        total = values.where(where, 0).sum(dim=positions, keepdim=True)
        count = where.expand(inputs.shape).sum(dim=positions, keepdim=True)
        return (total / count.clamp(min=1)).to(inputs.dtype)[None]
