"""The part of the logits that decides nothing."""

from typing import Any

import torch
from torch import Tensor

from pear_lightning.functional.validation import check_count, check_finite, check_floating
from pear_lightning.metrics.exact_states import ExactStates
from pear_lightning.metrics.exact_sum import N_LIMBS, exact_means, exact_sums


class CommonShare(ExactStates):
    r"""Variance of the part that all logits have in common, relative to that of what differs.

    .. math:: \frac{\operatorname{Var}_n(\bar z_n)}
              {\frac{1}{C} \sum_j \operatorname{Var}_n(z_{nj} - \bar z_n)}, \qquad
              \bar z_n = \frac{1}{C} \sum_j z_{nj}

    Softmax does not see a function that is added to all logits: it changes no probability and no
    decision, but it changes every explanation of a logit. A network that is trained for agreement
    of its logits' explanations can make them agree by such a function alone. Plain training leaves
    a share of about .01 or less for two classes; a share near or above 1 means that explanations of
    a logit are mostly about something that decides nothing. Explanations of the centred logit, the
    margin or a probability do not see it.

    Args:
        num_classes: Number of classes C, at least 2. A model with one output has no such freedom.
        **kwargs: Options of :class:`torchmetrics.Metric`.

    Raises:
        ValueError: If there are fewer than two classes; in ``update``, if the logits do not have
            the shape ``(B, C)`` or hold NaN or Inf.

    Shapes:
        - update: logits ``(B, C)``
        - compute: scalar, at least 0; NaN without samples, infinite if nothing differs

    Example:
        >>> half_margin = torch.tensor([1.0, -1.0, 2.0, -2.0])
        >>> share = CommonShare(2)
        >>> share.update(torch.stack([half_margin, -half_margin], dim=1))
        >>> share.compute()
        tensor(0.)
        >>> share.update(torch.stack([half_margin, -half_margin], dim=1) + 3)
        >>> round(share.compute().item(), 3)  # half of the rows were moved by 3
        0.9

    References:
        Srinivas, Fleuret, *Gradient Alignment in Deep Neural Networks*, 2020, and Lerma, Lucas,
        arXiv 2307.03305, on explanations of logits and the shift invariance of softmax; the
        measure is ours.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_count("num_classes", num_classes, least=2)
        self.num_classes = num_classes
        self._add_states("common_share", {"sums": (num_classes + 3, N_LIMBS), "count": ()})

    def update(self, logits: Tensor) -> None:
        """Add a batch.

        Args:
            logits: ``(B, C)``, floating point.
        """
        self._add("sums", sums_of_logits(logits, self.num_classes))
        self._add("count", torch.tensor(len(logits)))

    def compute(self) -> Tensor:
        """Return the share, a float32 scalar."""
        return share_of_sums(self._state("sums"), self._state("count"))


def sums_of_logits(logits: Tensor, num_classes: int) -> Tensor:
    """Return the exact sums over samples from which the share is computed.

    Args:
        logits: ``(B, C)``, floating point.
        num_classes: C.

    Returns:
        ``(C + 3, N_LIMBS)`` long.

    Raises:
        TypeError: If the logits are not floating point.
        ValueError: If they have another shape, or hold NaN or Inf.
    """
    check_floating("logits", logits)
    if logits.ndim != 2 or logits.shape[1] != num_classes:
        raise ValueError(
            f"logits must be (B, {num_classes}), one for each of num_classes={num_classes}, got "
            f"{tuple(logits.shape)}"
        )
    check_finite("logits", logits)
    logits = logits.detach().double()
    common = logits.mean(dim=1, keepdim=True)
    centred = logits - common
    mean_square = centred.square().mean(dim=1, keepdim=True)
    terms = torch.cat([common, common.square(), mean_square, centred], dim=1)
    return exact_sums("squares of the logits", terms.T)


def share_of_sums(sums: Tensor, count: Tensor) -> Tensor:
    """Return the share, a float32 scalar; NaN without samples.

    Args:
        sums: Sums of :func:`sums_of_logits` over any number of batches.
        count: Number of samples, a scalar.
    """
    means = exact_means(sums, count)
    mean, square, mean_square = means[:3]
    common = (square - mean.square()).clamp(min=0)
    differing = (mean_square - means[3:].square().mean()).clamp(min=0)
    share = common / differing
    return torch.where((common == 0) & (differing == 0), 0, share).float()
