"""Metrics whose states are exact integers."""

from abc import ABC
from typing import Self

import torch
from torchmetrics import Metric
from typing_extensions import override


class ExactStates(Metric, ABC):
    """A metric whose states are integers that no cast changes.

    Sums are kept as integers (:mod:`~pear_lightning.metrics.exact_sum`), so that they are exact.
    torchmetrics does not change states if a module is cast (``half``, ``to(torch.bfloat16)``), but
    ``set_dtype`` turns integers into floats: these sums would overflow in float16 and lose digits
    in every floating dtype.

    Args:
        **kwargs: options of :class:`torchmetrics.Metric`.

    Example:
        >>> from pear_lightning.metrics import PairwiseRankAgreement
        >>> metric = PairwiseRankAgreement().set_dtype(torch.float16)
        >>> metric.update(torch.tensor([[0.1, 0.5, 0.3]]), torch.tensor([[0.2, 0.3, 0.4]]))
        >>> metric.compute()
        tensor(0.6667)
    """

    @override
    def set_dtype(self, dst_type: str | torch.dtype) -> Self:
        """Change nothing: states are exact and results float32 for every dtype."""
        return self
