"""Evaluation of the model at perturbed copies of samples, with some features removed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pear_lightning.masking.bound_masker import BoundMasker
from pear_lightning.scoring.scorer import Scorer

# small enough for the caches of a CPU; one pass of a small network has only a few hundred logits
_LOGITS_READ_TOGETHER = 2**16

Read = Callable[[Tensor, Tensor], tuple[Tensor, ...]]
"""Maps scores ``(k, B)`` and logits ``(k, B, C)`` of passes to the values to keep, ``(k, ...)``."""


@dataclass(frozen=True, eq=False)
class CopySet:
    """K perturbed copies of every sample of a batch.

    Attributes:
        bound: The features.
        n_copies: Number of copies K.
        keep: Maps numbers of copies ``(k,)`` long to the features left in place in them,
            ``(k, B, n)`` or ``(k, 1, n)`` bool.
        draws: Maps numbers of copies ``(k,)`` to the draw of a random baseline that each copy uses,
            ``(k,)`` long, or None for ``bound.draw``.
    """

    bound: BoundMasker
    n_copies: int
    keep: Callable[[Tensor], Tensor]
    draws: Callable[[Tensor], Tensor | None] = lambda points: points

    def copies(self, points: Tensor) -> Tensor:
        """Return the copies with the given numbers, ``(k, B, *S)``.

        Args:
            points: Numbers of copies, ``(k,)`` long.
        """
        copies = self.bound.removed(self.keep(points), self.draws(points))
        return copies.expand(len(points), *self.bound.inputs.shape)


def n_passes(sets: Sequence[CopySet], copies_per_pass: int | None) -> int:
    """Return the number of forward passes of :func:`evaluate_copies`.

    Args:
        sets: The copies.
        copies_per_pass: At most this many copies of each sample in one pass; None for all.
    """
    total = sum(each.n_copies for each in sets)
    return -(-total // (copies_per_pass or max(1, total)))


def evaluate_copies(
    scorer: Scorer,
    sets: Sequence[CopySet],
    *,
    copies_per_pass: int | None = None,
    read: Read = lambda scores, logits: (scores,),
    advance: Callable[[], None] = lambda: None,
) -> list[tuple[Tensor, ...]]:
    """Run the model on all copies of all sets, in as few passes as ``copies_per_pass`` allows.

    This is the only place in which the model is evaluated with features removed. With gradients
    enabled, the scores carry the graph to the model's weights, by first derivatives alone.

    Args:
        scorer: The explained scalar.
        sets: Copies of the scorer's samples; a pass may hold copies of several sets.
        copies_per_pass: At most this many copies of each sample in one pass; None for all.
        read: Returns the values to keep from the scores and logits of one or more passes.
        advance: Called after each pass.

    Returns:
        The values kept for each set, ``(K, ...)``; an empty tuple for a set without copies.

    Example:
        >>> from pear_lightning.masking import ColumnMasker
        >>> from pear_lightning.scoring import Batch, resolve_output
        >>> model, batch = torch.nn.Linear(3, 1), Batch(torch.rand(4, 3))
        >>> scorer = Scorer(model, batch, resolve_output("logit"))
        >>> bound = ColumnMasker(3).bind(batch.inputs)
        >>> empty = CopySet(bound, 1, lambda points: torch.zeros(1, 1, 3, dtype=torch.bool))
        >>> [(scores,)] = evaluate_copies(scorer, [empty])
        >>> bool(torch.allclose(scores, model.bias.expand(1, 4)))
        True
    """
    kept: list[list[tuple[Tensor, ...]]] = [[] for _ in sets]
    waiting: list[tuple[int, Tensor]] = []  # logits of each part, to be read together

    def read_waiting() -> None:
        if not waiting:
            return
        logits = _joined([each for _, each in waiting])
        scores = scorer.scores_of(logits.flatten(0, 1), len(logits)).unflatten(0, logits.shape[:2])
        sizes = [len(each) for _, each in waiting]
        of_parts = zip(*(each.split(sizes) for each in read(scores, logits)), strict=True)
        for (number, _), chunk in zip(waiting, of_parts, strict=True):
            kept[number].append(chunk)
        waiting.clear()

    n_samples = len(scorer.batch)
    for parts in _passes(sets, copies_per_pass, scorer.batch.inputs.device):
        made = [sets[number].copies(points) for number, points in parts]
        rows = (made[0] if len(made) == 1 else torch.cat(made)).flatten(0, 1)
        sizes = [len(points) for _, points in parts]
        logits = scorer.logits_of_rows(rows, sum(sizes)).unflatten(0, (sum(sizes), n_samples))
        chunks = zip(parts, logits.split(sizes), strict=True)
        waiting += [(number, chunk) for (number, _), chunk in chunks]
        advance()
        if sum(chunk.numel() for _, chunk in waiting) >= _LOGITS_READ_TOGETHER:
            read_waiting()
    read_waiting()
    return [tuple(map(_joined, zip(*chunks, strict=True))) for chunks in kept]


def evaluate_with_samples(
    scorer: Scorer, sets: Sequence[CopySet]
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Evaluate the samples and all copies of them together.

    Args:
        scorer: The explained scalar; ``points_per_pass`` bounds the copies of a sample in one pass.
        sets: Copies of the scorer's samples.

    Returns:
        Scores ``(B,)`` and logits ``(B, C)`` of the samples, and scores ``(K, B)`` of each set.
    """
    bound = sets[0].bound
    whole = torch.ones(1, 1, bound.n_features, dtype=torch.bool, device=bound.inputs.device)
    both = evaluate_copies(
        scorer,
        [CopySet(bound, 1, lambda points: whole), *sets],
        copies_per_pass=scorer.points_per_pass,
        read=lambda scores, logits: (scores, logits),
    )
    (own, logits), *of_copies = both
    return own[0], logits[0], [scores for scores, _ in of_copies]


def _passes(
    sets: Sequence[CopySet], at_once: int | None, device: torch.device
) -> Iterator[list[tuple[int, Tensor]]]:
    """Split all copies into passes: pairs of the number of a set and numbers of its copies."""
    parts: list[tuple[int, Tensor]] = []
    room = at_once = at_once or max(1, sum(each.n_copies for each in sets))
    for number, each in enumerate(sets):
        points = torch.arange(each.n_copies, device=device)
        while len(points):
            parts.append((number, points[:room]))
            points, room = points[room:], room - len(parts[-1][1])
            if room == 0:
                yield parts
                parts, room = [], at_once
    if parts:
        yield parts


def _joined(chunks: Sequence[Tensor]) -> Tensor:
    return chunks[0] if len(chunks) == 1 else torch.cat(list(chunks))
