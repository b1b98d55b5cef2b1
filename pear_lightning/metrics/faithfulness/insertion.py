"""Insertion."""

from typing import Any

from pear_lightning.masking import Masker
from pear_lightning.masking.baseline_spec import BaselineSpec
from pear_lightning.metrics.faithfulness.curve_metric import CurveMetric


class Insertion(CurveMetric):
    r"""Area under the output while features are inserted into a baseline, most relevant first.

    .. math:: \mathrm{INS} = \frac{1}{m} \left( \frac{f(x_0) + f(x_m)}{2}
              + \sum_{k=1}^{m-1} f(x_k) \right)

    where :math:`x_k` has the features of k of m steps and the baseline elsewhere, and f is the
    explained output. Higher is better. Read backwards, the curve is that of removing the least
    relevant features first. With the masker's own baseline it therefore shares all evaluations of
    the model with :class:`~pear_lightning.metrics.NegativePerturbation`.

    Args:
        masker: Defines the features, and the baseline they are inserted into.
        n_steps: Number of steps m, each one evaluation of the model; None, or more steps than
            features, for one feature at a time.
        baseline: Another baseline to insert the features into; the paper's for images is
            ``"blur"``. None for the masker's own.
        **kwargs: See :class:`~pear_lightning.metrics.Deletion`. The curve starts at the baseline,
            so with ``ends="last"`` it begins after the first insertion.

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
        Features are inserted into the masker's baseline unless ``baseline`` is given. ``n_steps``
        is the number of steps, not the number of pixels in a step.
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
