"""AG News as token ids."""

import csv
import gzip
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.shared.data_set import Data, Split

MAX_TOKENS = 64
PADDING, UNKNOWN = 0, 1


def read_ag_news(folder: Path) -> Data:
    """Read AG News: balanced training texts, and token ids of words seen twice or more."""
    with gzip.open(folder / "train_subset.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = [(int(row["label"]) - 1, row["text"]) for row in csv.DictReader(file)]
    with gzip.open(folder / "test.csv.gz", "rt", encoding="utf-8", newline="") as file:
        test = [(int(row[0]) - 1, f"{row[1]} {row[2]}") for row in csv.reader(file)]
    smallest = min(Counter(label for label, _ in rows).values())
    seen: Counter[int] = Counter()
    train = []
    for label, text in rows:
        seen[label] += 1
        if seen[label] <= smallest:
            train.append((label, text))
    counts = Counter(word for _, text in train for word in words_of(text))
    words = ("<pad>", "<unknown>", *sorted(word for word, n in counts.items() if n > 1))
    ids = {word: number for number, word in enumerate(words)}
    return Data(_encoded(train, ids), _encoded(test, ids), classes=4, words=words)


def words_of(text: str) -> Iterator[str]:
    """Yield the words, numbers and punctuation marks of a text, in lower case.

    Args:
        text: The text; the data set's remains of HTML are dropped.

    Yields:
        Words.
    """
    text = re.sub(r"\\|&lt;.*?&gt;|&?#?\w{1,5};", " ", text.lower())
    return (match.group() for match in re.finditer(r"[a-z]+(?:'[a-z]+)?|\d+|[^\w\s]", text))


def _encoded(rows: list[tuple[int, str]], ids: dict[str, int]) -> Split:
    tokens = torch.full((len(rows), MAX_TOKENS), PADDING)
    for row, (_, text) in enumerate(rows):
        known = [ids.get(word, UNKNOWN) for word in words_of(text)][:MAX_TOKENS]
        tokens[row, : len(known)] = torch.tensor(known)
    return Split(tokens, torch.tensor([label for label, _ in rows]))
