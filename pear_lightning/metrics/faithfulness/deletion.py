"""Deletion."""

from pear_lightning.metrics.faithfulness.curve_metric import CurveMetric


class Deletion(CurveMetric):
    r"""Area under the output while features are removed, the most relevant first; lower is better.

    .. math:: \mathrm{DEL} = \frac{1}{m} \left( \frac{f(x_0) + f(x_m)}{2}
              + \sum_{k=1}^{m-1} f(x_k) \right)

    where :math:`x_k` is the sample after k of m steps (:math:`x_m` has no feature left) and f is
    the explained output. Steps of different sizes are weighted by their width.

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
        >>> deletion = Deletion(ColumnMasker(3), output="logit")
        >>> deletion.update(model, inputs, attributions=inputs, target=0)
        >>> deletion.compute()  # heights 6, 3, 1, 0
        tensor(2.3333)

    References:
        Petsiuk, Das, Saenko, *RISE: Randomized Input Sampling for Explanation of Black-box
        Models*, BMVC 2018, arXiv 1806.07421.

    Deviations from the paper:
        ``n_steps`` is the number of steps, not the number of pixels in a step. Among equal features
        the one with the lower index is removed first. ``ends="last", normalize=False`` is the area
        of DeepFaith (Guo et al., ICLR 2026), whose largest value is (m − 1)/m.
    """

    metric_name = "deletion"
    higher_is_better = False
