"""Max-sensitivity."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pear_lightning.explainers import Explainer
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.functional.hashed_random import (
    derived_seeds,
    hashed_uniform,
    placed,
    sample_seeds,
)
from pear_lightning.functional.max_sensitivity import max_sensitivity
from pear_lightning.functional.per_sample import PerSample, join
from pear_lightning.functional.validation import check_count, check_floating
from pear_lightning.metrics.faithfulness.explained_batch import explained_batch
from pear_lightning.metrics.sample_mean import SampleMean
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.fingerprint import tokens_of
from pear_lightning.scoring.outputs import OutputFunction, OutputName
from pear_lightning.scoring.scorer import Forward, predicted_classes


class MaxSensitivity(SampleMean):
    r"""Largest relative change of an explanation among N slightly perturbed inputs.

    .. math:: \max_{j ≤ N} \frac{‖Φ(x + δ_j) − Φ(x)‖_2}{‖Φ(x)‖_2}, \qquad δ_j ∼ U(−r, r)

    Lower is better. The metric measures stability, not faithfulness: a constant explanation is the
    most stable. It computes the explanations itself, so it takes an explainer instead of
    attributions. A sample and its perturbed copies are explained together, for the class of the
    sample. The perturbations of a sample are the same in every batch.

    Args:
        explainer: The explainer Φ. The noise of a stochastic explainer raises the value, so give it
            a seed.
        radius: r, in units of the inputs.
        n_samples: Number of perturbed inputs N.
        output: The explained scalar; see :func:`~pear_lightning.explainers.explain`.
        seed: Seed of the perturbations.
        samples_per_pass: Largest number of inputs that are explained together; a sample and its
            copies are never split.
        **kwargs: Options of :class:`torchmetrics.Metric`.

    Raises:
        ValueError: If ``radius`` is not positive or ``n_samples < 1``.

    Shapes:
        - update: a model, inputs ``(B, *S)``, target ``(B,)``; see :meth:`update`
        - compute: scalar

    Example:
        >>> import torch
        >>> from pear_lightning.explainers import Gradient
        >>> metric = MaxSensitivity(Gradient())
        >>> metric.update(torch.nn.Linear(4, 2), torch.rand(3, 4))
        >>> metric.compute()  # the gradient of a linear model is the same everywhere
        tensor(0.)

    References:
        Yeh, Hsieh, Suggala, Inouye, Ravikumar, *On the (In)fidelity and Sensitivity of
        Explanations*, NeurIPS 2019, arXiv 1901.09392, definition 2.2; relative to the norm of the
        explanation as in the authors' code.
    """

    metric_name = "max_sensitivity"
    higher_is_better = False

    def __init__(
        self,
        explainer: Explainer,
        radius: float = 0.02,
        n_samples: int = 10,
        *,
        output: OutputName | OutputFunction = "centered_logit",
        seed: int = 0,
        samples_per_pass: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(explainer, Explainer):
            raise TypeError(f"explainer must be an Explainer such as Gradient(), got {explainer!r}")
        if not radius > 0:
            raise ValueError(f"radius must be positive, got {radius}")
        check_count("n_samples", n_samples)
        if samples_per_pass is not None and samples_per_pass < 1:
            raise ValueError(f"samples_per_pass must be at least 1, got {samples_per_pass}")
        self.explainer = explainer
        self.radius = radius
        self.n_samples = n_samples
        self.output = output
        self.seed = seed
        self.samples_per_pass = samples_per_pass

    def update(
        self,
        model: Forward,
        inputs: Tensor,
        target: Tensor | int | None = None,
        *,
        forward_kwargs: Mapping[str, Any] | None = None,
        masker_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a batch.

        Args:
            model: The explained model: inputs ``(N, *S)`` to logits ``(N, C)``.
            inputs: Inputs, ``(B, *S)``, floating point.
            target: Explained class, ``(B,)`` or one for all; None for the predicted one.
            forward_kwargs: Further keyword arguments of the model; tensors have B rows.
            masker_kwargs: Further data of the samples for the masker of the explainer.

        Raises:
            TypeError: If the inputs are not floating, or the model returns no tensor.
            ValueError: If a shape does not fit, a target is out of range, or inputs, attributions
                or outputs hold NaN or Inf.
        """
        self._take(self._scores(model, inputs, target, forward_kwargs, masker_kwargs))

    def score(
        self,
        model: Forward,
        inputs: Tensor,
        target: Tensor | int | None = None,
        *,
        forward_kwargs: Mapping[str, Any] | None = None,
        masker_kwargs: Mapping[str, Any] | None = None,
    ) -> Tensor:
        """Return the score of each sample, without adding the batch; arguments as in ``update``.

        Returns:
            ``(B,)``, float32 or better.
        """
        return self._scores(model, inputs, target, forward_kwargs, masker_kwargs).values

    @torch.no_grad()
    def _scores(
        self,
        model: Forward,
        inputs: Tensor,
        target: Tensor | int | None,
        forward_kwargs: Mapping[str, Any] | None,
        masker_kwargs: Mapping[str, Any] | None,
    ) -> PerSample:
        check_floating("inputs", inputs)
        batch = explained_batch(inputs, target, forward_kwargs, masker_kwargs)
        if not len(inputs):
            nothing = torch.zeros(0, device=inputs.device)
            return PerSample(nothing, nothing.bool())
        rows = len(inputs)
        if self.samples_per_pass is not None:
            rows = max(1, self.samples_per_pass // (self.n_samples + 1))
        return join(self._block(model, block) for block in batch.blocks(rows))

    def _block(self, model: Forward, batch: Batch) -> PerSample:
        inputs, copies = batch.inputs, self.n_samples + 1
        if batch.target is None:
            batch = batch.explaining(predicted_classes(model, batch))
        where = tokens_of(batch)  # seeds and noise are those of the text without its padding
        seeds = derived_seeds(sample_seeds(inputs, where=where), "max-sensitivity", self.seed)
        draws = torch.arange(self.n_samples, device=inputs.device)
        noise = placed(hashed_uniform(seeds, draws, inputs[0].numel()), inputs, where)
        noise = noise.mul_(2).sub_(1).mul_(self.radius).to(inputs.dtype)
        points = torch.cat([inputs[None], noise])
        points[1:] += inputs
        rows = torch.arange(len(batch), device=inputs.device).repeat(copies)
        together = batch.rows(rows, points.flatten(0, 1))
        _, (attributions,) = explain_batch(model, together, [self.explainer], output=self.output)
        attributions = attributions.unflatten(0, (copies, len(inputs)))
        return max_sensitivity(attributions[0], attributions[1:].transpose(0, 1))
