"""Replacement of token ids, which have no gradient, by the embeddings of a model."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.eval_mode import module_of


def embedded(batch: Batch, forward: Any) -> Batch:
    """Return a batch whose token ids are replaced by embeddings, if the model can embed them.

    Args:
        batch: The batch.
        forward: A module or a method of a module. If the module, or its ``backbone``, has a method
            ``embed``, which maps ids ``(B, L)`` to embeddings ``(B, L, D)``, as in
            :class:`~pear_lightning.nn.TransformersClassifier`, it embeds the ids, and maskers
            receive the ids as ``input_ids``.

    Returns:
        The batch with embeddings; the batch itself if its inputs are floating point or the model
        has no such method.

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
    owner = module_of(forward)
    backbone = getattr(owner, "backbone", None)
    embed: Callable[[Tensor], Tensor] | None = getattr(
        owner, "embed", getattr(backbone, "embed", None)
    )
    return batch if embed is None else batch.embedded(embed)
