"""Names and sizes of the columns of encoded tables."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from pear_lightning.datamodules.loading_data_module import LoadingDataModule
from pear_lightning.datamodules.table_encoder import TableEncoder
from pear_lightning.masking import ColumnMasker
from pear_lightning.masking.baseline_spec import BaselineSpec
from pear_lightning.masking.bound_masker import Pooling

if TYPE_CHECKING:
    from numpy.typing import NDArray


class NamedColumns(LoadingDataModule):
    """Base class of data modules of encoded tables: names and groups of their columns.

    Attributes:
        junk_features: Number of columns of random numbers behind those of the table; ``"double"``
            for as many as the table has, None for none.
    """

    junk_features: int | Literal["double"] | None

    @property
    @abstractmethod
    def encoder(self) -> TableEncoder:
        """The encoding of the features."""

    @property
    def num_features(self) -> int:
        """Number of columns n of ``inputs``, including junk features."""
        return len(self.encoder.names) + self.n_junk

    @property
    def feature_names(self) -> list[str]:
        """Names of the columns of ``inputs``: ``age``, ``job=clerk``, ``job=cook``."""
        return [*self.encoder.names, *(f"junk_{i}" for i in range(self.n_junk))]

    @property
    def groups(self) -> list[int]:
        """Number of the feature of each column of ``inputs``, from 0; a category is one feature."""
        groups = self.encoder.groups
        return [*groups, *(max(groups) + 1 + i for i in range(self.n_junk))]

    @property
    def group_names(self) -> list[str]:
        """Names of the features that :attr:`groups` numbers: the columns of the table."""
        return [*self.encoder.features, *(f"junk_{i}" for i in range(self.n_junk))]

    def masker(self, baseline: BaselineSpec = "zeros", pooling: Pooling = "sum") -> ColumnMasker:
        """Return the masker of the features, for which the columns of a category are one feature.

        Args:
            baseline: Values of removed columns; see :class:`~pear_lightning.masking.Masker`.
            pooling: ``"sum"`` or ``"mean"`` of the attributions of a feature.
        """
        return ColumnMasker(
            self.num_features, self.column_groups, baseline=baseline, pooling=pooling
        )

    @property
    def column_groups(self) -> list[list[int]]:
        """The columns of each feature that has several."""
        columns: dict[int, list[int]] = {}
        for column, group in enumerate(self.groups):
            columns.setdefault(group, []).append(column)
        return [each for each in columns.values() if len(each) > 1]

    def with_junk(self, rows: "NDArray[Any]", stream: int) -> Tensor:
        """Return rows with the junk features, uniform on [0, 1), in float32.

        Args:
            rows: Encoded rows, ``(N, n)``.
            stream: Number of the random stream, one for each split.
        """
        import numpy as np

        size = (len(rows), self.n_junk)
        noise = np.random.default_rng([self.seed, stream]).uniform(size=size)
        return torch.as_tensor(np.concatenate([rows, noise], axis=1), dtype=torch.float32)

    @property
    def n_junk(self) -> int:
        """Number of junk features."""
        if self.junk_features == "double":
            return len(self.encoder.names)
        return int(self.junk_features or 0)
