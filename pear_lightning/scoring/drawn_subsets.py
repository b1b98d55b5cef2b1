"""Random subsets of the features of a batch."""

from pear_lightning.functional.hashed_random import derived_seeds
from pear_lightning.masking.bound_masker import BoundMasker
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.game import Game
from pear_lightning.scoring.outputs import sum_logit
from pear_lightning.scoring.scorer import Forward, Scorer
from pear_lightning.scoring.subset_laws import SubsetLaw, Subsets, seeded_numbers


def drawn_subsets(
    forward: Forward,
    batch: Batch,
    bound: BoundMasker,
    law: SubsetLaw,
    n_subsets: int,
    *,
    seed: int = 0,
) -> Subsets:
    """Draw subsets of the features of each sample, from its values and a seed.

    A sample has the same subsets in every batch and process; a sample with few features has all
    subsets, with their probabilities (see :meth:`SubsetLaw.subsets`).

    Args:
        forward: The model that is evaluated at the subsets afterwards.
        batch: The samples.
        bound: Their features.
        law: Law of the subsets.
        n_subsets: Largest number of subsets of a sample.
        seed: Seed of the subsets.

    Returns:
        ``keep`` ``(K, B, n)``, true for features that a sample does not have, ``weights``
        ``(K, B)`` and ``numbers`` ``(K,)``.

    Example:
        >>> import torch
        >>> from pear_lightning.masking import ColumnMasker
        >>> from pear_lightning.scoring import UniformSizeLaw
        >>> inputs = torch.rand(4, 8)
        >>> bound = ColumnMasker(8).bind(inputs)
        >>> drawn = drawn_subsets(abs, Batch(inputs), bound, UniformSizeLaw(), 10)
        >>> drawn.keep.shape, drawn.weights.shape
        (torch.Size([10, 4, 8]), torch.Size([10, 4]))
    """
    game = Game(Scorer(forward, batch.explaining(None), sum_logit), bound)
    numbers = seeded_numbers(derived_seeds(bound.seeds, "law 0", seed))
    drawn = law.subsets(n_subsets, game.counts, numbers)
    features = game.features(drawn.keep.expand(-1, len(batch), -1)) | ~bound.present
    return Subsets(features, drawn.weights.expand(-1, len(batch)), drawn.numbers)
