"""Base class of losses that are functions of attributions."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from typing_extensions import override

from pear_lightning.explainers import Explainer, Gradient
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.explainers.explainer_sets import how_to_train, named_explainers
from pear_lightning.losses.explanation_loss import ExplanationLoss
from pear_lightning.losses.masks import annotated_rows, element_mask
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.outputs import OutputFunction, OutputName, resolve_output
from pear_lightning.scoring.scorer import Forward


class AttributionLoss(ExplanationLoss):
    """Base class of losses that are a function of attributions.

    Subclasses implement :meth:`forward`, a pure function of attributions and mask, and override
    :meth:`default_explainers` if they use other attributions than the gradient. Losses accept
    attributions from any source; :meth:`of_model` computes the attributions of the loss's
    explainers in one pass through the model (:func:`~pear_lightning.explainers.explain`).

    Args:
        explainers: Explainers by name, all differentiable; ``None`` means
            :meth:`default_explainers`.
        output: Scalar that is explained: a name that
            :func:`~pear_lightning.explainers.explain` accepts, or a function of logits and target.

    Raises:
        TypeError: If an entry is not an explainer, or ``explainers`` is not a mapping.
        ValueError: If an explainer is not differentiable or the output is unknown.

    Shapes:
        - attributions: ``(B, *S)`` each
        - mask: ``(B, *S)``, or size 1 in some dimensions
        - output: a scalar, float32 or better
    """

    def __init__(
        self,
        explainers: Mapping[str, Explainer] | Sequence[Explainer] | None = None,
        output: OutputName | OutputFunction = "centered_logit",
    ) -> None:
        super().__init__()
        self.output: OutputName | OutputFunction = output
        self._explainers: nn.ModuleDict | None = None
        self.explain_with(explainers, output)

    @abstractmethod
    def forward(self, *attributions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar.

        Args:
            *attributions: Attributions of each explainer, ``(B, *S)``, in the order of
                :attr:`explainers`.
            mask: ``(B, *S)``, or size 1 in some dimensions; ``None`` if nothing is annotated.
        """

    def default_explainers(self) -> dict[str, Explainer]:
        """Return the explainers used if none are given."""
        return {"gradient": Gradient()}

    @property
    def explainers(self) -> dict[str, Explainer]:
        """Explainers whose attributions are the arguments of :meth:`forward`, by name."""
        if self._explainers is None:
            # built lazily: not needed when attributions are given
            self._explainers = nn.ModuleDict(self.default_explainers())
        return dict(self._explainers.items())  # type: ignore[arg-type]  # they are explainers

    @property
    def differentiates_gradients(self) -> bool:
        """Whether an explainer takes gradients, of which training takes derivatives."""
        return any(each.takes_gradients for each in self.explainers.values())

    @property
    def needs_floating_inputs(self) -> bool:
        """Whether integer inputs, such as token ids, must be embedded first."""
        return any(each.needs_floating_inputs for each in self.explainers.values())

    def explain_with(
        self,
        explainers: Mapping[str, Explainer] | Sequence[Explainer] | None = None,
        output: OutputName | OutputFunction | None = None,
    ) -> Self:
        """Replace the explainers or the explained scalar; ``None`` keeps the current one.

        Args:
            explainers: Explainers by name, or a list, whose explainers are named after their
                classes; all differentiable.
            output: Scalar that is explained.

        Returns:
            This loss.
        """
        if output is not None:
            resolve_output(output)
            self.output = output
        if explainers is not None:
            self._explainers = nn.ModuleDict(_trainable(explainers))
        return self

    @override
    def of_model(
        self, forward: Forward, batch: Any, *, points_per_pass: int | None = None
    ) -> tuple[Tensor | None, Tensor]:
        """Explain the model and return its logits and the loss of its attributions.

        If the loss needs a mask, only annotated rows are explained, provided that they are at most
        half of the batch; without annotated rows, or without samples, the loss is 0 and the model
        is not evaluated.

        Args:
            forward: The model: inputs ``(N, *S)`` to logits ``(N, C)``.
            batch: Anything that :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads.
            points_per_pass: Largest number of query points of each sample in one pass.

        Returns:
            Logits ``(B, C)`` of the model in eval mode, or ``None`` if not all rows are evaluated;
            and the loss, a scalar.

        Raises:
            TypeError: If the target does not hold integers.
            ValueError: If a shape or a value is wrong, or the loss is not a scalar.
        """
        batch = Batch.of(batch)
        _ = batch.classes  # checks the whole batch, before rows are selected
        if not len(batch):
            return None, self.nothing(batch.inputs)
        # a loss that is not about annotations leaves masks of any form alone
        mask = element_mask(batch, self.mask_features) if self.needs_mask else None
        rows = self._rows_to_explain(batch.inputs, mask)
        if rows is not None and not len(rows):
            return None, self.nothing(batch.inputs)
        explained = batch if rows is None else batch.rows(rows)
        logits, attributions = explain_batch(
            forward,
            explained,
            list(self.explainers.values()),
            output=self.output,
            points_per_pass=points_per_pass,
        )
        self.look_at_logits(logits, explained)
        if rows is not None:
            attributions = [  # attributions of a layer need not have the inputs' shape
                each.new_zeros(len(batch), *each.shape[1:]).index_copy(0, rows, each)
                for each in attributions
            ]
        loss = self.of_attributions(attributions, mask, batch)
        if loss.ndim:
            raise ValueError(
                f"{type(self).__name__} must return a scalar to train a model, got shape "
                f"{tuple(loss.shape)}; choose a reduction over the batch"
            )
        return (logits if rows is None else None), loss

    def look_at_logits(self, logits: Tensor, batch: Batch) -> None:
        """Look at the logits of the samples that were explained; most losses do not.

        Args:
            logits: Logits ``(B, C)`` of the model in eval mode.
            batch: What was explained.
        """

    def of_attributions(
        self, attributions: Sequence[Tensor], mask: Tensor | None, batch: Batch
    ) -> Tensor:
        """Return the loss, a scalar, of attributions that :meth:`of_model` computed.

        Args:
            attributions: Attributions of each explainer, ``(B, *S)``.
            mask: Mask of the elements of the inputs, or ``None``.
            batch: The explained batch.
        """
        return self(*attributions, mask=mask)  # type: ignore[no-any-return]

    def _rows_to_explain(self, inputs: Tensor, mask: Tensor | None) -> Tensor | None:
        """Return the indices of the rows to explain, or ``None`` to explain the whole batch."""
        if not self.needs_mask:
            return None
        if mask is None:
            return torch.zeros(0, dtype=torch.long, device=inputs.device)
        if torch.compiler.is_compiling():
            return None
        rows = annotated_rows(mask).nonzero().squeeze(1)
        return rows if 2 * len(rows) <= len(inputs) else None


def _trainable(explainers: Mapping[str, Explainer] | Sequence[Explainer]) -> dict[str, Explainer]:
    """Return explainers by name, and raise if one cannot train a model."""
    named = named_explainers("explainers", explainers)
    for name, explainer in named.items():
        if not explainer.differentiable:
            raise ValueError(
                f"explainers[{name!r}] must be differentiable to train a model, got "
                f"{type(explainer).__name__}, {how_to_train(explainer)}"
            )
    return named
