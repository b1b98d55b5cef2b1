"""What all gates over input features share."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pear_lightning.functional.validation import is_traced
from pear_lightning.nn.input_scale import warn_if_not_standardized


class FeatureGate(nn.Module, ABC):
    r"""A layer that multiplies every feature by a learned factor, from which a score is read.

    .. math:: y_k = w \odot x_k

    Subclasses say what the factors ``w`` are (:meth:`weights`), which score is read from them
    (:attr:`scores`) and what the loss pays for them (:meth:`penalty`). Scores of all gates share
    these limits:

    - **Standardise the inputs.** A feature that is multiplied by c needs a gate of 1/c to mean the
      same. The first training batch of 16 rows or more is looked at, once, and a warning says so
      where spreads differ by a factor of 30 or a mean lies 10 standard deviations from 0.
    - **Scores are not identifiable.** ``W diag(w) x`` stays the same when a factor is multiplied
      and its column of the next layer W divided by the same number. :meth:`effective_scores` takes
      the next layer into account.
    - Correlated features share their score.
    - A gate that is the same for every row cannot say which features matter for which row.

    Shapes:
        - ``inputs`` and output: ``(B, *S)``, with ``in_features`` entries along ``axis``
        - scores: ``(n_features,)``

    Args:
        in_features: Size of the inputs along ``axis``.
        axis: Dimension of the inputs that holds the features: -1 for the columns of a table and
            for channels that come last, 1 for token positions of ``(B, L, D)`` or channels of
            ``(B, C, H, W)``. Not 0, which is the batch.
        groups: Number of the feature that each entry belongs to, 0 to G − 1, for entries that
            are one feature together, such as the columns of a one-hot code: ``[0, 0, 0, 1, 2]``.
            ``None`` makes every entry a feature.
        check_scale: Whether to warn about inputs that are not standardised.

    Raises:
        ValueError: If an argument is out of range, or the inputs have another number of features.
    """

    group_of: Tensor | None

    def __init__(
        self,
        in_features: int,
        *,
        axis: int = -1,
        groups: Sequence[int] | None = None,
        check_scale: bool = True,
    ) -> None:
        super().__init__()
        if in_features < 1:
            raise ValueError(f"in_features must be at least 1, got {in_features}")
        if axis == 0:
            raise ValueError("axis 0 is the batch: features lie along another, such as -1 or 1")
        self.in_features = in_features
        self.n_features = in_features if groups is None else _count(groups, in_features)
        self.axis = axis
        self._scale_is_unknown = check_scale
        group_of = None if groups is None else torch.tensor(list(groups))
        self.register_buffer("group_of", group_of, persistent=False)

    @property
    def grouped(self) -> bool:
        """Whether several entries may be one feature."""
        return self.group_of is not None

    @abstractmethod
    def weights(self, inputs: Tensor) -> Tensor:
        """Return the factors of a batch.

        Args:
            inputs: Inputs, ``(B, *S)``.

        Returns:
            ``(n_features,)`` where they are the same for all rows, else ``(B, n_features)``.
        """

    @property
    @abstractmethod
    def factors(self) -> Tensor:
        """The factors at inference, ``(n_features,)``, detached; their mean if rows differ."""

    @property
    def scores(self) -> Tensor:
        """Importance of each feature, ``(n_features,)``, detached; larger is more important."""
        return self.factors

    def penalty(self) -> Tensor | None:
        """Return what the gate adds to the loss, a scalar, or ``None`` for nothing."""
        return None

    def effective_scores(self, weight: Tensor) -> Tensor:
        r"""Return ``w_i · ‖W_:,i‖``, which does not change when a factor moves between the two.

        Args:
            weight: Weight W of the layer that reads the output: ``(out, in_features)``, or
                ``(out, in_features, ...)`` for a convolution.

        Returns:
            ``(n_features,)``, detached; a group has the norm of all its columns.
        """
        columns = weight.detach().transpose(0, 1).flatten(1).square().sum(dim=1)
        if len(columns) != self.in_features:
            raise ValueError(
                f"weight has shape {tuple(weight.shape)}: (out, {self.in_features}) is expected"
            )
        if self.group_of is not None:
            columns = columns.new_zeros(self.n_features).index_add(0, self.group_of, columns)
        return self.factors.abs() * columns.sqrt()

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the inputs, each feature times its factor.

        Args:
            inputs: Inputs, ``(B, *S)``.

        Returns:
            ``(B, *S)``, in the dtype of the inputs.
        """
        self._check_shape(inputs)
        if self._scale_is_unknown and self.training and not is_traced(inputs):
            self._scale_is_unknown = not warn_if_not_standardized(inputs, self.axis)
        weights = self.weights(inputs).to(inputs.dtype)
        if self.group_of is not None:
            weights = weights[..., self.group_of]
        if inputs.ndim > 2:
            shape = [1] * inputs.ndim
            shape[self.axis] = self.in_features
            shape[0] = inputs.shape[0] if weights.ndim == 2 else 1
            weights = weights.view(shape)
        return inputs * weights

    def _check_shape(self, inputs: Tensor) -> None:
        dimension = self.axis if self.axis >= 0 else inputs.ndim + self.axis
        if not 0 < dimension < inputs.ndim or inputs.shape[dimension] != self.in_features:
            raise ValueError(
                f"inputs have shape {tuple(inputs.shape)}: {self.in_features} features along "
                f"axis {self.axis} are expected, after a batch dimension"
            )

    def extra_repr(self) -> str:
        """Name the settings."""
        grouped = "" if self.group_of is None else f", n_features={self.n_features}"
        return f"{self.in_features}{grouped}, axis={self.axis}"


def _count(groups: Sequence[int], in_features: int) -> int:
    """Return the number of groups; raise unless every entry has one and none is empty."""
    if len(groups) != in_features:
        raise ValueError(
            f"groups must say for each of the {in_features} entries which feature it belongs to, "
            f"got {len(groups)} values"
        )
    count = max(groups) + 1
    if set(groups) != set(range(count)):
        raise ValueError(
            f"groups must be the numbers 0 to G - 1, each at least once, got {sorted(set(groups))}"
        )
    return count
