"""Insertion."""

from typing import Any

from pear_lightning.masking import Masker
from pear_lightning.masking.baseline_spec import BaselineSpec
from pear_lightning.metrics.faithfulness.curve_metric import CurveMetric


class Insertion(CurveMetric):
    r"""Area under the output while features are put into a baseline, the most relevant first.

    .. math:: \mathrm{INS} = \frac{1}{m} \left( \frac{f(x_0) + f(x_m)}{2}
              + \sum_{k=1}^{m-1} f(x_k) \right)

    where :math:`x_k` has the features of k of m steps and the baseline elsewhere, and f is the
    explained output. Higher is better. Read backwards it is the curve while the least relevant
    features are removed first, so with the masker's own baseline it costs nothing beside
    :class:`~pear_lightning.metrics.NegativePerturbation`.

    Args:
        masker: What the features are, and what they are inserted into.
        n_steps: Number of steps m, each one evaluation of the model; None, or more steps than
            features, for one feature at a time.
        baseline: What the features are inserted into instead of the masker's baseline; ``"blur"``
            is the paper's for images.
        **kwargs: As for :class:`~pear_lightning.metrics.Deletion`: ``ends``, ``normalize``,
            ``value``, ``freeze``, ``output``, ``samples_per_pass``, ``progress``. With
            ``ends="last"`` the curve begins after the first insertion.

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
        >>> insertion = Insertion(ColumnMasker(3), output="logit")
        >>> insertion.update(model, inputs, attributions=inputs, target=0)
        >>> insertion.compute()  # heights 0, 3, 5, 6
        tensor(3.6667)

    References:
        Petsiuk, Das, Saenko, *RISE: Randomized Input Sampling for Explanation of Black-box
        Models*, BMVC 2018, arXiv 1806.07421.

    Deviations from the paper:
        Inserted into the masker's baseline unless ``baseline`` says otherwise; the number of steps
        is given, not the number of pixels of a step.
    """

    metric_name = "insertion"
    higher_is_better = True
    least_first = True
    inserting = True

    def __init__(
        self,
        masker: Masker,
        n_steps: int | None = 50,
        *,
        baseline: BaselineSpec | None = None,
        **kwargs: Any,
    ) -> None:
        if baseline is not None:
            masker = masker.with_baseline(baseline)
        super().__init__(masker, n_steps, **kwargs)
