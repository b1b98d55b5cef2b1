"""A batch of inputs with explanations of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pear_lightning.functional.validation import check_attributions, check_tensor


@dataclass(frozen=True, eq=False)
class ExplainedBatch:
    """Inputs, explanations of them, and what model and maskers need beside.

    Attributes:
        inputs: ``(B, *S)``.
        attributions: E explanations by name, ``(B, *S)`` or pooled ``(B, n)``.
        target: Explained class, ``(B,)``; None for the predicted one.
        forward_kwargs: Keyword arguments of the model; tensors have B rows.
        masker_kwargs: Further data for the maskers alone; tensors have B rows.

    Raises:
        TypeError: If an argument is no tensor, attributions are not floating, or the target is not
            integer.
        ValueError: If numbers of rows differ, or attributions hold NaN or Inf.
    """

    inputs: Tensor
    attributions: Mapping[str, Tensor]
    target: Tensor | None
    forward_kwargs: Mapping[str, Any]
    masker_kwargs: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        inputs: Tensor,
        attributions: Mapping[str, Tensor],
        target: Tensor | int | None,
        forward_kwargs: Mapping[str, Any] | None,
        masker_kwargs: Mapping[str, Any] | None,
    ) -> "ExplainedBatch":
        """Check a batch and put it together."""
        check_tensor("inputs", inputs)
        if isinstance(target, int):
            target = torch.full(inputs.shape[:1], target, device=inputs.device)
        batch = cls(inputs, attributions, target, forward_kwargs or {}, masker_kwargs or {})
        batch._check()
        return batch

    def _check(self) -> None:
        rows = len(self.inputs)
        for name, attributions in self.attributions.items():
            check_attributions(name, attributions)
            if len(attributions) != rows:
                raise ValueError(
                    f"{name} must explain the inputs one by one, ({rows}, ...), got "
                    f"{tuple(attributions.shape)}"
                )
        if self.target is not None:
            check_tensor("target", self.target)
            dtype = self.target.dtype
            if dtype.is_floating_point or dtype.is_complex or dtype == torch.bool:
                raise TypeError(f"target must hold class indices (torch.long), got {dtype}")
            if self.target.shape != (rows,):
                raise ValueError(
                    f"target must have one class index per sample, ({rows},), got "
                    f"{tuple(self.target.shape)}"
                )
        for argument in ("forward_kwargs", "masker_kwargs"):
            for name, value in getattr(self, argument).items():
                if isinstance(value, Tensor) and value.shape[:1] != (rows,):
                    raise ValueError(
                        f"{argument}[{name!r}] must have one row per sample, ({rows}, ...), got "
                        f"{tuple(value.shape)}"
                    )

    def blocks(self, rows: int) -> Iterator["ExplainedBatch"]:
        """Split the batch into blocks of at most so many rows."""
        if len(self.inputs) <= rows:
            yield self
            return
        for start in range(0, len(self.inputs), rows):
            chosen = slice(start, start + rows)
            yield ExplainedBatch(
                self.inputs[chosen],
                _rows(self.attributions, chosen),
                None if self.target is None else self.target[chosen],
                _rows(self.forward_kwargs, chosen),
                _rows(self.masker_kwargs, chosen),
            )


def _rows(values: Mapping[str, Any], rows: slice) -> dict[str, Any]:
    """Take rows of the tensors among the values."""
    return {
        name: value[rows] if isinstance(value, Tensor) else value for name, value in values.items()
    }
