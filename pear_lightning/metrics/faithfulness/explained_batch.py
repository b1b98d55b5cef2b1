"""Reads and checks the arguments of a metric's ``update``."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pear_lightning.functional.validation import check_attributions
from pear_lightning.scoring.batch import Batch


def explained_batch(
    inputs: Tensor,
    target: Tensor | int | None,
    forward_kwargs: Mapping[str, Any] | None,
    masker_kwargs: Mapping[str, Any] | None = None,
) -> Batch:
    """Return a batch whose target is the explained class.

    Args:
        inputs: Inputs, ``(B, *S)``.
        target: Explained class, ``(B,)`` or one for all; None for the predicted one.
        forward_kwargs: Further keyword arguments of the model.
        masker_kwargs: Further data of the samples for the maskers alone.

    Raises:
        TypeError: If an argument is not a tensor, or the target does not hold integers.
        ValueError: If numbers of rows differ.
    """
    batch = Batch(inputs, None, None, forward_kwargs or {}, masker_kwargs or {}).explaining(target)
    _ = batch.classes
    return batch


def check_explanations(explanations: Mapping[str, Tensor], batch: Batch) -> None:
    """Raise unless explanations are finite and have one row for each sample.

    Args:
        explanations: ``(B, *S)`` or pooled ``(B, n)``, by their name in error messages.
        batch: The samples.

    Raises:
        TypeError: If one is not floating.
        ValueError: If numbers of rows differ, or one holds NaN or Inf.
    """
    for name, attributions in explanations.items():
        check_attributions(name, attributions)
        if len(attributions) != len(batch):
            raise ValueError(
                f"{name} must have one row for each of the {len(batch)} inputs, "
                f"got shape {tuple(attributions.shape)}"
            )
