"""Negative perturbation."""

from pear_lightning.metrics.faithfulness.curve_metric import CurveMetric


class NegativePerturbation(CurveMetric):
    r"""Area under a curve while the least relevant features are removed first; higher is better.

    By default the height is the explained output, and the value that of
    :class:`~pear_lightning.metrics.Insertion` into the same baseline. What makes it a measure of
    its own:

    - ``value="accuracy", ends="none", n_steps=10``: the paper's, top-1 accuracy with 10 to 90 % of
      the features removed.
    - ``freeze=True, ends="last", normalize=False``: DeepFaith's, the output frozen from the first
      change of the predicted class on.

    Args:
        masker: What the features are, and what stands in the place of a removed one.
        n_steps: Number of steps m, each one evaluation of the model; None, or more steps than
            features, for one feature at a time.
        ends: ``"both"`` ends of the curve belong to the area, the ``"last"`` alone, or ``"none"``.
        normalize: Whether to divide the area by the width of the curve.
        value: Height of the curve: ``"score"``, ``"ratio"`` to the score of the sample, or
            ``"accuracy"``.
        freeze: Whether the curve stays at its value once the predicted class is not the target.
        output: The explained scalar that is read: ``"prob"``, ``"logit"``, ...
        samples_per_pass: Bound on the perturbed samples in one forward pass.
        progress: Whether to show a progress bar during each update.

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
