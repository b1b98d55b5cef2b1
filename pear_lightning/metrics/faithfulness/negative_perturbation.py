"""Negative perturbation."""

from pear_lightning.metrics.faithfulness.curve_metric import CurveMetric


class NegativePerturbation(CurveMetric):
    r"""Area under a curve while the least relevant features are removed first; higher is better.

    By default the height of the curve is the explained output, and the value is that of
    :class:`~pear_lightning.metrics.Insertion` into the same baseline. Two settings measure
    something else:

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
        >>> model = torch.nn.Linear(3, 1, bias=False)
        >>> _ = torch.nn.init.constant_(model.weight, 1.0)
        >>> inputs = torch.tensor([[3.0, 2.0, 1.0]])
        >>> metric = NegativePerturbation(ColumnMasker(3), output="logit")
        >>> metric.update(model, inputs, attributions=inputs, target=0)
        >>> metric.compute()  # heights 6, 5, 3, 0
        tensor(3.6667)

    References:
        Chefer, Gur, Wolf, *Transformer Interpretability Beyond Attention Visualization*, CVPR
        2021, arXiv 2012.09838.
    """

    metric_name = "negative_perturbation"
    higher_is_better = True
    least_first = True
