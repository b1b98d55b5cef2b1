"""Columns of a table as features."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from pear_lightning.masking.baseline_spec import BaselineSpec
from pear_lightning.masking.bound_masker import Pooling
from pear_lightning.masking.masker import Masker


class ColumnMasker(Masker):
    """The columns of a table, or groups of them, as features.

    Args:
        n_columns: Number of columns d.
        groups: Columns that are one feature together, such as the columns of a one-hot block;
            every other column is a feature of its own. Features are numbered by their first
            column. None for no groups.
        baseline: What removed columns become; see :class:`~pear_lightning.masking.Masker`.
        pooling: ``"sum"`` or ``"mean"`` of the attributions of a group.

    Raises:
        ValueError: If a group is empty, names a column that there is not, or shares one with
            another group; when used, if the inputs are not ``(B, d)``.

    Shapes:
        - inputs: ``(B, d)``
        - saliency: ``(B, n)``; n = d without groups

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
        if n_columns < 1:
            raise ValueError(f"n_columns must be at least 1, got {n_columns}")
        self.n_columns = n_columns
        self.groups = [sorted(group) for group in groups or []]
        features = _features(n_columns, self.groups)
        self._n_features = max(features) + 1
        self._map = torch.tensor([features])

    @property
    def n_features(self) -> int:
        """Number of features n: groups, and columns outside of them."""
        return self._n_features

    def feature_map(self, inputs: Tensor, sample_data: Mapping[str, Any]) -> Tensor:
        """Return the feature of every column.

        Args:
            inputs: Inputs, ``(B, d)``.
            sample_data: Not used.

        Returns:
            ``(1, d)`` long.
        """
        if inputs.ndim != 2 or inputs.shape[1] != self.n_columns:
            raise ValueError(
                f"inputs must be rows of {self.n_columns} columns, (B, {self.n_columns}), "
                f"got {tuple(inputs.shape)}"
            )
        return self._map.to(inputs.device)

    def settings(self) -> str:
        """Name columns and groups."""
        return f"n_columns={self.n_columns}" + (f", groups={self.groups}" if self.groups else "")


def _features(n_columns: int, groups: list[list[int]]) -> list[int]:
    """Return the number of each column's feature."""
    group_of: dict[int, int] = {}
    for number, group in enumerate(groups):
        if not group:
            raise ValueError(f"groups[{number}] is empty; a group has at least one column")
        for column in group:
            if not 0 <= column < n_columns:
                raise ValueError(
                    f"groups[{number}] names column {column}; expected 0..{n_columns - 1}"
                )
            if column in group_of:
                raise ValueError(f"column {column} is in groups[{group_of[column]}] and [{number}]")
            group_of[column] = number
    number_of: dict[Any, int] = {}
    return [
        number_of.setdefault(("group", group_of[c]) if c in group_of else c, len(number_of))
        for c in range(n_columns)
    ]
