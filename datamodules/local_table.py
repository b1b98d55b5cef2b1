"""Tables in a single file on disk."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from pear_lightning.datamodules.scaling import Scaling
from pear_lightning.datamodules.table_source import read_file
from pear_lightning.datamodules.tabular import TabularDataModule

if TYPE_CHECKING:
    from pandas import DataFrame


class LocalTable(TabularDataModule):
    """Base class of data modules for one table in a known file, which is split into parts.

    Args:
        data_dir: Folder with the file (or ``.csv.gz``), or the folder above it.
        features: Names of the feature columns. None takes those that the subclass defines.
        scaling: Scaling of the features.
        target: Name of the target column. None takes the one that the subclass defines.
        kwargs: Other arguments of :class:`TabularDataModule`, except those that name a source.

    Raises:
        TypeError: If the class does not name a file.
        FileNotFoundError: If the file is not in ``data_dir``.

    Example:
        >>> LocalTable("no/such/folder")
        Traceback (most recent call last):
        TypeError: file_name must be defined, got LocalTable without it; use NHANESAge or ...
    """

    file_name: ClassVar[str] = ""
    folder: ClassVar[str] = ""
    target_column: ClassVar[str] = ""
    columns: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        data_dir: str,
        features: list[str] | None = None,
        scaling: Scaling = "standard",
        target: str | None = None,
        **kwargs: Any,
    ) -> None:
        if not self.file_name:
            raise TypeError(
                f"file_name must be defined, got {type(self).__name__} without it; use NHANESAge "
                "or WholesaleCustomers"
            )
        super().__init__(
            features=list(self.columns) if features is None else features,
            scaling=scaling,
            target=self.target_column if target is None else target,
            **kwargs,
        )
        self._refuse_source()
        self.data_dir = str(data_dir)

    @override
    def load_tables(self) -> "tuple[DataFrame, DataFrame | None]":
        root = Path(self.data_dir).expanduser()
        names = [self.file_name, f"{self.file_name}.gz"]
        paths = [folder / name for folder in (root, root / self.folder) for name in names]
        found = [path for path in paths if path.is_file()]
        if not found:
            raise FileNotFoundError(
                f"data_dir must hold {' or '.join(names)}, directly or in the folder "
                f"{self.folder!r}, got {self.data_dir!r}"
            )
        return read_file(found[0]), None
