"""Numbers that identify samples by their inputs."""

from torch import Tensor

from pear_lightning.functional.hashed_random import sample_seeds
from pear_lightning.scoring.batch import Batch


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
    inputs, mask = batch.inputs, batch.sample_data.get("attention_mask")
    if not isinstance(mask, Tensor) or mask.shape != inputs.shape[:2]:
        return sample_seeds(inputs)
    where = mask.bool().view(*mask.shape, *(1 for _ in inputs.shape[2:]))
    return sample_seeds(inputs, where=where)
