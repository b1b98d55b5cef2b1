"""A model that counts its evaluations."""

from typing import Any

from torch import Tensor

from pear_lightning.scoring.eval_mode import module_of
from pear_lightning.scoring.scorer import Forward


class CountedModel:
    """A model that counts the rows that it is evaluated at.

    Code that looks for the module behind the model (for eval mode, layers or embeddings) finds that
    of the original.

    Args:
        forward: The model; maps inputs ``(N, *S)`` to logits ``(N, C)``.

    Attributes:
        rows: Number of rows so far.

    Example:
        >>> import torch
        >>> model = CountedModel(torch.nn.Linear(3, 2))
        >>> _ = model(torch.rand(4, 3)), model(torch.rand(5, 3))
        >>> model.rows
        9
    """

    def __init__(self, forward: Forward) -> None:
        self.forward = forward
        self.__self__ = module_of(forward)  # as a bound method has it
        self.rows = 0

    def __call__(self, inputs: Tensor, **kwargs: Any) -> Tensor:
        """Evaluate the model, and count."""
        self.rows += len(inputs)
        return self.forward(inputs, **kwargs)
