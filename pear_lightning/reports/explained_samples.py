"""Samples with their logits and explanations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import torch
from torch import Tensor

from pear_lightning.explainers import Explainer
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.embedding import embedded
from pear_lightning.scoring.evaluation import copies_that_fit
from pear_lightning.scoring.outputs import OutputFunction, OutputName
from pear_lightning.scoring.scorer import Forward, logits_of

Target = Literal["predicted", "label"]


@dataclass(frozen=True, eq=False)
class ExplainedSamples:
    """Samples of one shape with their logits and explanations.

    Attributes:
        ids: Position of each sample in its data set.
        batch: The samples; the target is the explained class, ``None`` for a model with one output.
        labels: Labels ``(B,)``, if the samples have them.
        logits: ``(B, C)``.
        attributions: ``(B, *S)`` by name of the explainer.
    """

    ids: Sequence[int]
    batch: Batch
    labels: Tensor | None
    logits: Tensor
    attributions: Mapping[str, Tensor]

    @property
    def predicted(self) -> Tensor:
        """Predicted class of each sample ``(B,)``; the output itself if there is only one."""
        return self.logits[:, 0] if self.logits.shape[1] == 1 else self.logits.argmax(dim=1)

    def rows(self, index: Sequence[int]) -> Self:
        """Return some of the samples.

        Args:
            index: Rows.
        """
        at = torch.tensor(index, dtype=torch.long, device=self.logits.device)
        return replace(
            self,
            ids=[self.ids[row] for row in index],
            batch=self.batch.rows(at),
            labels=None if self.labels is None else self.labels[at],
            logits=self.logits[at],
            attributions={name: each[at] for name, each in self.attributions.items()},
        )

    def cpu(self) -> Self:
        """Return the samples with all tensors on the CPU."""
        return replace(
            self,
            batch=self.batch.to("cpu"),
            labels=None if self.labels is None else self.labels.cpu(),
            logits=self.logits.cpu(),
            attributions={name: each.cpu() for name, each in self.attributions.items()},
        )


@torch.no_grad()
def explain_samples(
    forward: Forward,
    batch: Batch,
    ids: Sequence[int],
    explainers: Mapping[str, Explainer],
    *,
    target: Target = "predicted",
    output: OutputName | OutputFunction = "centered_logit",
    points_per_pass: int | None = None,
    embedder: object = None,
) -> ExplainedSamples:
    """Explain the predicted classes or the labels of samples.

    Args:
        forward: The model.
        batch: The samples. Token ids are embedded if an explainer takes gradients and the model can
            embed them.
        ids: Position of each sample in its data set.
        explainers: Explainers by name.
        target: Class that is explained: the ``"predicted"`` one, or the ``"label"``; samples
            without labels are explained at the predicted class.
        output: Scalar that is explained.
        points_per_pass: Largest number of query points of each sample in one pass; ``None`` for as
            many as fit (:func:`~pear_lightning.scoring.evaluation.copies_that_fit`).
        embedder: Module with the method ``embed``, if it is not ``forward``.

    Raises:
        TypeError: See :func:`~pear_lightning.explainers.explain`.
        ValueError: See :func:`~pear_lightning.explainers.explain`.

    Example:
        >>> from pear_lightning.explainers import InputXGradient
        >>> model, batch = torch.nn.Linear(4, 3), Batch(torch.rand(2, 4), torch.tensor([0, 2]))
        >>> found = explain_samples(model, batch, [0, 1], {"product": InputXGradient()})
        >>> found.attributions["product"].shape, found.labels.tolist()
        (torch.Size([2, 4]), [0, 2])
    """
    if any(each.needs_floating_inputs for each in explainers.values()):
        batch = embedded(batch, forward if embedder is None else embedder)
    labels = batch.target
    logits = logits_of(forward, batch)
    if logits.shape[1] == 1:
        batch = batch.explaining(None)
    elif target == "predicted" or labels is None or labels.is_floating_point():
        batch = batch.explaining_predicted(logits)
    else:
        batch = batch.explaining(labels.flatten())
    _, attributions = explain_batch(
        forward,
        batch,
        list(explainers.values()),
        output=output,
        points_per_pass=points_per_pass or copies_that_fit(batch.inputs),
    )
    return ExplainedSamples(
        ids,
        batch,
        labels,
        logits,
        {name: each.detach() for name, each in zip(explainers, attributions, strict=True)},
    )
