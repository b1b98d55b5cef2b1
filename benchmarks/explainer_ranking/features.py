"""What a feature is, on each data set."""

from typing import Any

from benchmarks.explainer_ranking.settings import OTHER_BASELINES, TERMS
from benchmarks.shared.data_set import Data
from benchmarks.shared.word_ids import MAX_TOKENS
from pear_lightning.masking import (
    ColumnMasker,
    Masker,
    PatchMasker,
    TokenMasker,
)


def masker_of(name: str, data: Data, *, other_baseline: bool = False) -> Masker:
    """Return the features of a data set: patches of 2 x 2 pixels, columns, tokens.

    Args:
        name: Name of the data set.
        data: The data set.
        other_baseline: Whether removed features become what ``OTHER_BASELINES`` says.
    """
    chosen: Any = OTHER_BASELINES[name] if other_baseline else TERMS[name].baseline
    if name == "ag_news":
        return TokenMasker(n_tokens=MAX_TOKENS, baseline=chosen)
    if name == "bank":
        masker: Masker = ColumnMasker(data.train.inputs.shape[1], baseline=chosen)
    else:
        masker = PatchMasker(2, 28, baseline=chosen)
    masker.fit(data.train.inputs.mean(dim=0))
    return masker
