"""Token ids, which have no gradient, as the embeddings that a model makes of them."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.eval_mode import module_of


def embedded(batch: Batch, forward: Any) -> Batch:
    """Return a batch with embeddings in the place of token ids, where the model makes them.

    Args:
        batch: The batch.
        forward: The model, a module or a method of one. If the module has a method ``embed``, ids
            ``(B, L)`` to embeddings ``(B, L, D)``, as
            :class:`~pear_lightning.nn.TransformersClassifier` has it, ids are embedded by it, and
            maskers see them as ``input_ids``.

    Returns:
        The batch as it is if its inputs are floating point or the model has no such method.

    Example:
        >>> import torch
        >>> class Text(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.embed = torch.nn.Embedding(9, 4)
        >>> read = embedded(Batch(torch.tensor([[3, 1, 4]])), Text())
        >>> read.inputs.shape, read.masker_kwargs["input_ids"].tolist()
        (torch.Size([1, 3, 4]), [[3, 1, 4]])
    """
    embed: Callable[[Tensor], Tensor] | None = getattr(module_of(forward), "embed", None)
    return batch if embed is None else batch.embedded(embed)
