"""SST-2 as ids of words."""

import csv
import gzip
from pathlib import Path

from benchmarks.shared.data_set import Data
from benchmarks.shared.word_ids import as_word_ids

LEAST_WORDS = 5
"""Shorter phrases have too few features to remove."""


def read_sst2(folder: Path) -> Data:
    """Read SST-2: phrases of the training set, and the labelled test sentences, of some length.

    Args:
        folder: Folder with ``train.tsv.gz`` and ``test_labelled.tsv.gz``.

    Raises:
        FileNotFoundError: If a file is missing.
    """
    parts = []
    for name in ("train", "test_labelled"):
        with gzip.open(folder / f"{name}.tsv.gz", "rt", encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            texts = [(int(row["label"]), row["sentence"]) for row in rows]
        parts.append([(label, text) for label, text in texts if len(text.split()) >= LEAST_WORDS])
    return as_word_ids(*parts, classes=2)
