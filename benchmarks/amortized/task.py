"""A task: a trained model, its rows, and their features."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from benchmarks.amortized.settings import TERMS
from benchmarks.explainer_ranking.data import load
from benchmarks.explainer_ranking.training import trained
from benchmarks.shared.data_set import Data, Split
from benchmarks.shared.table_rows import table_rows
from benchmarks.shared.word_ids import MAX_TOKENS, PADDING
from pear_lightning.datamodules import Adult
from pear_lightning.masking import ColumnMasker, Masker, PatchMasker, TokenMasker

Rows = dict[str, Tensor]
"""Inputs, target and keyword arguments of the model, by the names that modules read."""

PATCH = 4


@dataclass(frozen=True)
class Task:
    """A trained model, its rows, and their features.

    Attributes:
        name: Name of the task.
        model: The explained model, in eval mode.
        train: Training rows.
        test: Test rows that are explained; their target is the predicted class.
        masker: Their features.
        classes: Number of classes.
        accuracy: Of the model on all test rows, in per cent.
    """

    name: str
    model: nn.Module
    train: Rows
    test: Rows
    masker: Masker
    classes: int
    accuracy: float

    @property
    def n_features(self) -> int:
        """Number of features of a row."""
        return self.masker.n_features


class Table(Dataset[Any]):
    """Rows as a data set; a batch is taken at once.

    Args:
        rows: Tensors with one row for each sample, or mappings of such tensors, by name.
    """

    def __init__(self, rows: dict[str, Any]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows["inputs"])

    def __getitem__(self, index: int) -> Any:
        """Return one row."""
        return self.__getitems__([index])

    def __getitems__(self, indices: list[int]) -> Any:
        """Return a batch."""
        return chosen(self.rows, torch.tensor(indices))


def chosen(rows: dict[str, Any], index: Tensor | slice) -> dict[str, Any]:
    """Return some of the rows.

    Args:
        rows: Tensors, or mappings of tensors, by name.
        index: Which.
    """
    return {
        name: chosen(each, index) if isinstance(each, dict) else each[index]
        for name, each in rows.items()
    }


def task(name: str, folder: Path, cache: Path, *, samples: int | None = None) -> Task:
    """Read data and train the model, or read it from the cache.

    Args:
        name: Name of the task.
        folder: Folder of the data.
        cache: Folder for the model's weights.
        samples: Number of test samples instead of the task's own, for a trial.
    """
    terms = TERMS[name]
    data = _adult(folder) if name == "adult" else load(name, folder)
    model, record = trained("bank" if name == "adult" else name, data, cache)
    generator = torch.Generator().manual_seed(0)
    index = torch.randperm(len(data.train.target), generator=generator)[: terms.rows]
    held = torch.randperm(len(data.test.target), generator=generator)[: samples or terms.samples]
    test = _rows(model, data.test[held])
    with torch.no_grad():
        kwargs = {key: test[key] for key in test if key not in ("inputs", "target")}
        test["target"] = model(test["inputs"], **kwargs).argmax(dim=1)
    masker = _masker(name, data, folder)
    return Task(
        name,
        model,
        _rows(model, data.train[index]),
        test,
        masker,
        data.classes,
        record["accuracy"],
    )


def _rows(model: nn.Module, split: Split) -> Rows:
    if split.inputs.is_floating_point():
        return {"inputs": split.inputs, "target": split.target}
    ids: Tensor = split.inputs
    embed: Any = model.embed
    with torch.no_grad():
        embedded: Tensor = embed(ids)
    return {
        "inputs": embedded,
        "target": split.target,
        "attention_mask": (ids != PADDING).long(),
    }


def _adult(folder: Path) -> Data:
    data = Adult(str(folder), scaling="standard")
    data.setup()
    return Data(Split(*table_rows(data, "train")), Split(*table_rows(data, "test")), classes=2)


def _masker(name: str, data: Data, folder: Path) -> Masker:
    baseline: Any = TERMS[name].baseline
    masker: Masker
    if name == "ag_news":
        return TokenMasker(n_tokens=MAX_TOKENS, baseline=baseline)
    if name in ("mnist", "fashion"):
        masker = PatchMasker(PATCH, 28, baseline=baseline)
    elif name == "adult":
        adult = Adult(str(folder), scaling="standard")
        adult.setup()
        numbers = torch.tensor(adult.groups)
        groups = [(numbers == each).nonzero().flatten().tolist() for each in numbers.unique()]
        several = [group for group in groups if len(group) > 1]
        masker = ColumnMasker(len(numbers), several, baseline=baseline)
    else:
        masker = ColumnMasker(data.train.inputs.shape[1], baseline=baseline)
    masker.fit(data.train.inputs.float().mean(dim=0))
    return masker
