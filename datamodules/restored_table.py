"""What a data module of a table saves in checkpoints, and how it reads rows with it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor
from typing_extensions import override

from pear_lightning.datamodules.annotated_dataset import AnnotatedDataset
from pear_lightning.datamodules.named_columns import NamedColumns
from pear_lightning.datamodules.table_checks import text_columns
from pear_lightning.datamodules.table_dataset import TableDataset
from pear_lightning.datamodules.table_encoder import TableEncoder
from pear_lightning.datamodules.table_part import Part
from pear_lightning.datamodules.table_source import as_frame

if TYPE_CHECKING:
    from pandas import DataFrame

_OF_ROWS = ("seed", "val_fraction", "test_fraction", "n_train")
_OF_FILES = {"separator": None, "na_values": None, "encoding": None, "decimal": "."}
"""Arguments that say how files are read, and their defaults."""


class RestoredTable(NamedColumns):
    """Base class of data modules of tables that are encoded as in the fit of a checkpoint."""

    task: Literal["classification", "regression"]
    target: str
    exclude: list[str] | None
    test_fraction: float
    separator: str | None
    na_values: list[str] | None
    encoding: str | None
    decimal: str
    _encoder: TableEncoder | None
    _classes: list[Any]
    _class_names: list[str]
    _parts: dict[str, Part]
    _datasets: dict[str, TableDataset | AnnotatedDataset]
    _fitted: Mapping[str, Any]

    # --- files ------------------------------------------------------------------------------

    @property
    def _form(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _OF_FILES}

    def _read(self, data: Any, as_text: Sequence[str] = ()) -> "DataFrame":
        return as_frame(data, self.target, as_text=as_text, **self._form)

    def _text_columns(self, train: "DataFrame | None" = None) -> list[str]:
        """Return the columns of text, by the encoding, or else by the training table.

        A file whose entries in such a column look like numbers or truth values holds text, too.
        Excluded columns are text, so that identifiers such as ``007`` stay as they are.
        """
        excluded = self.exclude or []
        if self._encoder is not None:
            names = [*self._encoder.categories, *excluded]
            is_text = self._classes and all(isinstance(each, str) for each in self._classes)
            return [*names, self.target] if is_text else names
        return [*excluded, *([] if train is None else text_columns(train))]

    # --- checkpoints ------------------------------------------------------------------------

    @property
    @override
    def training_mean(self) -> Tensor:
        """Mean ``(n,)`` of the training rows; of those of the fit, if a checkpoint was loaded."""
        mean: Tensor | None = self._fitted.get("training_mean")
        if mean is not None and len(mean) == self.num_features:
            return mean
        return super().training_mean

    @property
    def encoding_id(self) -> str:
        """A string that is the same for data modules that encode rows in the same way."""
        return self.encoder.fingerprint

    @override
    def state_dict(self) -> dict[str, Any]:
        """Return fitted encoding, target, junk features, splits and form of files, as plain values.

        The mean of the training rows is the only tensor apart from those of the encoding.
        """
        if self._encoder is None:
            return {}
        of_rows = self._fitted
        if self._parts:
            of_rows = {**self._split_settings(), "training_mean": self.training_mean}
        return {
            **{name: of_rows[name] for name in (*_OF_ROWS, "training_mean") if name in of_rows},
            "task": self.task,
            "target": self._fitted.get("target", self.target),
            "encoder": self._encoder.state_dict(),
            "junk_features": self.junk_features,
            "exclude": self.exclude,
            "classes": [_plain(value) for value in self._classes],
            "class_names": self._class_names,
            **self._form,
        }

    @override
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Encode all rows as in the fit that saved the state, and for its task.

        Rows that are read later must have the same target, and there is a warning if they are
        split in another way.

        Args:
            state_dict: A result of :meth:`state_dict`.
        """
        self._encoder = TableEncoder.from_state(state_dict["encoder"])
        self._classes = list(state_dict["classes"])
        self._class_names = list(state_dict["class_names"])
        for name, default in _OF_FILES.items():
            if getattr(self, name) == default:
                setattr(self, name, state_dict.get(name, default))
        if self.junk_features is None:
            self.junk_features = state_dict.get("junk_features")
        if self.exclude is None:
            self.exclude = state_dict.get("exclude")
        self.task = state_dict.get("task", self.task)
        self._fitted = dict(state_dict)
        self._parts, self._datasets = {}, {}

    def _split_settings(self) -> dict[str, Any]:
        n_train = len(self._parts["train"].target)
        values = [self.seed, self.val_fraction, self.test_fraction, n_train]
        return dict(zip(_OF_ROWS, values, strict=True))


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float) else str(value)
