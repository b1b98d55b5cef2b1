"""Base class of well-known data sets of texts, read from files or from the hub."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from pear_lightning.datamodules.hub_splits import load_hub_splits
from pear_lightning.datamodules.text_classification import TextClassification

if TYPE_CHECKING:
    from pandas import DataFrame


class PaperTexts(TextClassification):
    """Base class of well-known data sets of texts, read from files or from the hub.

    Subclasses implement :meth:`read_files`, and define the name on the hub, the columns there and
    the names of the classes.

    Args:
        data_dir: Folder with the files, or the folder above it. None reads from the hub.
        kwargs: Other arguments of :class:`TextClassification`, except those that name a source or
            columns.

    Raises:
        FileNotFoundError: If the files are not in ``data_dir``.
    """

    folder: ClassVar[str] = ""
    hub_name: ClassVar[str] = ""
    columns: ClassVar[tuple[str, str]] = ("text", "label")
    """Columns of the texts and of the labels, on the hub and in the result of read_files()."""
    has_quotes: ClassVar[bool] = True
    """Whether quotation marks in the files enclose values, unless ``quotes`` is false."""
    names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, data_dir: str | None = None, **kwargs: Any) -> None:
        data_dir = None if data_dir is None else str(data_dir)
        super().__init__(**kwargs)
        self._refuse_source()
        # set here and not by arguments, because the command line passes the defaults of these
        self.text, self.target = self.columns
        self.quotes = self.quotes and self.has_quotes
        self.name_classes(self.class_names or self.names)
        self.data_dir = data_dir

    def read_files(self, root: Path) -> "dict[str, DataFrame]":
        """Return the tables of the splits; implemented by subclasses.

        Args:
            root: The folder :attr:`data_dir`.
        """
        raise NotImplementedError(
            f"read_files must be implemented, got {type(self).__name__} without it; use a subclass"
        )

    @override
    def load_tables(self) -> "dict[str, DataFrame]":
        if self.data_dir is not None:
            return self.read_files(Path(self.data_dir).expanduser())
        try:
            splits = load_hub_splits(
                self.hub_name, revision=self.revision, cache_dir=self.cache_dir
            )
        except Exception as error:
            error.add_note(f"{type(self).__name__} can also read files: give data_dir")
            raise
        return {split: rows.to_pandas() for split, rows in splits.items()}

    @override
    def prepare_data(self) -> None:
        super().prepare_data()
        if self.data_dir is None:
            self.load_tables()  # fills the cache for the other processes

    def find(self, root: Path, names: Sequence[str], *, needed: bool = True) -> Path | None:
        """Return the first file of some names, plain or compressed, or ``None``.

        Args:
            root: Folder with the files, or the folder above it.
            names: Names of the files, in order of preference.
            needed: Whether to raise if there is none.

        Raises:
            FileNotFoundError: If there is none and it is needed.
        """
        for folder in (root, root / self.folder):
            for name in names:
                for path in (folder / name, folder / f"{name}.gz"):
                    if path.is_file():
                        return path
        if not needed:
            return None
        raise FileNotFoundError(
            f"data_dir must hold {' or '.join(names)} (or .gz), directly or in the folder "
            f"{self.folder!r}, got {str(root)!r}"
        )
