"""IMDb: opinions on films."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from pear_lightning.datamodules.paper_texts import PaperTexts

if TYPE_CHECKING:
    from pandas import DataFrame


class IMDb(PaperTexts):
    """IMDb: is a review of a film negative or positive?

    25,000 training and 25,000 test reviews, half of them positive. Line breaks of HTML are replaced
    by spaces. Reviews have 230 words on average, so most are cut off at 128 tokens.

    Shapes:
        - ``input_ids``, ``attention_mask``: ``(B, L)`` long
        - ``labels``: ``(B,)`` long: 0 negative, 1 positive

    Args:
        data_dir: Folder with ``train.csv`` and ``test.csv`` (or ``.csv.gz``; columns ``label`` and
            ``text``) or with the folders of the archive (``train/neg``, ``train/pos`` and so on),
            or the folder above ``imdb`` or ``aclImdb``. None reads from the hub
            (``stanfordnlp/imdb``).
        kwargs: Other arguments of :class:`TextClassification`, except those that name a source or
            columns.

    Raises:
        FileNotFoundError: If the files are not in ``data_dir``.

    Example:
        >>> IMDb("some/folder", max_tokens=256).class_names
        ['negative', 'positive']

    References:
        A. Maas, R. Daly, P. Pham, D. Huang, A. Ng, C. Potts. *Learning word vectors for sentiment
        analysis.* ACL 2011.
    """

    folder: ClassVar[str] = "imdb"
    hub_name: ClassVar[str] = "stanfordnlp/imdb"
    names: ClassVar[tuple[str, ...]] = ("negative", "positive")

    @override
    def read_files(self, root: Path) -> "dict[str, DataFrame]":
        tables = {}
        for split in ("train", "test"):
            archive = self._archive(root, split)
            if archive is not None:
                tables[split] = archive
            else:
                tables[split] = self.read(self.find(root, [f"{split}.csv"]))
        return tables

    @override
    def load_tables(self) -> "dict[str, DataFrame]":
        tables = super().load_tables()
        return {
            split: table.assign(text=table["text"].str.replace(r"(?:<br\s*/?>)+", " ", regex=True))
            for split, table in tables.items()
        }

    def _archive(self, root: Path, split: str) -> "DataFrame | None":
        import pandas as pd

        for folder in (root, root / "aclImdb", root / self.folder):
            groups = [folder / split / name for name in ("neg", "pos")]
            if all(group.is_dir() for group in groups):
                rows = [(path.read_text(encoding="utf-8"), label)
                        for label, group in enumerate(groups)
                        for path in sorted(group.glob("*.txt"))]  # fmt: skip
                return pd.DataFrame(rows, columns=["text", "label"])
        return None
