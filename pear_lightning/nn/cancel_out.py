"""CancelOut."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from pear_lightning.functional.validation import at_least_float32, check_choice
from pear_lightning.nn.feature_gate import FeatureGate


class CancelOut(FeatureGate):
    r"""CancelOut: a gate for every feature, ``y = x ⊙ g(w)``, with g a sigmoid or a softmax.

    .. math:: L = L_\text{task} + \lambda_1 \, \lVert g(w) \rVert_1 - \lambda_2 \, \mathrm{var}(w)

    The norm closes gates; the variance spreads the weights. With ``activation="softmax"`` and both
    λ at 0 this is :class:`~pear_lightning.nn.ScoresActivation`. For the limits of the scores, see
    :class:`~pear_lightning.nn.feature_gate.FeatureGate`.

    Args:
        in_features: Size of the inputs along ``axis``.
            ``None`` only in configurations of the command line, which takes it from the data.
        axis: Dimension that holds the features.
        groups: Index of the feature that each entry belongs to; ``None`` makes every entry a
            feature.
        activation: ``"sigmoid"`` (initial weights 4, gates .98) or ``"softmax"`` (initial weights
            1, gates 1/d).
        l1_weight: λ1, not negative.
        variance_weight: λ2, not negative.
        check_scale: Whether to warn about inputs that are not standardised.

    Shapes:
        - ``inputs`` and output: ``(B, *S)``, with ``in_features`` entries along ``axis``
        - ``scores``: ``(d,)``, the weights w themselves, in which g is monotone

    Raises:
        ValueError: If an argument is out of range, or the inputs have a different number of
            features.

    Example:
        >>> import torch
        >>> gate = CancelOut(3)
        >>> gate(torch.ones(1, 3))
        tensor([[0.9820, 0.9820, 0.9820]], grad_fn=<MulBackward0>)

    References:
        V. Borisov, J. Haug, G. Kasneci. *CancelOut: a layer for feature selection in deep neural
        networks.* ICANN 2019; unnir/CancelOut for the initialisations and the weights of the loss.

    Deviations from the paper:
        None known in the sigmoid form, which follows the authors' PyTorch code. Their Keras example
        with a softmax has no additional loss: set both λ to 0 for it.
    """

    def __init__(
        self,
        in_features: int | None = None,
        *,
        axis: int = -1,
        groups: Sequence[int] | None = None,
        activation: Literal["sigmoid", "softmax"] = "sigmoid",
        l1_weight: float = 1e-3,
        variance_weight: float = 1e-3,
        check_scale: bool = True,
    ) -> None:
        super().__init__(in_features, axis=axis, groups=groups, check_scale=check_scale)
        check_choice("activation", activation, ("sigmoid", "softmax"))
        for name, weight in {"l1_weight": l1_weight, "variance_weight": variance_weight}.items():
            if not weight >= 0:
                raise ValueError(f"{name} must not be negative, got {weight}")
        if variance_weight and self.n_features == 1:
            raise ValueError(
                f"variance_weight must be 0 for a single feature, got {variance_weight}"
            )
        self.activation = activation
        self.l1_weight = l1_weight
        self.variance_weight = variance_weight
        first = 4.0 if activation == "sigmoid" else 1.0
        self.w = nn.Parameter(torch.full((self.n_features,), first))

    @property
    def scores(self) -> Tensor:
        """w, ``(d,)``, detached: arbitrary real numbers."""
        return at_least_float32(self.w.detach().clone())

    @property
    def factors(self) -> Tensor:
        """g(w), ``(d,)``, detached."""
        return self._activate(self.w.detach())

    def weights(self, inputs: Tensor) -> Tensor:
        """Return the factors g(w), ``(d,)``.

        Args:
            inputs: Inputs, ``(B, *S)``; not used.
        """
        return self._activate(self.w)

    def penalty(self) -> Tensor | None:
        """Return ``λ1 ‖g(w)‖_1 − λ2 var(w)``, or ``None`` if both λ are 0."""
        if not self.l1_weight and not self.variance_weight:
            return None
        penalty = self.l1_weight * self._activate(self.w).sum()
        if self.variance_weight:
            penalty = penalty - self.variance_weight * at_least_float32(self.w).var()
        return penalty

    def _activate(self, w: Tensor) -> Tensor:
        w = at_least_float32(w)
        return torch.sigmoid(w) if self.activation == "sigmoid" else torch.softmax(w, dim=0)
