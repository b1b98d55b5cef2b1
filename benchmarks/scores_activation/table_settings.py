"""The tables of the ScoresActivation benchmark."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pear_lightning.datamodules import (
    XOR,
    Adult,
    BankMarketing,
    BreastCancer,
    CaliforniaHousing,
    Electricity,
    Friedman,
    InvaseSynthetic,
    SyntheticClassification,
)

ROWS_IN_ALL = 5000
"""Training and test rows of ``make_classification``: small training sets are parts of large."""


@dataclass(frozen=True)
class Table:
    """A table, and how networks are trained on it.

    Attributes:
        build: From folder and seed to a data module.
        hidden: Hidden layers.
        epochs: Epochs.
        batch_size: Rows of a batch.
    """

    build: Callable[[str | None, int], Any]
    hidden: tuple[int, ...] = (64, 32)
    epochs: int = 60
    batch_size: int = 32


def _clusters(d: int, n_train: int) -> Table:
    def build(folder: str | None, seed: int) -> Any:
        n_test = ROWS_IN_ALL - n_train
        return SyntheticClassification(d, n_train=n_train, n_test=n_test, seed=seed, batch_size=32)

    return Table(build, epochs=40 if n_train > 1000 else 60)


def _synthetic(kind: Any, n_train: int, **options: Any) -> Table:
    def build(folder: str | None, seed: int) -> Any:
        return kind(n_train=n_train, n_test=2000, seed=seed, batch_size=32, **options)

    return Table(build, epochs=30 if n_train > 1000 else 60)


def _real(kind: Any, epochs: int, batch_size: int, **options: Any) -> Table:
    def build(folder: str | None, seed: int) -> Any:
        # the seed of the split, where the files have none
        return kind(scaling="standard", batch_size=batch_size, **({"data_dir": folder} | options))

    return Table(build, hidden=(100, 100), epochs=epochs, batch_size=batch_size)


def _breast_cancer(folder: str | None, seed: int) -> Any:
    return BreastCancer(seed=seed, batch_size=32)


CLUSTERS = {f"{d}/5, {n}": _clusters(d, n) for d in (10, 16) for n in (160, 400, 1200)}
GAIN = {f"{d}/5, {n}": _clusters(d, n) for d in (16, 32, 128) for n in (80, 160, 400)}
FORMULAS = {
    **{f"syn{i}": _synthetic(InvaseSynthetic, 2000, name=f"syn{i}") for i in range(1, 7)},
    "XOR (L2X)": _synthetic(XOR, 2000),
    "XOR (corners)": _synthetic(XOR, 512, variant="corners"),
    "Friedman": _synthetic(Friedman, 1000),
}

REAL = {
    "Bank Marketing": _real(BankMarketing, 30, 256),
    "California Housing": _real(CaliforniaHousing, 20, 256),
    "Electricity": _real(Electricity, 15, 256),
    "Breast Cancer": Table(_breast_cancer, hidden=(100, 100), epochs=40),
    "Adult": _real(Adult, 8, 256),
}

NEED_FILES = [name for name in REAL if name != "Breast Cancer"]
TABLES = {**GAIN, **CLUSTERS, **FORMULAS, **REAL}
