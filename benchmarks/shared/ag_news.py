"""AG News as ids of words."""

import csv
import gzip
from collections import Counter
from pathlib import Path

from benchmarks.shared.data_set import Data
from benchmarks.shared.word_ids import as_word_ids


def read_ag_news(folder: Path) -> Data:
    """Read AG News: balanced training texts.

    Args:
        folder: Folder with ``train_subset.csv.gz`` and ``test.csv.gz``.

    Raises:
        FileNotFoundError: If a file is missing.
    """
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
    return as_word_ids(train, test, classes=4)
