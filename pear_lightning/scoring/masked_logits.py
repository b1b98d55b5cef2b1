"""Logits of a model with features removed, in full or in part, with a graph."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor

from pear_lightning.functional.hashed_random import derived_seeds
from pear_lightning.masking.bound_masker import BoundMasker
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.eval_mode import eval_mode
from pear_lightning.scoring.modules_behind import modules_behind
from pear_lightning.scoring.outputs import sum_logit
from pear_lightning.scoring.scorer import Forward, Scorer, as_logits, run_model


def masked_logits(
    forward: Forward,
    batch: Batch,
    bound: BoundMasker,
    keep: Tensor,
    *,
    frozen: bool,
    seed: int = 0,
    numbers: Tensor | None = None,
) -> Tensor:
    r"""Return logits of copies with features removed, with the graph to the model or to the mask.

    .. math:: x_V = V ⊙ x + (1 - V) ⊙ b

    Args:
        forward: The model; maps inputs ``(N, *S)`` to logits ``(N, C)``.
        batch: The samples.
        bound: Their features.
        keep: V, ``(K, B, n)``: bool, or a share of each feature that is left in place, in [0, 1],
            which needs inputs in floating point. Features that a sample lacks are never removed.
        frozen: Whether the model is a given one: in eval mode, in its own precision, and without
            gradients of its weights. Otherwise it is run as it is.
        seed: Each copy has its own draw of a random baseline; another seed gives other draws.
        numbers: Number of each copy, ``(K,)`` long, which determines its draw with the seed;
            ``None`` for 0 .. K - 1.

    Returns:
        ``(K, B, C)``.

    Raises:
        TypeError: If shares are given for token ids.

    Example:
        >>> from pear_lightning.masking import ColumnMasker
        >>> model, inputs = torch.nn.Linear(3, 1), torch.ones(2, 3)
        >>> share = torch.full((1, 2, 3), 0.5, requires_grad=True)
        >>> found = masked_logits(
        ...     model, Batch(inputs), ColumnMasker(3).bind(inputs), share, frozen=True
        ... )
        >>> found.sum().backward()
        >>> bool((share.grad == model.weight).all()), model.weight.grad
        (True, None)
    """
    if numbers is None:
        numbers = torch.arange(len(keep), device=keep.device)
    draws = derived_seeds(numbers, "copies", seed)
    hard = keep.dtype == torch.bool
    copies = bound.removed(keep, draws) if hard else _mixed(bound, keep, draws)
    copies = copies.expand(len(keep), *bound.inputs.shape)
    kwargs = Scorer(forward, batch.explaining(None), sum_logit).repeat_kwargs(len(keep))
    rows = copies.flatten(0, 1)
    with _given(forward, rows.device) if frozen else nullcontext():
        logits = as_logits(run_model(forward, rows, kwargs), len(rows))
    found: Tensor = logits.unflatten(0, copies.shape[:2])
    return found


def _mixed(bound: BoundMasker, share: Tensor, draws: Tensor) -> Tensor:
    inputs = bound.inputs
    if not inputs.is_floating_point():
        raise TypeError(
            "inputs must be floating point for features that are removed in part, got "
            f"{inputs.dtype}; use a model with a method embed, which maps token ids to embeddings"
        )
    nothing = torch.zeros(1, 1, bound.n_features, dtype=torch.bool, device=inputs.device)
    empty = bound.removed(nothing, draws)  # (1, B, *S) unless the baseline is random
    padded = torch.cat([share, share.new_ones(*share.shape[:2], 1)], dim=2)
    index = bound.feature_map.where(bound.feature_map >= 0, bound.n_features)
    index = index.expand(len(inputs), *index.shape[1:])
    weights = padded.gather(2, index.flatten(1).expand(len(padded), -1, -1))
    weights = weights.view(len(padded), *index.shape).to(inputs.dtype)
    return empty + weights * (inputs - empty)


@contextmanager
def _given(forward: Forward, device: torch.device) -> Iterator[None]:
    """Run a model in eval mode and in its own precision, without gradients of its weights."""
    owners = modules_behind(forward)
    weights = [each for owner in owners for each in owner.parameters() if each.requires_grad]
    for each in weights:
        each.requires_grad_(False)
    try:
        with eval_mode(forward), torch.autocast(device.type, enabled=False):
            yield
    finally:
        for each in weights:
            each.requires_grad_(True)
