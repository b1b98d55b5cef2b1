"""Texts as ids of words."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import torch

from benchmarks.shared.data_set import Data, Split

MAX_TOKENS = 64
PADDING, UNKNOWN = 0, 1

Texts = Sequence[tuple[int, str]]
"""Classes and texts."""


def as_word_ids(train: Texts, test: Texts, classes: int) -> Data:
    """Return texts as ids of words; those seen twice or more in the training texts are known.

    Args:
        train: Training texts.
        test: Test texts.
        classes: Number of classes.
    """
    counts = Counter(word for _, text in train for word in words_of(text))
    words = ("<pad>", "<unknown>", *sorted(word for word, n in counts.items() if n > 1))
    ids = {word: number for number, word in enumerate(words)}
    return Data(_encoded(train, ids), _encoded(test, ids), classes, words)


def words_of(text: str) -> Iterator[str]:
    """Yield the words, numbers and punctuation marks of a text, in lower case.

    Args:
        text: The text; the remains of HTML in AG News are dropped.

    Yields:
        Words.
    """
    text = re.sub(r"\\|&lt;.*?&gt;|&?#?\w{1,5};", " ", text.lower())
    return (match.group() for match in re.finditer(r"[a-z]+(?:'[a-z]+)?|\d+|[^\w\s]", text))


def _encoded(rows: Texts, ids: dict[str, int]) -> Split:
    tokens = torch.full((len(rows), MAX_TOKENS), PADDING)
    for row, (_, text) in enumerate(rows):
        known = [ids.get(word, UNKNOWN) for word in words_of(text)][:MAX_TOKENS]
        tokens[row, : len(known)] = torch.tensor(known)
    return Split(tokens, torch.tensor([label for label, _ in rows]))
