"""Stochastic gates."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pear_lightning.functional.validation import at_least_float32
from pear_lightning.nn.feature_gate import FeatureGate


class StochasticGates(FeatureGate):
    r"""Gates that are open or shut, learned with noise (STG).

    .. math:: z = \min(1, \max(0, \mu + \tfrac12 + \sigma \varepsilon)), \qquad
              L = L_\text{task} + \frac{\lambda}{d} \sum_i \Phi\!\left(
                  \frac{\mu_i + \tfrac12}{\sigma}\right)

    ε is normal noise in training and 0 at inference; the sum is the expected number of open gates.
    For the limits of the scores, see :class:`~pear_lightning.nn.feature_gate.FeatureGate`.

    Args:
        in_features: Size of the inputs along ``axis``.
            ``None`` only in configurations of the command line, which takes it from the data.
        axis: Dimension that holds the features.
        groups: Index of the feature that each entry belongs to; ``None`` makes every entry a
            feature.
        noise_std: σ above 0.
        sparsity_weight: λ, not negative. It determines how many gates shut; no value is right for
            all data.
        check_scale: Whether to warn about inputs that are not standardised.

    Shapes:
        - ``inputs`` and output: ``(B, *S)``, with ``in_features`` entries along ``axis``
        - ``scores``: ``(d,)`` in [0, 1], the gates at inference

    Raises:
        ValueError: If an argument is out of range, or the inputs have a different number of
            features.

    Example:
        >>> import torch
        >>> gate = StochasticGates(3).eval()
        >>> gate.scores.shape, torch.equal(gate(torch.ones(1, 3))[0], gate.scores)
        (torch.Size([3]), True)

    References:
        Y. Yamada, O. Lindenbaum, S. Negahban, Y. Kluger. *Feature selection using stochastic
        gates.* ICML 2020, arXiv 1810.04247; runopti/stg for the initialisation and the mean instead
        of the sum.

    Deviations from the paper:
        Noise is drawn for every row, so that no row depends on another. The default of λ is our
        choice.
    """

    def __init__(
        self,
        in_features: int | None = None,
        *,
        axis: int = -1,
        groups: Sequence[int] | None = None,
        noise_std: float = 0.5,
        sparsity_weight: float = 0.1,
        check_scale: bool = True,
    ) -> None:
        super().__init__(in_features, axis=axis, groups=groups, check_scale=check_scale)
        if not noise_std > 0:
            raise ValueError(f"noise_std must be above 0, got {noise_std}")
        if not sparsity_weight >= 0:
            raise ValueError(f"sparsity_weight must not be negative, got {sparsity_weight}")
        self.noise_std = noise_std
        self.sparsity_weight = sparsity_weight
        self.mu = nn.Parameter(0.01 * torch.randn(self.n_features))

    @property
    def factors(self) -> Tensor:
        """The gates without noise, ``(d,)``, detached."""
        return self._clip(at_least_float32(self.mu.detach()))

    def weights(self, inputs: Tensor) -> Tensor:
        """Return z: ``(B, d)`` in training, with noise for every row, else ``(d,)``.

        Args:
            inputs: Inputs, ``(B, *S)``; only the number of rows is used.
        """
        mu = at_least_float32(self.mu)
        if not self.training:
            return self._clip(mu)
        noise = torch.randn(inputs.shape[0], self.n_features, dtype=mu.dtype, device=mu.device)
        return self._clip(mu + self.noise_std * noise)

    def penalty(self) -> Tensor | None:
        """Return λ times the mean probability that a gate is not shut; ``None`` if λ is 0."""
        if not self.sparsity_weight:
            return None
        mu = at_least_float32(self.mu)
        open_ = 0.5 * (1 + torch.erf((mu + 0.5) / (self.noise_std * math.sqrt(2))))
        return self.sparsity_weight * open_.mean()

    @staticmethod
    def _clip(values: Tensor) -> Tensor:
        return (values + 0.5).clamp(0, 1)
