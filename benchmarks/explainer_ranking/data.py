"""Data sets of the ranking of explainers, read from files."""

import csv
import gzip
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pear_lightning.datamodules import BankMarketing

MAX_TOKENS = 64
PADDING, UNKNOWN = 0, 1
IMAGE_FOLDERS = {"mnist": "MNIST", "fashion": "FashionMNIST"}


@dataclass(frozen=True)
class Split:
    """Rows of a data set.

    Attributes:
        inputs: Images ``(N, 1, 28, 28)`` in [0, 1], table rows ``(N, 7)``, or token ids
            ``(N, 64)``, padded with 0 at the end.
        target: Classes, ``(N,)`` long.
    """

    inputs: Tensor
    target: Tensor

    def __getitem__(self, rows: Tensor) -> "Split":
        """Choose rows."""
        return Split(self.inputs[rows], self.target[rows])


@dataclass(frozen=True)
class Data:
    """A data set.

    Attributes:
        train: Rows to train on.
        test: Rows to test on.
        classes: Number of classes.
        words: The vocabulary of a text data set, by id.
    """

    train: Split
    test: Split
    classes: int
    words: tuple[str, ...] = ()


def load(name: str, folder: Path) -> Data:
    """Read a data set.

    Args:
        name: ``"mnist"``, ``"fashion"``, ``"bank"`` or ``"ag_news"``.
        folder: Folder that holds ``MNIST/raw``, ``FashionMNIST/raw``, ``bank-marketing`` and
            ``ag_news``.

    Returns:
        The data set.

    Raises:
        FileNotFoundError: If a file is missing.
    """
    if name == "ag_news":
        return _ag_news(folder / "ag_news")
    if name == "bank":
        data = BankMarketing(str(folder), scaling="quantile")
        data.setup()
        parts = [each.dataset for each in (data.train_dataloader(), data.test_dataloader())]
        train, test = (Split(part.inputs, part.target) for part in parts)
        return Data(train, test, classes=2)
    raw = folder / IMAGE_FOLDERS[name] / "raw"
    splits = [
        Split(
            _idx(raw / f"{part}-images-idx3-ubyte")[:, None].float() / 255,
            _idx(raw / f"{part}-labels-idx1-ubyte").long(),
        )
        for part in ("train", "t10k")
    ]
    return Data(*splits, classes=10)


def _idx(path: Path) -> Tensor:
    """Read an array of bytes in MNIST's format, zipped or not."""
    zipped = path.with_name(path.name + ".gz")
    content = path.read_bytes() if path.exists() else gzip.decompress(zipped.read_bytes())
    n_dimensions = content[3]
    shape = np.frombuffer(content, ">u4", n_dimensions, offset=4)
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * n_dimensions)
    return torch.from_numpy(values.copy()).view(*shape.tolist())


def _ag_news(folder: Path) -> Data:
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
