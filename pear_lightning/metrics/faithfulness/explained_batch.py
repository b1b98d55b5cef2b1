"""The arguments of a metric's update, read and checked once."""

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
        TypeError: If an argument is no tensor, or the target is not made of integers.
        ValueError: If numbers of rows differ.
    """
    batch = Batch(inputs, None, None, forward_kwargs or {}, masker_kwargs or {}).explaining(target)
    _ = batch.classes
    return batch


def check_explanations(explanations: Mapping[str, Tensor], batch: Batch) -> None:
    """Raise unless explanations are finite, one for each sample.

    Args:
        explanations: ``(B, *S)`` or pooled ``(B, n)``, by what messages call them.
        batch: The samples.

    Raises:
        TypeError: If one is not floating.
        ValueError: If numbers of rows differ, or one holds NaN or Inf.
    """
    for name, attributions in explanations.items():
        check_attributions(name, attributions)
        if len(attributions) != len(batch):
            raise ValueError(
                f"{name} must explain the inputs one by one, ({len(batch)}, ...), got "
                f"{tuple(attributions.shape)}"
            )
