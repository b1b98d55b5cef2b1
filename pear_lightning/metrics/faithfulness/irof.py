"""IROF: iterative removal of features."""

from typing import Any

from pear_lightning.functional.curve_options import Ends, area_options
from pear_lightning.functional.faithfulness_curves import irof
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.masking import Masker
from pear_lightning.metrics.faithfulness.curve_metric import CurveMetric
from pear_lightning.scoring.readings import Readings


class IROF(CurveMetric):
    r"""Area over the relative output while features are removed, the most relevant first.

    .. math:: \mathrm{IROF} = 1 - \frac{1}{m} \left( \frac{1}{2} + \frac{f(x_m)}{2 f(x_0)}
              + \sum_{k=1}^{m-1} \frac{f(x_k)}{f(x_0)} \right)

    where :math:`x_k` is the sample after k of m steps. Higher is better. In the paper the features
    are the segments of an image, ordered by their mean relevance and replaced by the image's mean
    colour: ``SegmentMasker(..., baseline="own_mean", pooling="mean")``. With the same
    masker as :class:`~pear_lightning.metrics.Deletion` the value of a sample is
    ``1 - deletion / f(x)``, so only segments make it another measure.

    A sample whose output is not above 1e-5 has no ratio; it scores 0 and is counted as undefined.

    Args:
        masker: Defines the features, and what replaces a removed one.
        n_steps: Number of steps m, each one evaluation of the model; None, or more steps than
            features, for one feature at a time.
        ends: See :class:`~pear_lightning.functional.curve_options.CurveOptions`.
        normalize: See there.
        **kwargs: ``output``, ``samples_per_pass``, ``progress``; see
            :class:`~pear_lightning.metrics.faithfulness.base.FaithfulnessMetric`. The output must
            be positive: a ratio of logits means nothing.

    Shapes:
        - update: a model, inputs ``(B, *S)``, attributions ``(B, *S)`` or saliency ``(B, n)``,
          target ``(B,)``; see :meth:`update`
        - compute: scalar

    Example:
        >>> import torch
        >>> from pear_lightning.masking import ColumnMasker
        >>> model = torch.nn.Linear(3, 1, bias=False)
        >>> _ = torch.nn.init.constant_(model.weight, 1.0)
        >>> inputs = torch.tensor([[3.0, 2.0, 1.0]])
        >>> irof = IROF(ColumnMasker(3), output="logit")
        >>> irof.update(model, inputs, attributions=inputs, target=0)
        >>> irof.compute()  # 1 - (1/2 + 3/6 + 1/6 + 0) / 3
        tensor(0.6111)

    References:
        Rieger, Hansen, *IROF: a low resource evaluation metric for explanation methods*, 2020,
        arXiv 2003.08747.

    Deviations from the paper:
        The curve has width 1 for any number of segments. ``ends="last", normalize=False`` is the
        form of DeepFaith (Guo et al., ICLR 2026).
    """

    metric_name = "irof"
    higher_is_better = True

    def __init__(
        self,
        masker: Masker,
        n_steps: int | None = 50,
        *,
        ends: Ends = "both",
        normalize: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            masker,
            n_steps,
            ends=ends,
            normalize=normalize,
            value="ratio",
            freeze=False,
            **kwargs,
        )

    def reduce(self, readings: Readings) -> PerSample:
        """Return the area over the ratios of each row, ``(R,)``."""
        scores = readings.curve(self.probe).scores
        return irof(
            scores,
            readings.removed_fractions(self.probe).to(scores.dtype),
            **area_options(self.ends, self.normalize),
        )
