"""Positive perturbation."""

from pear_lightning.metrics.faithfulness.curve_metric import CurveMetric


class PositivePerturbation(CurveMetric):
    r"""Area under a curve while the most relevant features are removed first; lower is better.

    By default the height of the curve is the explained output, and the value is that of
    :class:`~pear_lightning.metrics.Deletion`. Two settings measure something else:

    - ``value="accuracy", ends="none", n_steps=10`` is the paper's: top-1 accuracy with 10 to 90 %
      of the features removed.
    - ``freeze=True, ends="last", normalize=False`` is DeepFaith's: the output, frozen at the first
      change of the predicted class.

    Args:
        masker: Defines the features, and what replaces a removed one.
        n_steps: Number of steps m, each one evaluation of the model; None, or more steps than
            features, for one feature at a time.
        **kwargs: Options of the curve, ``ends``, ``normalize``, ``value`` and ``freeze``, see
            :class:`~pear_lightning.functional.curve_options.CurveOptions`; and of the evaluation,
            ``output``, ``samples_per_pass`` and ``progress``, see
            :class:`~pear_lightning.metrics.faithfulness.base.FaithfulnessMetric`.

    Shapes:
        - update: a model, inputs ``(B, *S)``, attributions ``(B, *S)`` or saliency ``(B, n)``,
          target ``(B,)``; see :meth:`update`
        - compute: scalar

    Example:
        >>> import torch
        >>> from pear_lightning.masking import ColumnMasker
        >>> model, inputs = torch.nn.Linear(10, 3), torch.rand(4, 10)
        >>> metric = PositivePerturbation(
        ...     ColumnMasker(10), n_steps=10, value="accuracy", ends="none"
        ... )
        >>> metric.update(model, inputs, attributions=inputs)
        >>> bool(0 <= metric.compute() <= 1)
        True

    References:
        Chefer, Gur, Wolf, *Transformer Interpretability Beyond Attention Visualization*, CVPR
        2021, arXiv 2012.09838.
    """

    metric_name = "positive_perturbation"
    higher_is_better = False
