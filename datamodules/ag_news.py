"""AG News: topics of news."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from pear_lightning.datamodules.paper_texts import PaperTexts

if TYPE_CHECKING:
    from pandas import DataFrame


class AGNews(PaperTexts):
    """AG News: is a piece of news about the world, sports, business, or science and technology?

    120,000 training and 7,600 test texts, title and description joined by a space. Backslashes,
    which stand for line breaks in these texts, are replaced by spaces.

    Shapes:
        - ``input_ids``, ``attention_mask``: ``(B, L)`` long
        - ``labels``: ``(B,)`` long, four classes

    Args:
        data_dir: Folder with ``train.csv`` and ``test.csv`` (or ``.csv.gz``; columns label from 1,
            title and description, without a header), or the folder above ``ag_news``. A part of
            the training texts can be given as ``train_subset.csv`` instead (columns ``label`` and
            ``text``, with a header). None reads from the hub (``fancyzhx/ag_news``).
        kwargs: Other arguments of :class:`TextClassification`, except those that name a source or
            columns.

    Raises:
        FileNotFoundError: If the files are not in ``data_dir``.

    Example:
        >>> AGNews("some/folder", max_tokens=64).class_names
        ['World', 'Sports', 'Business', 'Sci/Tech']

    References:
        X. Zhang, J. Zhao, Y. LeCun. *Character-level convolutional networks for text
        classification.* NeurIPS 2015, arXiv 1509.01626.
    """

    folder: ClassVar[str] = "ag_news"
    hub_name: ClassVar[str] = "fancyzhx/ag_news"
    names: ClassVar[tuple[str, ...]] = ("World", "Sports", "Business", "Sci/Tech")

    @override
    def read_files(self, root: Path) -> "dict[str, DataFrame]":
        tables = {}
        for split, names in {
            "train": ["train.csv", "train_subset.csv"],
            "test": ["test.csv"],
        }.items():
            path = self.find(root, names)
            assert path is not None
            if path.name.startswith("train_subset"):
                table = self.read(path)
            else:
                table = self.read(path, header=None, names=["label", "title", "description"])
                table["text"] = table["title"] + " " + table["description"]
            tables[split] = table.assign(label=table["label"].astype(int) - 1)
        return tables

    @override
    def load_tables(self) -> "dict[str, DataFrame]":
        tables = super().load_tables()
        return {
            split: table.assign(text=table["text"].str.replace("\\", " ", regex=False))
            for split, table in tables.items()
        }
