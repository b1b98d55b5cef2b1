"""The data sets of the DeepFaith benchmark, read from files, and their features."""

from pathlib import Path
from typing import Any, Literal

from benchmarks.shared.ag_news import read_ag_news
from benchmarks.shared.data_set import Data, Split
from benchmarks.shared.digit_images import digit_images
from benchmarks.shared.sst2 import read_sst2
from benchmarks.shared.table_rows import table_rows
from benchmarks.shared.word_ids import MAX_TOKENS
from pear_lightning.datamodules import Adult, BankMarketing, NHANESAge, WholesaleCustomers
from pear_lightning.masking import Masker, PatchMasker, TokenMasker

_TABLES: dict[str, tuple[Any, str]] = {
    "bank": (BankMarketing, "quantile"),
    "adult": (Adult, "standard"),
    "nhanes": (NHANESAge, "quantile"),
    "wholesale": (WholesaleCustomers, "quantile"),
}
_IMAGES: dict[str, Literal["MNIST", "FashionMNIST"]] = {"mnist": "MNIST", "fashion": "FashionMNIST"}


def load(name: str, folder: Path) -> tuple[Data, Masker]:
    """Read a data set.

    Args:
        name: Name of the task.
        folder: Folder of the data; see ``__main__.py``.

    Returns:
        The data set, and its features, which are 0 when removed.

    Raises:
        FileNotFoundError: If a file is missing.
    """
    if name in _TABLES:
        kind, scaling = _TABLES[name]
        data = kind(str(folder), scaling=scaling)
        data.setup()
        train, test = table_rows(data, "train"), table_rows(data, "test")
        return Data(Split(*train), Split(*test), classes=2), data.masker()
    if name in _IMAGES:
        images = digit_images(_IMAGES[name], folder)
        rows = Data(Split(*images["train"]), Split(*images["test"]), classes=10)
        return rows, PatchMasker(4, 28)
    read = {"ag_news": read_ag_news, "sst2": read_sst2}[name]
    return read(folder / name), TokenMasker(n_tokens=MAX_TOKENS)
