"""Data sets of the ranking of explainers, read from files."""

from pathlib import Path
from typing import Literal

from benchmarks.shared.ag_news import read_ag_news
from benchmarks.shared.data_set import Data, Split
from benchmarks.shared.digit_images import digit_images
from benchmarks.shared.table_rows import table_rows
from pear_lightning.datamodules import BankMarketing

IMAGES: dict[str, Literal["MNIST", "FashionMNIST"]] = {"mnist": "MNIST", "fashion": "FashionMNIST"}


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
        return read_ag_news(folder / "ag_news")
    if name == "bank":
        data = BankMarketing(str(folder), scaling="quantile")
        data.setup()
        train, test = table_rows(data, "train"), table_rows(data, "test")
        return Data(Split(*train), Split(*test), classes=2)
    images = digit_images(IMAGES[name], folder)
    return Data(Split(*images["train"]), Split(*images["test"]), classes=10)
