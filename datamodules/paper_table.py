"""Base class of the tables of the PEAR paper, read from files or from the hub."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from pear_lightning.datamodules.scaling import Scaling
from pear_lightning.datamodules.table_source import read_file, read_hub
from pear_lightning.datamodules.tabular import TabularDataModule

if TYPE_CHECKING:
    from pandas import DataFrame

HUB_ID = "inria-soda/tabular-benchmark"


class PaperTable(TabularDataModule):
    """Base class of the tables of the PEAR paper, from the paper's files or from the hub.

    Subclasses define the names of the files. With ``data_dir``, the split is that of the paper;
    from the hub, it is drawn with ``seed``, stratified, 75 to 25 by default.

    Shapes:
        - ``inputs``: ``(B, n)`` float32
        - ``target``: ``(B,)`` long

    Args:
        data_dir: Folder with ``<name>-train.csv`` and ``<name>-test.csv`` (or ``.csv.gz``), or the
            folder above it. None reads from the hub.
        revision: Branch, tag or commit on the hub.
        target: Name of the target column.
        class_names: Names of the two classes. None uses the names defined by the subclass.
        scaling: Scaling of the features; ``"minmax"`` as in the paper.
        kwargs: Other arguments of :class:`TabularDataModule`, except those that name a source.

    Raises:
        FileNotFoundError: If the files are not in ``data_dir``.

    Example:
        >>> PaperTable("no/such/folder")
        Traceback (most recent call last):
        TypeError: file_name must be defined, got PaperTable without it; use BankMarketing, ...
    """

    # name of the files, optional folder, configuration and target on the hub, names of the classes
    file_name: ClassVar[str] = ""
    folder: ClassVar[str] = ""
    hub_config_name: ClassVar[str] = ""
    hub_target: ClassVar[str] = "class"
    classes: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        data_dir: str | None = None,
        revision: str | None = None,
        target: str = "class",
        class_names: list[str] | None = None,
        scaling: Scaling = "minmax",
        **kwargs: Any,
    ) -> None:
        if not self.file_name:
            raise TypeError(
                f"file_name must be defined, got {type(self).__name__} without it; use "
                "BankMarketing, CaliforniaHousing or Electricity"
            )
        data_dir = None if data_dir is None else str(data_dir)
        super().__init__(
            revision=revision,
            target=target,
            class_names=class_names or list(self.classes) or None,
            scaling=scaling,
            **kwargs,
        )
        self._refuse_source()
        self.data_dir = data_dir

    @override
    def load_tables(self) -> "tuple[DataFrame, DataFrame | None]":
        if self.data_dir is not None:
            return read_file(self._file("train")), read_file(self._file("test"))
        try:
            train, test = read_hub(
                HUB_ID, self.hub_config_name, revision=self.revision, cache_dir=self.cache_dir
            )
        except Exception as error:
            error.add_note(f"{type(self).__name__} can also read the paper's files: give data_dir")
            raise
        return train.rename(columns={self.hub_target: self.target}), test

    @override
    def prepare_data(self) -> None:
        if self.data_dir is None:
            self.load_tables()

    def _file(self, part: str) -> Path:
        assert self.data_dir is not None
        root = Path(self.data_dir).expanduser()
        names = [f"{self.file_name}-{part}.csv", f"{self.file_name}-{part}.csv.gz"]
        for path in (folder / name for folder in (root, root / self.folder) for name in names):
            if path.is_file():
                return path
        raise FileNotFoundError(
            f"data_dir must hold {' or '.join(names)}, directly or in the folder "
            f"{self.folder!r}, got {self.data_dir!r}"
        )
