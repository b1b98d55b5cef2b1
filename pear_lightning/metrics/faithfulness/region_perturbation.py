"""Region perturbation (AOPC)."""

from typing import Any

from pear_lightning.functional.curves import mean_drop
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.masking import Masker
from pear_lightning.metrics.faithfulness.base import FaithfulnessMetric
from pear_lightning.scoring.probes import Empty, Original, Probe, RemovalCurve
from pear_lightning.scoring.readings import Readings


class RegionPerturbation(FaithfulnessMetric):
    r"""Mean drop of the output while features are removed, the most relevant first (AOPC).

    .. math:: \mathrm{AOPC} = \frac{1}{m + 1} \sum_{k=0}^{m} \left( f(x_0) - f(x_k) \right)

    where :math:`x_k` is the sample after k of m steps. Higher is better.

    Args:
        masker: What the features (the regions of the paper) are, and what replaces a removed one;
            the paper's is ``PatchMasker(9, baseline="uniform")``.
        n_steps: Number of steps m, each one evaluation of the model; None, or more steps than
            features, for one feature at a time.
        include_start: Whether the start, whose drop is 0, counts as one of the points.
        **kwargs: ``output``, ``samples_per_pass``, ``progress``; see
            :class:`~pear_lightning.metrics.faithfulness.base.FaithfulnessMetric`.

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
        >>> aopc = RegionPerturbation(ColumnMasker(3), output="logit")
        >>> aopc.update(model, inputs, attributions=inputs, target=0)
        >>> aopc.compute()  # drops 0, 3, 5, 6
        tensor(3.5000)

    References:
        Samek, Binder, Montavon, Lapuschkin, Müller, *Evaluating the Visualization of What a Deep
        Neural Network Has Learned*, IEEE TNNLS 2017, arXiv 1509.06321.

    Deviations from the paper:
        The curve ends when no feature is left; the paper stops after 100 regions.
        ``include_start=False`` is the form of DeepFaith (Guo et al., ICLR 2026), (m + 1)/m times as
        large.
    """

    metric_name = "region_perturbation"
    higher_is_better = True

    def __init__(
        self,
        masker: Masker,
        n_steps: int | None = 50,
        *,
        include_start: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(masker, **kwargs)
        self.probe = RemovalCurve(n_steps)
        self.include_start = include_start

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The sample, the sample without any feature, and the steps between the two."""
        return Original(), self.probe, Empty()

    def reduce(self, readings: Readings) -> PerSample:
        """Return the mean drop of each row, ``(R,)``."""
        scores = readings.curve(self.probe).scores
        fractions = readings.removed_fractions(self.probe).to(scores.dtype)
        return mean_drop(scores, fractions, include_start=self.include_start)
