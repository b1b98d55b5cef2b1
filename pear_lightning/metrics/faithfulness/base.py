"""Base class of the faithfulness metrics."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pear_lightning.functional.per_sample import PerSample, join
from pear_lightning.functional.validation import check_finite, trusted_values
from pear_lightning.masking import Masker
from pear_lightning.metrics.faithfulness.explained_batch import (
    check_explanations,
    explained_batch,
)
from pear_lightning.metrics.sample_mean import SampleMean
from pear_lightning.scoring.evaluation import Evaluation, Need
from pear_lightning.scoring.outputs import OutputFunction, OutputName, resolve_output
from pear_lightning.scoring.probes import Probe
from pear_lightning.scoring.readings import Readings
from pear_lightning.scoring.scorer import Forward


class FaithfulnessMetric(SampleMean, ABC):
    """Mean over samples of one measure of faithfulness; see its subclasses.

    A subclass says where the model is evaluated (:attr:`probes`) and reduces the outputs to scores
    (:meth:`reduce`).

    Args:
        masker: Defines the features, and what replaces a removed one.
        output: The explained scalar: ``"prob"``, ``"logit"``, ``"log_prob"``, ``"margin"``, or a
            function of logits ``(N, C)`` and target ``(N,)``. For a model that returns
            probabilities, ``"logit"`` uses them unchanged.
        samples_per_pass: Largest number of perturbed samples in one forward pass, which bounds
            memory; None for half a MiB of inputs on a CPU, which fits its caches, and 64 MiB on
            other devices.
        progress: Whether to show a progress bar during each update, with an estimate of the
            evaluations of the model; None shows it on a terminal once an update has taken five
            seconds.
        **kwargs: Options of :class:`torchmetrics.Metric`.
    """

    def __init__(
        self,
        masker: Masker,
        *,
        output: OutputName | OutputFunction = "prob",
        samples_per_pass: int | None = None,
        progress: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(masker, Masker):
            raise TypeError(
                f"masker must be a Masker, such as ColumnMasker(n_columns), got {masker!r}"
            )
        self.masker = masker
        self.baseline = masker.baseline  # registered: a fitted mean goes into checkpoints
        self.output = output
        self.evaluation = Evaluation(resolve_output(output), samples_per_pass, progress)

    @property
    @abstractmethod
    def probes(self) -> tuple[Probe, ...]:
        """Where the metric evaluates the model."""

    @property
    def needs_hits(self) -> bool:
        """Whether the metric needs to know if the predicted class is the explained one."""
        return False

    @abstractmethod
    def reduce(self, readings: Readings) -> PerSample:
        """Reduce the outputs of the model at the probes to scores, ``(R,)``.

        Args:
            readings: Saliency and outputs, a row for each sample and explanation.
        """

    def update(
        self,
        model: Forward,
        inputs: Tensor,
        attributions: Tensor,
        target: Tensor | int | None = None,
        *,
        forward_kwargs: Mapping[str, Any] | None = None,
        masker_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a batch.

        Args:
            model: The explained model: inputs ``(N, *S)`` to logits ``(N, C)``. It runs in eval
                mode, without gradients.
            inputs: Inputs, ``(B, *S)``.
            attributions: Attributions ``(B, *S)``, signed, or pooled to saliency ``(B, n)``.
            target: Explained class, ``(B,)`` or one for all; None for the predicted one.
            forward_kwargs: Further keyword arguments of the model, such as an attention mask;
                tensors have B rows. The masker sees them too.
            masker_kwargs: Further data of the samples for the masker alone, such as label maps.

        Raises:
            TypeError: If the attributions are not floating, or the model returns no tensor.
            ValueError: If a shape does not fit, a target is out of range, or inputs, attributions
                or outputs hold NaN or Inf.
        """
        self._take(self._scores(model, inputs, attributions, target, forward_kwargs, masker_kwargs))

    def score(
        self,
        model: Forward,
        inputs: Tensor,
        attributions: Tensor,
        target: Tensor | int | None = None,
        *,
        forward_kwargs: Mapping[str, Any] | None = None,
        masker_kwargs: Mapping[str, Any] | None = None,
    ) -> Tensor:
        """Return the score of each sample, without adding the batch; arguments as in ``update``.

        Returns:
            ``(B,)``, float32 or better.
        """
        return self._scores(
            model, inputs, attributions, target, forward_kwargs, masker_kwargs
        ).values

    @torch.no_grad()
    def _scores(
        self,
        model: Forward,
        inputs: Tensor,
        attributions: Tensor,
        target: Tensor | int | None,
        forward_kwargs: Mapping[str, Any] | None,
        masker_kwargs: Mapping[str, Any] | None,
    ) -> PerSample:
        batch = explained_batch(inputs, target, forward_kwargs, masker_kwargs)
        check_explanations({"attributions": attributions}, batch)
        if not len(batch):
            nothing = torch.zeros(0, device=inputs.device)
            return PerSample(nothing, nothing.bool())
        needs = [Need(self.masker, self.probes, self.needs_hits)]
        size = self.evaluation.rows_per_pass(inputs)
        blocks = zip(batch.blocks(size), attributions.split(size), strict=True)
        parts = []
        with self.evaluation.bar(len(batch)) as bar:
            for block, of_block in blocks:
                (readings,) = self.evaluation(model, block, [of_block], needs, bar)
                with trusted_values():
                    parts.append(self.reduce(readings))
        scores = join(parts)
        check_finite(f"scores of {self.metric_name}", scores.values)
        return scores
