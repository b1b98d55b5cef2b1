"""Columns of a table as features."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from pear_lightning.functional.validation import check_count
from pear_lightning.masking.baseline_spec import BaselineSpec
from pear_lightning.masking.bound_masker import Pooling
from pear_lightning.masking.features_of_columns import features_of_columns
from pear_lightning.masking.masker import Masker


class ColumnMasker(Masker):
    """The columns of a table, or groups of columns, as features.

    Args:
        n_columns: Number of columns d.
        groups: Groups of columns that form one feature, such as the columns of a one-hot block;
            every other column is its own feature. Features are numbered by their first column.
            ``None`` means no groups.
        baseline: Values of removed columns; see :class:`~pear_lightning.masking.Masker`.
        pooling: ``"sum"`` or ``"mean"`` of the attributions of a group.

    Raises:
        ValueError: If a group is empty, names a column that does not exist, or overlaps another
            group; when used, if the inputs are not ``(B, d)``.

    Shapes:
        - inputs: ``(B, d)``
        - saliency: ``(B, n)``, with n = d if there are no groups

    Example:
        >>> import torch
        >>> masker = ColumnMasker(4, groups=[[1, 2]])
        >>> masker.n_features
        3
        >>> masker.pool(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
        tensor([[1., 5., 4.]])
        >>> masker.apply(torch.ones(1, 4), torch.tensor([[[True, False, True]]]))
        tensor([[[1., 0., 0., 1.]]])
    """

    def __init__(
        self,
        n_columns: int,
        groups: Sequence[Sequence[int]] | None = None,
        *,
        baseline: BaselineSpec = "zeros",
        pooling: Pooling = "sum",
    ) -> None:
        super().__init__(baseline, pooling)
        check_count("n_columns", n_columns)
        self.n_columns = n_columns
        self.groups = [sorted(group) for group in groups or []]
        features = features_of_columns(n_columns, self.groups)
        self._n_features = max(features) + 1
        self._map = torch.tensor([features])

    @property
    def n_features(self) -> int:
        """Number of features n: the groups, and the columns outside of groups."""
        return self._n_features

    def feature_map(self, inputs: Tensor, sample_data: Mapping[str, Any]) -> Tensor:
        """Return the feature of every column, ``(1, d)`` long.

        Args:
            inputs: Inputs, ``(B, d)``.
            sample_data: Not used.
        """
        if inputs.ndim != 2 or inputs.shape[1] != self.n_columns:
            raise ValueError(
                f"inputs must be rows of {self.n_columns} columns, (B, {self.n_columns}), "
                f"got {tuple(inputs.shape)}"
            )
        return self._map.to(inputs.device)

    def settings(self) -> str:
        """Return the columns and groups, for ``repr``."""
        return f"n_columns={self.n_columns}" + (f", groups={self.groups}" if self.groups else "")
