"""Base class of gates for input features."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pear_lightning.functional.validation import is_traced
from pear_lightning.nn.in_features import given_in_features
from pear_lightning.nn.input_scale import warn_if_not_standardized


class FeatureGate(nn.Module, ABC):
    r"""Base class of layers that multiply every feature by a learned factor, which gives a score.

    .. math:: y_k = w \odot x_k

    Subclasses define the factors ``w`` (:meth:`weights`), the scores read from them
    (:attr:`scores`) and their penalty in the loss (:meth:`penalty`). The scores of all gates share
    these limits:

    - **Standardise the inputs.** A feature multiplied by c needs a gate of 1/c for the same effect.
      The first training batch of at least 16 rows is checked, once, and a warning is emitted if
      spreads differ by a factor of 30, a mean lies 10 standard deviations from 0, or the median
      feature has a spread outside of 0.3 to 3 or a mean 2 standard deviations from 0, as features
      scaled to [0, 1] often have.
    - **Scores are not identifiable.** ``W diag(w) x`` does not change when a factor is multiplied
      and its column of the next layer W divided by the same number. :meth:`effective_scores` takes
      the next layer into account.
    - Correlated features share their score.
    - A gate with the same factors for every row cannot show which features matter for which row.

    Shapes:
        - ``inputs`` and output: ``(B, *S)``, with ``in_features`` entries along ``axis``
        - scores: ``(n_features,)``

    Args:
        in_features: Size of the inputs along ``axis``.
        axis: Dimension of the inputs that holds the features: -1 for the columns of a table and
            for channels-last inputs, 1 for token positions of ``(B, L, D)`` or channels of
            ``(B, C, H, W)``. Must not be 0, the batch dimension.
        groups: Index of the feature that each entry belongs to, 0 to G − 1, for entries that form
            one feature, such as the columns of a one-hot code: ``[0, 0, 0, 1, 2]``. ``None`` makes
            every entry a feature.
        check_scale: Whether to warn about inputs that are not standardised.

    Raises:
        ValueError: If an argument is out of range, or the inputs have a different number of
            features.
    """

    group_of: Tensor | None

    def __init__(
        self,
        in_features: int | None,
        *,
        axis: int = -1,
        groups: Sequence[int] | None = None,
        check_scale: bool = True,
    ) -> None:
        super().__init__()
        in_features = given_in_features(in_features)
        if in_features < 1:
            raise ValueError(f"in_features must be at least 1, got {in_features}")
        if axis == 0:
            raise ValueError(
                "axis must not be 0, the batch dimension, got 0; use another one, such as -1 or 1"
            )
        self.in_features = in_features
        self.n_features = in_features if groups is None else _count(groups, in_features)
        self.axis = axis
        self._scale_is_unknown = check_scale
        group_of = None if groups is None else torch.tensor(list(groups))
        self.register_buffer("group_of", group_of, persistent=False)

    @property
    def grouped(self) -> bool:
        """Whether several entries may form one feature."""
        return self.group_of is not None

    @abstractmethod
    def weights(self, inputs: Tensor) -> Tensor:
        """Return the factors of a batch.

        Args:
            inputs: Inputs, ``(B, *S)``.

        Returns:
            ``(n_features,)`` if they are the same for all rows, else ``(B, n_features)``.
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
        """Return the gate's term of the loss, a scalar, or ``None`` if it has none."""
        return None

    def effective_scores(self, weight: Tensor) -> Tensor:
        r"""Return ``w_i · ‖W_:,i‖``, which does not change when a factor moves between w and W.

        Args:
            weight: Weight W of the layer that reads the output: ``(out, in_features)``, or
                ``(out, in_features, ...)`` for a convolution.

        Returns:
            ``(n_features,)``, detached; a group uses the norm over all its columns.
        """
        columns = weight.detach().transpose(0, 1).flatten(1).square().sum(dim=1)
        if len(columns) != self.in_features:
            raise ValueError(
                f"weight must have shape (out, {self.in_features}) or (out, {self.in_features}, "
                f"...), got {tuple(weight.shape)}"
            )
        if self.group_of is not None:
            columns = columns.new_zeros(self.n_features).index_add(0, self.group_of, columns)
        return self.factors.abs() * columns.sqrt()

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the inputs with each feature multiplied by its factor.

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
        if not inputs.is_floating_point():
            raise TypeError(
                f"inputs must be floating-point, got {inputs.dtype}; gate the embeddings of token "
                "ids, with axis=1 for positions or axis=-1 for components"
            )
        dimension = self.axis if self.axis >= 0 else inputs.ndim + self.axis
        if not 0 < dimension < inputs.ndim or inputs.shape[dimension] != self.in_features:
            raise ValueError(
                f"inputs must have {self.in_features} features along axis {self.axis}, after a "
                f"batch dimension, got {tuple(inputs.shape)}"
            )

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        grouped = "" if self.group_of is None else f", n_features={self.n_features}"
        return f"{self.in_features}{grouped}, axis={self.axis}"


def _count(groups: Sequence[int], in_features: int) -> int:
    """Return the number of groups; check that every entry has a group and that none is empty."""
    if len(groups) != in_features:
        raise ValueError(
            f"groups must give the feature of each of the {in_features} entries, got "
            f"{len(groups)} values"
        )
    count = max(groups) + 1
    if set(groups) != set(range(count)):
        raise ValueError(
            f"groups must contain each number from 0 to G - 1, got {sorted(set(groups))}"
        )
    return count
