"""The sparsity prior: a model should rely on few features in total."""

import torch
from torch import Tensor
from typing_extensions import override

from pear_lightning.explainers import ExpectedGradients, Explainer
from pear_lightning.functional.validation import at_least_float32, check_attributions
from pear_lightning.losses.attribution_loss import AttributionLoss
from pear_lightning.losses.mean_over_ranks import mean_over_ranks


def gini(values: Tensor) -> Tensor:
    r"""Return the Gini coefficient of non-negative values.

    .. math:: G(v) = \frac{\sum_{i,j} |v_i - v_j|}{2 n^2 \bar v}

    Args:
        values: ``(n,)``, at least 0.

    Returns:
        Scalar from 0 (all equal) to 1 − 1/n (one value is the total); 0 if all values are 0.

    Example:
        >>> gini(torch.tensor([0.0, 0.0, 0.0, 5.0])).item()
        0.75
    """
    n = len(values)
    # in ascending order, the i-th value enters n − i differences with − and i − 1 with +
    ranks = torch.arange(1, n + 1, device=values.device, dtype=values.dtype)
    total = values.sum()
    differences = ((2 * ranks - n - 1) * values.sort().values).sum()
    coefficient: Tensor = torch.where(total > 0, differences / torch.where(total > 0, total, 1), 0)
    return coefficient / n


class SparsityPrior(AttributionLoss):
    r"""One minus the Gini coefficient of a model's mean attributions over the features.

    .. math:: R = 1 - G(v), \qquad v = \frac{1}{N} \sum_n |\phi(x_n)|, \qquad
              G(v) = \frac{\sum_{i,j} |v_i - v_j|}{2 n^2 \bar v}

    G is the Gini coefficient of the mean absolute attribution of each feature, near 1 if few
    features have most of it. R does not depend on the scale of the attributions. It is a property
    of the batch and not a mean over its rows; in training on several devices, v is averaged over
    all of them, so that every rank computes R of the whole batch. With gradient accumulation, R is
    the mean of the values of the micro-batches, which is usually below that of the whole batch.

    Args:
        explainers: Explainers by name; ``None`` means expected gradients with one draw and a
            background of training rows, as in the paper. R is averaged over them.
        output: Scalar that is explained.

    Raises:
        ValueError: If the output is unknown; when called, if attributions hold NaN or Inf.

    Shapes:
        - attributions: ``(B, *S)``
        - output: a scalar in [0, 1], float32 or better

    Example:
        >>> one_feature, all_alike = torch.tensor([[0.0, 0.0, -2.0, 0.0]]), torch.ones(1, 4)
        >>> SparsityPrior()(one_feature).item(), SparsityPrior()(all_alike).item()
        (0.25, 1.0)

    References:
        Erion, Janizek, Sturmfels, Lundberg, Lee, *Improving performance of deep learning models
        with axiomatic attribution priors and expected gradients*, Nature Machine Intelligence 2021,
        arXiv 1906.10670.

    Deviations from the paper:
        R is 1 − G instead of −G, so that it can be compared with the task loss.
    """

    @property
    @override
    def couples_rows(self) -> bool:
        """Yes: the importance of a feature is a mean over the batch."""
        return True

    def default_explainers(self) -> dict[str, Explainer]:
        """Return expected gradients with one draw."""
        return {"expected_gradients": ExpectedGradients(1)}

    def forward(self, *attributions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar.

        Args:
            *attributions: Attributions of each explainer, ``(B, *S)``.
            mask: Not used.
        """
        losses = []
        for each in attributions:
            check_attributions("attributions", each)
            mean = at_least_float32(each).flatten(1).abs().mean(dim=0)
            losses.append(1 - gini(mean_over_ranks(mean, self.ranks)))
        return torch.stack(losses).mean()
