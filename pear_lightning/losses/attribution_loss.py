"""Losses of attributions, and how they come by them."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from typing_extensions import override

from pear_lightning.explainers import Explainer, Gradient
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.losses.explanation_loss import ExplanationLoss
from pear_lightning.losses.masks import annotated_rows, element_mask
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.outputs import OutputFunction, OutputName, resolve_output
from pear_lightning.scoring.scorer import Forward


class AttributionLoss(ExplanationLoss):
    """A function of attributions, which knows what attributions it wants.

    Subclasses implement :meth:`forward`, a pure function of attributions and mask, and override
    :meth:`default_explainers` where the gradient is not what they are about. They may be called
    with attributions of any origin; :meth:`of_model` computes those that the loss asks for, in one
    pass through the model (:func:`~pear_lightning.explainers.explain`).

    Args:
        explainers: Explainers by name, all differentiable; ``None`` for the loss's own.
        output: Scalar that is explained: a name that
            :func:`~pear_lightning.explainers.explain` knows, or a function of logits and target.

    Raises:
        TypeError: If something is not an explainer, or ``explainers`` gives no names.
        ValueError: If an explainer is not differentiable or the output is not known.

    Shapes:
        - attributions: ``(B, *S)`` each
        - mask: ``(B, *S)``, or 1 in some dimensions
        - output: a scalar, float32 or better
    """

    differentiates_gradients: ClassVar[bool] = True

    def __init__(
        self,
        explainers: Mapping[str, Explainer] | None = None,
        output: OutputName | OutputFunction = "logit",
    ) -> None:
        super().__init__()
        self.output: OutputName | OutputFunction = output
        self._explainers: nn.ModuleDict | None = None
        self.explain_with(explainers, output)

    @abstractmethod
    def forward(self, *attributions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the loss.

        Args:
            *attributions: Attributions of each explainer, ``(B, *S)``, in the order of
                :attr:`explainers`.
            mask: ``(B, *S)``, or 1 in some dimensions; ``None`` where there are no annotations.

        Returns:
            Scalar.
        """

    def default_explainers(self) -> dict[str, Explainer]:
        """Return the explainers of a loss that was given none."""
        return {"gradient": Gradient()}

    @property
    def explainers(self) -> dict[str, Explainer]:
        """Explainers whose attributions the loss takes, by name."""
        if self._explainers is None:
            # made when first asked for: whoever brings attributions need not carry them
            self._explainers = nn.ModuleDict(self.default_explainers())
        return dict(self._explainers.items())  # type: ignore[arg-type]  # they are explainers

    @property
    def needs_floating_inputs(self) -> bool:
        """Whether integer inputs, such as token ids, must be embedded first."""
        return any(each.needs_floating_inputs for each in self.explainers.values())

    def explain_with(
        self,
        explainers: Mapping[str, Explainer] | None = None,
        output: OutputName | OutputFunction | None = None,
    ) -> Self:
        """Choose other explainers, or another explained scalar; ``None`` leaves what is there.

        Args:
            explainers: Explainers by name, all differentiable.
            output: Scalar that is explained.

        Returns:
            The loss.
        """
        if output is not None:
            resolve_output(output)
            self.output = output
        if explainers is not None:
            _check_explainers(explainers)
            self._explainers = nn.ModuleDict(dict(explainers))
        return self

    @override
    def of_model(
        self, forward: Forward, batch: Any, *, points_per_pass: int | None = None
    ) -> tuple[Tensor | None, Tensor]:
        """Explain the model and return its logits and the loss of its attributions.

        A loss that needs a mask explains the annotated rows only, where they are the smaller half
        of the batch, and nothing where there are none.

        Args:
            forward: The model: inputs ``(N, *S)`` to logits ``(N, C)``.
            batch: What :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads.
            points_per_pass: Bound on the query points of each sample in one pass.

        Returns:
            Logits ``(B, C)`` of the model in eval mode, or ``None`` where not all rows went
            through it; and the loss, a scalar.

        Raises:
            TypeError: If the target is not made of integers.
            ValueError: If a shape or a value is wrong, or the loss is not a scalar.
        """
        batch = Batch.of(batch)
        _ = batch.classes  # of the whole batch, before rows are chosen
        mask = element_mask(batch, self.mask_features)
        rows = self._rows_to_explain(batch.inputs, mask)
        if rows is not None and not len(rows):
            return None, self.nothing(batch.inputs)
        logits, attributions = explain_batch(
            forward,
            batch if rows is None else batch.rows(rows),
            list(self.explainers.values()),
            output=self.output,
            points_per_pass=points_per_pass,
        )
        if rows is not None:
            attributions = [  # some, of a layer, are not shaped like the inputs
                each.new_zeros(len(batch), *each.shape[1:]).index_copy(0, rows, each)
                for each in attributions
            ]
        loss = self.of_attributions(attributions, mask, batch)
        if loss.ndim:
            raise ValueError(
                f"{type(self).__name__} returned {tuple(loss.shape)}, and only a scalar can be "
                "trained: choose a reduction over the batch"
            )
        return (logits if rows is None else None), loss

    def of_attributions(
        self, attributions: Sequence[Tensor], mask: Tensor | None, batch: Batch
    ) -> Tensor:
        """Return the loss of attributions that :meth:`of_model` computed.

        Args:
            attributions: Attributions of each explainer, ``(B, *S)``.
            mask: Mask of the elements of the inputs, or ``None``.
            batch: What was explained.

        Returns:
            Scalar.
        """
        return self(*attributions, mask=mask)  # type: ignore[no-any-return]

    def _rows_to_explain(self, inputs: Tensor, mask: Tensor | None) -> Tensor | None:
        """Return the indices of the rows that matter, or ``None`` to take the batch as it is."""
        if not self.needs_mask:
            return None
        if mask is None:
            return torch.zeros(0, dtype=torch.long, device=inputs.device)
        if torch.compiler.is_compiling():
            return None
        rows = annotated_rows(mask).nonzero().squeeze(1)
        return rows if 2 * len(rows) <= len(inputs) else None


def _check_explainers(explainers: Mapping[str, Explainer]) -> None:
    if not isinstance(explainers, Mapping):
        raise TypeError(
            "explainers must be a mapping of names to explainers, such as "
            f"{{'gradient': Gradient()}}, got {explainers!r}"
        )
    if not explainers:
        raise ValueError("explainers must name at least one explainer, got none")
    for name, explainer in explainers.items():
        if not isinstance(explainer, Explainer):
            raise TypeError(
                f"explainers[{name!r}] must be an Explainer, got {type(explainer).__name__}"
            )
        if not explainer.differentiable:
            raise ValueError(
                f"explainers[{name!r}], {type(explainer).__name__}, cannot train a model: its "
                "attributions carry no gradient to the weights; use gradient explainers"
            )
