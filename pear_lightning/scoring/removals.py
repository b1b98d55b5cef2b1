"""Outputs of the model with subsets of features removed, for losses of learned explainers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any
from zlib import crc32

import torch
from torch import Tensor

from pear_lightning.functional.hashed_random import derived_seeds
from pear_lightning.functional.ranks import hard_ranks
from pear_lightning.functional.validation import at_least_float32, check_finite
from pear_lightning.masking.bound_masker import BoundMasker
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.eval_mode import eval_mode
from pear_lightning.scoring.evaluation import copies_that_fit
from pear_lightning.scoring.fingerprint import described
from pear_lightning.scoring.game import Game
from pear_lightning.scoring.outputs import OutputFunction, explained_scalars, sum_logit
from pear_lightning.scoring.perturbed_copies import evaluate_copies
from pear_lightning.scoring.scorer import Forward, Scorer
from pear_lightning.scoring.subset_laws import SubsetLaw, seeded_numbers


@dataclass(frozen=True, eq=False)
class Removals:
    """Logits of a model at copies of samples with subsets of features removed.

    They can be stored and used again: any scalar of the logits, of any class, is computed from them
    without another evaluation of the model.

    Attributes:
        keep: Features left in place, ``(B, K, n)`` bool; true for features that a sample does not
            have.
        logits: Logits at the copies, ``(B, K, C)``.
        original: Logits at the samples themselves, ``(B, C)``.
        weights: Weight of each subset among those of its law, ``(B, K)``; 0 for entries that only
            pad.
        laws: Code of the law of each subset (see :func:`law_code`), ``(B, K)`` long.

    Raises:
        ValueError: If shapes do not fit.
    """

    keep: Tensor
    logits: Tensor
    original: Tensor
    weights: Tensor
    laws: Tensor

    def __post_init__(self) -> None:
        """Check the shapes."""
        shape = self.keep.shape[:2]
        shapes = [self.logits.shape[:2], self.weights.shape, self.laws.shape]
        fits = self.keep.ndim == 3 and self.logits.ndim == 3 and all(s == shape for s in shapes)
        if not fits or self.original.shape != (shape[0], self.logits.shape[2]):
            given = {each.name: tuple(getattr(self, each.name).shape) for each in fields(self)}
            raise ValueError(
                "removals must have keep (B, K, n), logits (B, K, C), original (B, C), weights "
                f"(B, K) and laws (B, K), got {given}"
            )

    @classmethod
    def of(cls, stored: Any) -> "Removals":
        """Read stored removals.

        Args:
            stored: Removals, which are returned unchanged, or a mapping of the names of the
                attributes to tensors.

        Raises:
            TypeError: If it is neither, or a name is missing.
        """
        if isinstance(stored, Removals):
            return stored
        names = [each.name for each in fields(cls)]
        if not isinstance(stored, Mapping) or set(stored) != set(names):
            given = sorted(stored) if isinstance(stored, Mapping) else type(stored).__name__
            raise TypeError(f"removals must be a mapping with the names {names}, got {given}")
        return cls(**stored)

    def __len__(self) -> int:
        """Return the number of samples B."""
        return len(self.keep)

    def as_dict(self) -> dict[str, Tensor]:
        """Return the tensors by name, which :meth:`of` reads."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def rows(self, index: Tensor | slice) -> "Removals":
        """Return the removals of some of the samples.

        Args:
            index: Indices ``(A,)`` long, a mask ``(B,)`` bool, or a slice.
        """
        return Removals(**{name: each[index] for name, each in self.as_dict().items()})

    def to(self, device: torch.device) -> "Removals":
        """Move all tensors to a device.

        Args:
            device: The device.
        """
        return Removals(**{name: each.to(device) for name, each in self.as_dict().items()})

    def removed_sums(self, saliency: Tensor) -> Tensor:
        """Return the summed saliency of the removed features, ``(B, K)`` or ``(B, K, C)``.

        The sums have the dtype of the saliency, also under autocast.

        Args:
            saliency: ``(B, n)``, or ``(B, n, C)`` for all classes.
        """
        removed = (~self.keep).to(saliency.dtype)
        formula = "bkn,bn->bk" if saliency.ndim == 2 else "bkn,bnc->bkc"
        with torch.autocast(saliency.device.type, enabled=False):
            return torch.einsum(formula, removed, saliency)

    def scores(self, output: OutputFunction, target: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return an explained scalar of the copies and of the samples.

        Args:
            output: Maps logits ``(N, C)`` and target ``(N,)`` to scalars ``(N,)``.
            target: Explained class of each sample, ``(B,)``; ``None`` for all classes.

        Returns:
            Scores of the copies ``(B, K)`` and of the samples ``(B, 1)``; with a last dimension C
            for all classes. Float32 or better.

        Raises:
            ValueError: If the output is not one scalar per row.
        """
        logits = torch.cat([self.original[:, None], self.logits], dim=1)
        rows = at_least_float32(logits.flatten(0, 1))
        if target is not None:
            repeated = target[:, None].expand(-1, logits.shape[1]).flatten()
            both = explained_scalars(output, rows, repeated).unflatten(0, logits.shape[:2])
        else:
            classes = torch.arange(logits.shape[2], device=logits.device)
            of_class = [explained_scalars(output, rows, each.expand(len(rows))) for each in classes]
            both = torch.stack(of_class, dim=-1).unflatten(0, logits.shape[:2])
        return both[:, 1:], both[:, :1]

    def drops(self, output: OutputFunction, target: Tensor | None) -> Tensor:
        """Return how much an explained scalar drops; 0 where the drop is a rounding error.

        Args:
            output: See :meth:`scores`.
            target: See :meth:`scores`.

        Returns:
            ``(B, K)``, or ``(B, K, C)`` for all classes; float32 or better.
        """
        scores, original = self.scores(output, target)
        drops = original - scores
        rounding = 8 * torch.finfo(drops.dtype).eps * torch.maximum(scores.abs(), original.abs())
        return drops.masked_fill(drops.abs() <= rounding, 0)


def law_code(number: int, law: SubsetLaw) -> int:
    """Return a number that identifies a law of subsets, so that stored ones are not mixed up.

    Args:
        number: Its place among the laws of a loss.
        law: The law, with its settings.

    Example:
        >>> from pear_lightning.scoring import BernoulliLaw, UniformSizeLaw
        >>> law_code(0, BernoulliLaw()) == law_code(0, UniformSizeLaw())
        False
    """
    return crc32(f"{number} {described(law)}".encode())


@torch.no_grad()
def remove_subsets(
    forward: Forward,
    batch: Batch,
    bound: BoundMasker,
    laws: Sequence[tuple[SubsetLaw, int]],
    *,
    seed: int = 0,
    saliency: Tensor | None = None,
    samples_per_pass: int | None = None,
) -> Removals:
    """Evaluate a model with subsets of features removed, without gradients and in eval mode.

    The model is evaluated in its own precision, outside of autocast.

    Subsets are drawn for each sample from its values and the seed, so a sample has the same subsets
    and the same draws of a random baseline in every batch and process; a sample with few features
    has all subsets (see :meth:`SubsetLaw.subsets`).

    Args:
        forward: The model; maps inputs ``(N, *S)`` to logits ``(N, C)``. It need not be
            differentiable.
        batch: The samples.
        bound: Their features.
        laws: Laws of the subsets, and the largest number of subsets of each.
        seed: Seed of the subsets.
        saliency: ``(B, n)``, for laws that follow the order of an explanation.
        samples_per_pass: Largest number of perturbed samples in one forward pass; ``None`` as in
            :class:`~pear_lightning.scoring.evaluation.Evaluation`.

    Raises:
        ValueError: If the model returns NaN or Inf.

    Example:
        >>> from pear_lightning.masking import ColumnMasker
        >>> from pear_lightning.scoring import BernoulliLaw
        >>> model, inputs = torch.nn.Linear(8, 2), torch.rand(4, 8)
        >>> bound = ColumnMasker(8).bind(inputs)
        >>> removals = remove_subsets(model, Batch(inputs), bound, [(BernoulliLaw(), 10)])
        >>> removals.keep.shape, removals.logits.shape
        (torch.Size([4, 10, 8]), torch.Size([4, 10, 2]))
    """
    # in the model's own precision: drops of rounded logits are mostly rounding
    full = torch.autocast(batch.inputs.device.type, enabled=False)
    with eval_mode(forward), full:
        scorer, original = Scorer(forward, batch.explaining(None), sum_logit).of_predicted()
        game = Game(scorer, bound)
        ranks = None if saliency is None else _ranks_of_players(game, saliency)
        parts = [
            law.subsets(
                n_subsets,
                game.counts,
                seeded_numbers(derived_seeds(bound.seeds, f"law {number}", seed)),
                ranks if law.ranked else None,
            )
            for number, (law, n_subsets) in enumerate(laws)
        ]
        keep = torch.cat([each.keep.expand(-1, len(batch), -1) for each in parts])
        # another law or seed also takes other draws of a random baseline
        draws = torch.cat(
            [
                derived_seeds(each.numbers, f"law {number}", seed)
                for number, each in enumerate(parts)
            ]
        )
        copies = replace(game.copy_set(keep), draws=lambda points: draws[points])
        ((logits,),) = evaluate_copies(
            scorer,
            [copies],
            copies_per_pass=copies_that_fit(batch.inputs, samples_per_pass),
            read=lambda scores, logits: (logits,),
        )
    check_finite("logits", original)
    check_finite("logits of perturbed inputs", logits)
    features = game.features(keep) | ~bound.present
    weights = torch.cat([each.weights.expand(-1, len(batch)) for each in parts])
    sizes = torch.tensor([len(each.keep) for each in parts])
    codes = torch.tensor([law_code(number, law) for number, (law, _) in enumerate(laws)])
    laws_of = codes.repeat_interleave(sizes).to(keep.device)
    return Removals(
        features.transpose(0, 1),
        logits.transpose(0, 1),
        original,
        weights.T,
        laws_of.expand(len(batch), -1),
    )


def _ranks_of_players(game: Game, saliency: Tensor) -> Tensor:
    """Return positions of the players in the order of relevance, ``(B, m)`` long."""
    present = game.bound.present
    order = present.long().argsort(dim=1, descending=True, stable=True)[:, : game.n_players]
    values = at_least_float32(saliency).masked_fill(~present, -torch.inf).gather(1, order)
    return hard_ranks(values, ties="ordinal", descending=True).long() - 1
