"""Data module for tables from files, data frames, arrays or the Hugging Face hub."""

import os
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.utils.data import DataLoader
from typing_extensions import override

from pear_lightning.datamodules.annotated_dataset import AnnotatedDataset
from pear_lightning.datamodules.far_values import warn_of_far_target, warn_of_far_values
from pear_lightning.datamodules.new_rows import warn_of_new_rows
from pear_lightning.datamodules.restored_table import RestoredTable
from pear_lightning.datamodules.scaling import QuantileOutput, Scaling, make_scaler
from pear_lightning.datamodules.table_checks import (
    category_columns,
    check_rows,
    classes_of,
    clean_columns,
    feature_columns,
)
from pear_lightning.datamodules.table_dataset import TableDataset
from pear_lightning.datamodules.table_encoder import TableEncoder
from pear_lightning.datamodules.table_marks import marks_of
from pear_lightning.datamodules.table_part import Part, cleaned_part, columns_of, hold_out
from pear_lightning.datamodules.table_source import as_rows, read_hub
from pear_lightning.datamodules.table_state import check_target, warn_of_other_splits
from pear_lightning.datamodules.table_words import warn_of_decimal_commas
from pear_lightning.datamodules.uninformative_columns import (
    warn_of_constants,
    warn_of_identifiers,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

_SPLITS = ("train", "val", "test")


class TabularDataModule(RestoredTable):
    """Data module for a table from a file, a data frame, arrays or the Hugging Face hub.

    The rows are split and encoded, and all rows are kept in memory as tensors. Columns of numbers
    are scaled; columns of text are categories, which are one-hot encoded. The encoding is fitted to
    the training rows only (:class:`~pear_lightning.datamodules.table_encoder.TableEncoder`). The
    columns of one category are one feature: see :attr:`groups` and :meth:`masker`.

    The fitted encoding is part of the checkpoint of a fit. If a trainer loads the checkpoint, rows
    are encoded as in that fit; rows of ``predict_data`` then do not need the training table.
    ``predict`` uses ``predict_data``, or else the test rows, in order.

    Shapes:
        - ``inputs``: ``(B, n)`` float32, with n columns after encoding
        - ``target``: ``(B,)`` long for classification, float32 for regression; ``predict_data`` has
          inputs only
        - ``mask``: ``(B, n)`` bool, true = irrelevant; only with ``irrelevant`` or ``annotations``

    To support another data set, subclass it and override :meth:`load_tables`.

    Args:
        data: The table: a path (``.csv``, ``.tsv``, either compressed, or ``.parquet``), a
            ``pandas.DataFrame``, or a tuple ``(X, y)`` of arrays. None with ``hub_id``.
        test_data: The test rows, in the same form. None takes them from ``data``.
        predict_data: Rows without a target to predict, as a path, a data frame or an array ``X``.
            None predicts the test rows.
        hub_id: A data set on the Hugging Face hub, or anything else that
            ``datasets.load_dataset`` takes (a local folder, ``"csv"`` with ``data_files``).
        hub_config: Name of the configuration of the data set.
        data_files: Files of the data set to read.
        revision: Branch, tag or commit of the data set.
        cache_dir: Folder for the data set. None is the default folder of ``datasets``.
        separator: Separator of a text file. None derives it from the suffix.
        na_values: Further entries of text files that mean a missing value, such as ``"?"``.
        encoding: Encoding of text files, such as ``"cp1252"``. None is ``"utf-8"``.
        decimal: Decimal point of the numbers of text files; ``","`` for those of many countries.
        target: Name of the target column.
        features: Names of the feature columns. None takes all columns except the target.
        exclude: Names of columns that are no features, such as an identifier, also if ``features``
            or the data set names them; :attr:`excluded_columns` has those of predicted rows. There
            is a warning of columns that have one value in all training rows, and of those that look
            like identifiers
            (:func:`~pear_lightning.datamodules.uninformative_columns.identifiers`), unless
            ``features`` or ``irrelevant`` names them.
        categories: Names of columns of numbers that are categories, such as codes. Columns of text
            always are.
        max_categories: Largest number of values of a category; more raise an error, because such a
            column is usually an identifier.
        impute: Whether to fill in missing features: a number by the median of the training rows, a
            category by the category ``"missing"``. Otherwise they raise an error. New rows
            (``test_data``, ``predict_data``) without any value in a column give a warning.
        irrelevant: Names of features that must not matter, which the mask marks in every row.
        annotations: A table, in the form of ``data``, with a row for each row of ``data`` and
            columns named after features, with 1 for features that must not matter for this row, and
            0 otherwise. Test rows from ``test_data`` have only the marks of ``irrelevant``.
        class_names: Names of the classes, in the order of their sorted values. None takes the
            values.
        task: ``"classification"`` or ``"regression"``. The target of a regression is not scaled;
            there is a warning if its training mean is far from 0, or its standard deviation from 1.
        scaling: Scaling of the numbers: ``"standard"`` (mean 0, standard deviation 1),
            ``"minmax"`` (to [0, 1]; validation and test rows can be outside), ``"quantile"`` or
            ``"none"``. Columns of categories are not scaled.
        quantile_output: Distribution after ``scaling="quantile"``: ``"normal"`` or ``"uniform"``.
        legacy_test_scaling: Whether to scale the test rows with a scaler fitted to the test rows.
            This reproduces a bug in the published accuracies of PEAR: the same row gets different
            features in training and in testing.
        val_fraction: Share of the training rows held out for validation, 0 to below 1. With 0 there
            is no validation (as in PEAR).
        test_fraction: Share of ``data`` held out for testing, 0 to below 1. Not used if the test
            rows come from a separate table.
        seed: Seed of the splits and of the junk features. Splits keep the share of each class.
        batch_size: Number of rows in a training batch.
        eval_batch_size: Number of rows in any other batch. None is ``batch_size``.
        num_workers: Number of loading processes. 0 is fastest for a table in memory.
        drop_last: Whether to drop the last training batch if it is smaller.
        pin_memory: Whether to page-lock batches for the copy to the GPU. Ignored without CUDA.
        junk_features: Number of columns of uniform [0, 1] noise to append to every split, after
            scaling, or ``"double"`` for as many as there are features. A sound explanation gives
            them no weight. None appends none, or as many as in the fit of a checkpoint.

    Raises:
        ValueError: If an argument is out of range, a table has no rows, a column is missing or
            holds neither numbers nor categories, a value is missing or infinite, or the target does
            not fit the task.
        FileNotFoundError: If a file does not exist.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"age": range(20, 40), "income": range(20), "y": [0, 1] * 10})
        >>> data = TabularDataModule(table, target="y", val_fraction=0.2, batch_size=4)
        >>> data.setup()
        >>> data.splits, data.feature_names, data.num_classes
        ({'train': 12, 'val': 3, 'test': 5}, ['age', 'income'], 2)
        >>> inputs, target = next(iter(data.train_dataloader()))
        >>> inputs.shape, inputs.dtype, target.dtype
        (torch.Size([4, 2]), torch.float32, torch.int64)

        >>> table["job"] = ["clerk", "cook"] * 10
        >>> data = TabularDataModule(table, target="y")
        >>> data.setup()
        >>> data.feature_names, data.groups
        (['age', 'income', 'job=clerk', 'job=cook'], [0, 1, 2, 2])
    """

    def __init__(
        self,
        data: Any = None,
        test_data: Any = None,
        *,
        predict_data: Any = None,
        hub_id: str | None = None,
        hub_config: str | None = None,
        data_files: str | list[str] | dict[str, str] | None = None,
        revision: str | None = None,
        cache_dir: str | None = None,
        separator: str | None = None,
        na_values: list[str] | None = None,
        encoding: str | None = None,
        decimal: str = ".",
        target: str = "target",
        features: list[str] | None = None,
        exclude: list[str] | None = None,
        categories: list[str] | None = None,
        max_categories: int = 100,
        impute: bool = False,
        irrelevant: list[str] | None = None,
        annotations: Any = None,
        class_names: list[str] | None = None,
        task: Literal["classification", "regression"] = "classification",
        scaling: Scaling = "standard",
        quantile_output: QuantileOutput = "normal",
        legacy_test_scaling: bool = False,
        val_fraction: float = 0.0,
        test_fraction: float = 0.25,
        seed: int = 0,
        batch_size: int = 64,
        eval_batch_size: int | None = None,
        num_workers: int = 0,
        drop_last: bool = False,
        pin_memory: bool = False,
        junk_features: int | Literal["double"] | None = None,
    ) -> None:
        super().__init__(
            val_fraction=val_fraction,
            seed=seed,
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            num_workers=num_workers,
            drop_last=drop_last,
            pin_memory=pin_memory,
        )
        # a checkpoint must hold plain values only to be readable under weights_only
        data, test_data, predict_data, annotations = (
            str(table) if isinstance(table, os.PathLike) else table
            for table in (data, test_data, predict_data, annotations)
        )
        tables = {"data": data, "test_data": test_data}
        tables |= {"predict_data": predict_data, "annotations": annotations}
        # not logged, because the Trainer raises if a module has a hyperparameter of the same name
        # with another value
        self.save_hyperparameters(
            ignore=[name for name, table in tables.items() if not isinstance(table, str)],
            logger=False,
        )

        if data is not None and hub_id is not None:
            raise ValueError("data must be None with hub_id, got both; give one source")
        if test_data is not None and data is None:
            raise ValueError("data, the training rows, must be given with test_data, got None")
        if hub_id is None and not (hub_config is None and data_files is None):
            raise ValueError("hub_id must be given with hub_config or data_files, got None")
        if not 0 <= test_fraction < 1:
            raise ValueError(f"test_fraction must lie in [0, 1), got {test_fraction}")
        if max_categories < 1:
            raise ValueError(f"max_categories must be at least 1, got {max_categories}")
        if task not in ("classification", "regression"):
            raise ValueError(f"task must be 'classification' or 'regression', got {task!r}")
        if class_names is not None and task == "regression":
            raise ValueError(f"class_names must be None for task='regression', got {class_names!r}")
        if junk_features != "double" and (
            isinstance(junk_features, str) or (junk_features or 0) < 0
        ):
            raise ValueError(
                f"junk_features must be a number of at least 0 or 'double', got {junk_features!r}"
            )
        make_scaler(scaling, 1, quantile_output)  # raises for an unknown name

        self.data = data
        self.test_data = test_data
        self.predict_data = predict_data
        self.hub_id = hub_id
        self.hub_config = hub_config
        self.data_files = data_files
        self.revision = revision
        self.cache_dir = cache_dir
        self.separator = separator
        self.na_values = na_values
        self.encoding = encoding
        self.decimal = decimal
        self.target = target
        self.features = features
        self.exclude = exclude
        self.categories = categories
        self.max_categories = max_categories
        self.impute = impute
        self.irrelevant = irrelevant
        self.annotations = annotations
        self.task = task
        self.scaling: Scaling = scaling
        self.quantile_output: QuantileOutput = quantile_output
        self.legacy_test_scaling = legacy_test_scaling
        self.test_fraction = test_fraction
        self.junk_features = junk_features
        self._given_class_names = class_names
        self._is_set_up = False
        self._parts: dict[str, Part] = {}
        self._datasets: dict[str, TableDataset | AnnotatedDataset] = {}
        self._left_out: dict[str, DataFrame] = {}  # of each split, and of predict_data
        self._encoder: TableEncoder | None = None
        self._classes: list[Any] = []
        self._class_names: list[str] = []
        self._has_own_test_rows = test_data is not None
        self._fitted = {}  # state of the fit of a checkpoint

    def load_tables(self) -> "tuple[DataFrame, DataFrame | None]":
        """Return the table for training, and the table for testing or None."""
        if self.hub_id is not None:
            return read_hub(
                self.hub_id,
                self.hub_config,
                data_files=self.data_files,
                revision=self.revision,
                cache_dir=self.cache_dir,
            )
        if self.data is None:
            raise ValueError(
                "data (a path, a DataFrame or (X, y)) or hub_id must be given, got neither"
            )
        train = self._read(self.data, self._text_columns())
        if self.test_data is None:
            return train, None
        return train, self._read(self.test_data, self._text_columns(train))

    @override
    def prepare_data(self) -> None:
        if self.hub_id is not None:
            self.load_tables()  # fills the cache for the other processes

    @override
    def setup(self, stage: str | None = None) -> None:
        self._is_set_up = True
        if stage in ("validate", "test", "predict"):
            return  # the trainer loads the encoding of a checkpoint after this, and rows later
        if not self._parts:
            self._load()
        super().setup(stage)

    def _load(self) -> None:
        """Read and split the training table, and fit the encoding if no checkpoint brought one."""
        train, test = self.load_tables()
        train = train.rename(columns=str)
        check_rows(train, "training table")
        self._has_own_test_rows = test is not None
        if self._encoder is None:
            names = feature_columns(train, self.target, self.features, self.exclude)
            words = category_columns(train, names, self.categories, self._excluded)
            warn_of_decimal_commas(train, words)
            encoder = self._new_encoder(names, words)
        else:
            encoder = self._encoder
        if self.task == "classification" and not self._classes:
            self._classes = classes_of(train[self.target])
            self._class_names = self._name_classes()
        marks = (
            marks_of(self._read(self.annotations), encoder.features, len(train))
            if self.annotations is not None
            else None
        )
        parts = {"train": self._part(train, encoder, "training table", marks)}
        if test is not None:
            parts["test"] = self._part(test, encoder, "test table")
        stratify = self.task == "classification"
        held_out = {"val": self.val_fraction}
        if test is None:
            held_out = {"test": self.test_fraction, **held_out}
        for split, fraction in held_out.items():
            if fraction:
                parts["train"], parts[split] = hold_out(
                    parts["train"], split, fraction, seed=self.seed, stratify=stratify
                )
        if self._encoder is None:
            self._encoder = encoder.fit(parts["train"].table, self._excluded)
            if self.data is not None or self.hub_id is not None:  # not a well-known table
                rows = parts["train"].table
                warn_of_constants(rows, encoder, self._excluded)
                warn_of_identifiers(rows, encoder, self._excluded, self.irrelevant)
            warn_of_far_values(parts["train"], encoder)
            if self.task == "regression":
                warn_of_far_target(parts["train"].target, self.target)
        self._parts = {split: parts[split] for split in _SPLITS if split in parts}
        warn_of_other_splits(
            self._fitted, self._split_settings(), own_test_rows=self._has_own_test_rows
        )

    def _refuse_source(self) -> None:
        """Raise for arguments that name a source, in a class with a fixed source."""
        if self.data is not None or self.hub_id is not None:
            raise ValueError(
                f"data and hub_id must be None for {type(self).__name__}, which has a fixed table, "
                "got a source; use TabularDataModule for other tables"
            )

    @property
    def _excluded(self) -> list[str] | None:
        """Columns that ``exclude`` leaves out; None if ``features`` lists the others."""
        return list(self.exclude or ()) if self.features is None else None

    def _new_encoder(self, names: list[str], words: list[str]) -> TableEncoder:
        if self.legacy_test_scaling and words:
            raise ValueError(
                f"legacy_test_scaling must be False for a table with categories, got {words}"
            )
        return TableEncoder(
            names,
            words,
            scaling=self.scaling,
            quantile_output=self.quantile_output,
            impute=self.impute,
            max_categories=self.max_categories,
            seed=self.seed,
        )

    def _name_classes(self) -> list[str]:
        names = self._given_class_names or [str(value) for value in self._classes]
        if len(names) != len(self._classes):
            raise ValueError(
                f"class_names must have one name for each of the classes {self._classes}, got "
                f"{names}"
            )
        return list(names)

    def _part(
        self,
        table: "DataFrame",
        encoder: TableEncoder,
        part: str,
        marks: "NDArray[Any] | None" = None,
    ) -> Part:
        """Return the cleaned rows of a table with their targets and marks."""
        check_target(self._fitted, self.target)
        if marks is None and self.annotations is not None:
            marks = marks_of(None, encoder.features, len(table))
        return cleaned_part(
            table,
            encoder,
            part,
            target=self.target,
            classes=None if self.task == "regression" else self._classes,
            marks=marks,
            irrelevant=self.irrelevant,
            exclude=self.exclude,
        )

    @property
    def encoder(self) -> TableEncoder:
        """The encoding of the features, fitted to the training rows or from a checkpoint."""
        if self._encoder is None:
            self._loaded()
        assert self._encoder is not None
        return self._encoder

    def _loaded(self) -> dict[str, Part]:
        if not self._is_set_up:
            raise RuntimeError("the table must be loaded before use, got none; call setup() first")
        if not self._parts:
            self._load()
        return self._parts

    @property
    def splits(self) -> dict[str, int]:
        """Number of rows of each existing split."""
        return {name: len(part.target) for name, part in self._loaded().items()}

    @override
    def rows(self, split: str) -> TableDataset | AnnotatedDataset:
        """Return all rows of a split, a data set with ``inputs``, ``target`` and maybe ``mask``.

        Args:
            split: ``"train"``, ``"val"`` or ``"test"``.

        Raises:
            RuntimeError: If :meth:`setup` has not been called.
            ValueError: If there is no such split.
        """
        if split not in self._datasets:
            if split == "test" and self._has_test_rows_alone:
                table = self._read(self.test_data, self._text_columns())
                part = self._part(table, self.encoder, "test table")
            elif split in self._loaded():
                part = self._parts[split]
            else:
                raise ValueError(f"split must be one of {list(self._parts)}, got {split!r}")
            if split == "test" and self._has_own_test_rows:
                warn_of_new_rows(part.table, self.encoder, "the test table")
            self._left_out[split] = part.excluded
            self._datasets[split] = self._encode(split, part)
        return self._datasets[split]

    @property
    def _has_test_rows_alone(self) -> bool:
        """Whether test rows can be encoded without the training table, for a checkpoint."""
        return self._encoder is not None and self.test_data is not None and not self._parts

    def _encode(self, split: str, part: Part) -> TableDataset | AnnotatedDataset:
        encoder = self.encoder
        if split == "test" and self.legacy_test_scaling:
            encoder = self._new_encoder(encoder.features, []).fit(part.table)
        inputs = self.with_junk(encoder.transform(part.table), _SPLITS.index(split))
        dtype = torch.long if self.task == "classification" else torch.float32
        target = torch.as_tensor(part.target).to(dtype)
        if part.marks is None:
            return TableDataset(inputs, target)
        marks = torch.as_tensor(part.marks)[:, torch.tensor(encoder.groups)]
        junk = torch.zeros(len(inputs), inputs.shape[1] - marks.shape[1], dtype=torch.bool)
        return AnnotatedDataset(inputs, target, torch.cat([marks, junk], dim=1))

    def predict_rows(self) -> TableDataset:
        """Return the encoded rows of ``predict_data``, without target.

        Raises:
            ValueError: If ``predict_data`` is None, has no rows, or lacks a feature.
        """
        if self.predict_data is None:
            raise ValueError("predict_data must be given to predict new rows, got None")
        encoder = self.encoder
        names = encoder.features
        table = as_rows(self.predict_data, as_text=self._text_columns(), **self._form)
        table = table.rename(columns=str)
        check_rows(table, "predict_data")
        self._left_out["predict"] = columns_of(table, self.exclude)
        table = clean_columns(
            table, names, encoder.categories, impute=encoder.impute, part="predict_data"
        )
        warn_of_new_rows(table, encoder, "predict_data")
        return TableDataset(self.with_junk(encoder.transform(table), len(_SPLITS)))

    @override
    def test_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        if self._has_test_rows_alone:
            return self._loader(self.rows("test"), self.eval_batch_size or self.batch_size)
        return super().test_dataloader()

    @override
    def predict_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        if self.predict_data is None:
            return self.test_dataloader()
        return self._loader(self.predict_rows(), self.eval_batch_size or self.batch_size)

    @property
    def excluded_columns(self) -> "DataFrame | None":
        """Columns that ``exclude`` names, of the rows that ``predict`` visits, in their order.

        Text, if the rows are read from a text file. None before these rows have been read.
        """
        return self._left_out.get("test" if self.predict_data is None else "predict")

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, in the order of ``target``; empty for regression."""
        _ = self.encoder
        return list(self._class_names)

    @property
    def num_classes(self) -> int:
        """Number of classes, the number of outputs that a model needs; 1 for regression."""
        return max(len(self.class_names), 1)
