"""Numbers that identify samples by their inputs, and models by their weights."""

import re
from typing import Any
from zlib import crc32

import torch
from torch import Tensor

from pear_lightning.functional.hashed_random import sample_seeds
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.modules_behind import modules_behind


def fingerprint(batch: Batch) -> Tensor:
    """Return a number for each sample, computed from its inputs, ``(B,)`` long.

    It is the same in every batch: tokens that ``attention_mask`` ``(B, T)`` excludes do not count.

    Args:
        batch: The samples.

    Example:
        >>> import torch
        >>> short = Batch(torch.tensor([[5, 7]]), None, None, {"attention_mask": torch.ones(1, 2)})
        >>> ids, mask = torch.tensor([[5, 7, 0]]), torch.tensor([[1, 1, 0]])
        >>> padded = Batch(ids, None, None, {"attention_mask": mask})
        >>> bool(fingerprint(short) == fingerprint(padded))
        True
    """
    return sample_seeds(batch.inputs, where=tokens_of(batch))


def tokens_of(batch: Batch) -> Tensor | None:
    """Return which elements of texts are no padding, bool, broadcastable to ``(B, T)`` and so on.

    Args:
        batch: The samples.

    Returns:
        ``None`` for samples without ``attention_mask`` ``(B, T)``.

    Example:
        >>> mask = torch.tensor([[1, 1, 0]])
        >>> tokens_of(Batch(torch.rand(1, 3, 4), None, None, {"attention_mask": mask})).shape
        torch.Size([1, 3, 1])
    """
    inputs, mask = batch.inputs, batch.sample_data.get("attention_mask")
    if not isinstance(mask, Tensor) or mask.shape != inputs.shape[:2]:
        return None
    return mask.bool().view(*mask.shape, *(1 for _ in inputs.shape[2:]))


def leading_padding(batch: Batch) -> Tensor | None:
    """Return how many positions of padding come before each text, ``(B,)`` long.

    Args:
        batch: The samples.

    Returns:
        ``None`` for samples without ``attention_mask`` ``(B, T)``.

    Example:
        >>> import torch
        >>> ids, mask = torch.tensor([[0, 5, 7]]), torch.tensor([[0, 1, 1]])
        >>> leading_padding(Batch(ids, None, None, {"attention_mask": mask}))
        tensor([1])
    """
    tokens = tokens_of(batch)
    if tokens is None:
        return None
    return (tokens.view(batch.inputs.shape[:2]).cumsum(dim=1) == 0).sum(dim=1)


def model_fingerprint(forward: Any) -> int:
    """Return a number that identifies a model: its layers and weights, on any device.

    Of a module that learns something else than weights, the result of its method
    ``fitted_checksum`` counts, too, as of a :class:`~pear_lightning.nn.SklearnClassifier`.

    Args:
        forward: A module or a callable. Of a callable without modules, only the name counts.

    Example:
        >>> layer = torch.nn.Linear(2, 1)
        >>> before = model_fingerprint(layer)
        >>> _ = layer.weight.data.add_(1)
        >>> before == model_fingerprint(layer)
        False
    """
    value = 0
    owners = modules_behind(forward)
    for owner in owners:
        own = getattr(owner, "_orig_mod", owner)  # of a compiled module
        value = crc32(described(own).encode(), value)
        for name, each in own.state_dict().items():
            if isinstance(each, Tensor):
                stored = each.detach().cpu().contiguous().flatten()
                data = stored.view(torch.uint8) if stored.numel() else stored
                value = crc32(data.numpy().tobytes(), crc32(name.encode(), value))
        for part in own.modules():
            if (checksum := getattr(part, "fitted_checksum", None)) is not None:
                value = crc32(str(checksum()).encode(), value)
    name = getattr(forward, "__qualname__", type(forward).__qualname__)
    return value if owners else crc32(name.encode())


def described(value: Any) -> str:
    """Return ``repr`` without addresses in memory, the same in every process.

    Args:
        value: Anything.

    Example:
        >>> described(object())
        '<object object>'
    """
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))
