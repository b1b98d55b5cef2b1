"""The wrong-reason score."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics.utilities.data import dim_zero_cat

from pear_lightning.functional.wrong_reason import activation, wrong_reason
from pear_lightning.metrics.exact_states import ExactStates
from pear_lightning.metrics.exact_sum import N_LIMBS, exact_means, exact_sums


class WrongReason(ExactStates):
    r"""Share of a confounder that explanations highlight (WR), mean over samples; lower is better.

    .. math::
        \mathrm{WR} = \frac1N \sum_n \frac{|\{i: A_{ni} = 1, s_{ni} > t\}|}{|\{i: A_{ni} = 1\}|},
        \qquad s_n = \text{min-max of } \max(φ_n, 0),
        \qquad t = \frac1N \sum_n \frac1d \sum_i s_{ni}

    The threshold t is the mean activation of all samples, so it is known only at the end. Until
    then the metric stores the activations inside the masks: 16 numbers per image for a block of
    4 x 4 pixels. With a given threshold it stores only sums. Two models may be compared at one
    threshold, or each at its own; :meth:`threshold_used` returns the threshold.

    ``update`` takes ``attributions`` ``(B, *S)`` of the predicted class and a ``mask`` of the same
    shape, bool or zeros and ones, true = irrelevant; the mask may have size 1 in dimensions that
    share one value, over which attributions are summed, such as channels. ``compute`` returns the
    mean over samples, a scalar in [0, 1]. Samples without a mask, without a positive attribution,
    or with equal attributions are excluded from score and threshold; ``undefined_share()`` returns
    their share.

    A ``mask`` marks features that must not matter; the ``region`` of ``PointingGame``,
    ``RelevanceMassAccuracy`` and ``RelevanceRankAccuracy`` marks features that must. Pass both by
    name to a ``MetricCollection`` of both kinds, ``update(attributions=a, mask=mask,
    region=region)``: by position, one tensor would be used as both.

    Args:
        threshold: t in [0, 1]; None for the mean activation.
        **kwargs: options of :class:`torchmetrics.Metric`.

    Raises:
        TypeError: in ``update``, if an argument is not a tensor or the attributions are not
            floating.
        ValueError: for a threshold outside [0, 1]; in ``update``, for shapes that do not fit, a
            mask that is not binary, or NaN or infinite values.

    Example:
        >>> import torch
        >>> metric = WrongReason()
        >>> mask = torch.tensor([[True, True, False, False]])
        >>> metric.update(torch.tensor([[4.0, 1.0, -2.0, 1.0]]), mask)
        >>> metric.compute(), metric.threshold_used()
        (tensor(0.5000), tensor(0.3750))

    References:
        Friedrich, Stammer, Schramowski, Kersting, *A typology for exploring the mitigation of
        shortcut behaviour*, Nature Machine Intelligence 5, 2023.

    Deviations from the paper:
        The value is a share, not a percentage. Activations equal to t do not count; the authors'
        code leaves them unchanged.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False

    wrong_reason_bits: Any
    wrong_reason_sizes: Any

    def __init__(self, threshold: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if threshold is not None and not 0 <= threshold <= 1:
            raise ValueError(f"threshold must be between 0 and 1, or None, got {threshold}")
        self.threshold = threshold
        # a sum of activations without a threshold, of scores with one
        self._add_states("wrong_reason", {"sum": (N_LIMBS,), "count": (), "undefined": ()})
        if threshold is None:
            # bits of float32 numbers, because Lightning casts floating states to the module's dtype
            self.add_state("wrong_reason_bits", [], dist_reduce_fx="cat")
            self.add_state("wrong_reason_sizes", [], dist_reduce_fx="cat")

    def update(self, attributions: Tensor, mask: Tensor) -> None:
        """Add a batch.

        Args:
            attributions: ``(B, *S)`` floating.
            mask: ``(B, *S)``, or size 1 in dimensions that share one value; true = irrelevant.

        Raises:
            TypeError: if the attributions are not floating.
            ValueError: for shapes that do not fit, a mask that is not binary, or NaN or infinite
                values.
        """
        if self.threshold is not None:
            values, undefined = wrong_reason(attributions, mask, self.threshold)
        else:
            rows, nothing = activation(attributions, mask)
            undefined = nothing | ~rows.marked.any(dim=1)
            marked = rows.marked & ~undefined[:, None]
            values = rows.values.mean(dim=1).masked_fill(undefined, 0)
            inside = rows.values[marked].float().to(self.device)
            self.wrong_reason_bits.append(inside.view(torch.int32))
            self.wrong_reason_sizes.append(marked.sum(dim=1)[~undefined].to(self.device))
        self._add("sum", exact_sums("activations", values))
        self._add("count", torch.tensor(len(values)))
        self._add("undefined", undefined.sum())

    def compute(self) -> Tensor:
        """Return the mean over samples with a score, a float32 scalar; NaN if there are none."""
        mean = self._mean()
        if self.threshold is not None or not len(self.wrong_reason_sizes):
            return mean.float()
        inside = dim_zero_cat(self.wrong_reason_bits).view(torch.float32)
        sizes = dim_zero_cat(self.wrong_reason_sizes)
        sample = torch.arange(len(sizes), device=sizes.device).repeat_interleave(sizes)
        lit = torch.zeros_like(sizes).index_add_(0, sample, (inside > mean).long())
        shares = exact_sums("shares", lit / sizes)
        return exact_means(shares, torch.tensor(len(sizes))).float()

    def sync(self, *args: Any, **kwargs: Any) -> None:
        """Synchronise the state between processes, as :class:`torchmetrics.Metric` does."""
        if self.threshold is None and not len(self.wrong_reason_sizes):
            # torchmetrics would replace an empty list by a floating tensor
            empty = torch.zeros(0, device=self.device)
            self.wrong_reason_bits = [empty.int()]
            self.wrong_reason_sizes = [empty.long()]
        super().sync(*args, **kwargs)

    def threshold_used(self) -> Tensor:
        """Return the threshold t, a float32 scalar; NaN if no sample has a score.

        In a distributed run it covers the samples of all processes, and every process must call it.
        """
        if self.threshold is not None:
            return torch.tensor(self.threshold, device=self.device)
        with self._synced():
            return self._mean().float()

    def undefined_share(self) -> Tensor:
        """Return the share of samples without a score, a float32 scalar.

        In a distributed run it covers the samples of all processes, and every process must call it.
        """
        with self._synced():
            return self._state("undefined").float() / self._state("count")

    def _mean(self) -> Tensor:
        count = self._state("count") - self._state("undefined")
        return exact_means(self._state("sum"), count)
