"""A softmax gate over the input features."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pear_lightning.functional.validation import at_least_float32, is_traced
from pear_lightning.nn.feature_gate import FeatureGate

_MIN_UPDATE = 0.01  # of the running mean, which then averages over about 100 batches
_UNITS = 2**40  # of 1 in the running mean


class ScoresActivation(FeatureGate):
    r"""Softmax scores of the features, learned with the task: ``w = softmax(s)``, ``y = w ⊙ x``.

    .. math:: w_i = \frac{e^{s_i / \tau}}{\sum_j e^{s_j / \tau}}, \qquad
              y_k = d^{\,r} \, w \odot x_k

    The only parameter is ``s``, d numbers initialised to 0 and shared by all rows. There is no
    noise and no bias, and training and inference do not differ. With the defaults, ``τ = 1`` and
    ``r = 0``, this is the formula reported for ScoresActivation. The gradient of the loss L is
    ``∂L/∂s_i = w_i (q_i − Σ_j w_j q_j)`` with ``q_i = Σ_k x_ki ∂L/∂y_ki``, which is of order 1/d;
    :class:`~pear_lightning.modules.ScoresActivationModule` therefore gives ``s`` a larger learning
    rate.

    What the scores are not:

    - **The importance of a feature.** They depend on the scale of the inputs (standardise them),
      can be traded against the next layer's weights (:meth:`effective_scores`), and features with
      the same information share their mass. A feature that never varies keeps some mass.
    - **Comparable between different d.** They sum to 1, so an additional feature lowers all others:
      compare ranks.
    - **An explanation of a row.** All rows have the same scores.

    Args:
        in_features: Size of the inputs along ``axis``.
            ``None`` only in configurations of the command line, which takes it from the data.
        axis: Dimension that holds the features; see
            :class:`~pear_lightning.nn.feature_gate.FeatureGate`.
        groups: Index of the feature that each entry belongs to, for entries that form one feature.
            ``None`` makes every entry a feature. The softmax is over the features.
        temperature: τ above 0. Smaller values make the same ``s`` sharper.
        rescale: r. 1 keeps the mean factor at 1, so that the next layer's initialisation remains
            right, but removes part of the regularisation by small factors.
        entropy_weight: β, not negative: β times the entropy of w is added to the loss, which
            sharpens w. Not supported with ``instance_wise``.
        instance_wise: Whether ``s`` depends on the row, ``s(x) = s + V x``, with V initialised to 0
            and x averaged over the dimensions other than ``axis``. :attr:`scores` is then the mean
            of w(x) over recent training batches (about 100), on the first rank.
        check_scale: Whether to warn about inputs that are not standardised.

    Shapes:
        - ``inputs`` and output: ``(B, *S)``, with ``in_features`` entries along ``axis``
        - ``scores``: ``(d,)``, with d the number of features

    Raises:
        ValueError: If an argument is out of range, or the inputs have a different number of
            features.

    Example:
        >>> import torch
        >>> gate = ScoresActivation(4)
        >>> gate.scores
        tensor([0.2500, 0.2500, 0.2500, 0.2500])
        >>> model = torch.nn.Sequential(gate, torch.nn.Linear(4, 2))
        >>> model(torch.randn(32, 4)).shape
        torch.Size([32, 2])

    References:
        E. Covaci, F. Galis, R. Balan, D. Zaharie, D. Onchis. *ScoresActivation: a new activation
        function for model agnostic global explainability by design.* 2025, arXiv 2511.13809.

        V. Borisov, J. Haug, G. Kasneci. *CancelOut: a layer for feature selection in deep neural
        networks.* ICANN 2019. With a softmax and no additional loss it is the same formula, six
        years earlier (:class:`~pear_lightning.nn.CancelOut`).

        B. Skrlj, S. Dzeroski, N. Lavrac, M. Petkovic. *Feature importance estimation with
        self-attention networks.* ECAI 2020: the idea of ``instance_wise``.

    Deviations from the paper:
        The implementation follows the paper's abstract and the formula reported in a review of the
        paper; we know of no code published by the authors. ``temperature``, ``rescale``,
        ``entropy_weight``, ``groups``, ``axis`` and ``instance_wise`` are extensions, and the
        initialisation and all training settings are our choice. This is not the authors'
        implementation, and its results are not theirs.
    """

    mean_weights: Tensor
    batches_seen: Tensor

    def __init__(
        self,
        in_features: int | None = None,
        *,
        axis: int = -1,
        groups: Sequence[int] | None = None,
        temperature: float = 1.0,
        rescale: float = 0.0,
        entropy_weight: float = 0.0,
        instance_wise: bool = False,
        check_scale: bool = True,
    ) -> None:
        super().__init__(in_features, axis=axis, groups=groups, check_scale=check_scale)
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, got {temperature}")
        if not entropy_weight >= 0:
            raise ValueError(f"entropy_weight must not be negative, got {entropy_weight}")
        if instance_wise and entropy_weight:
            raise ValueError(
                f"entropy_weight must be 0 with instance_wise, got {entropy_weight}; the entropy "
                "needs one w for all rows"
            )
        self.temperature = temperature
        self.rescale = rescale
        self.entropy_weight = entropy_weight
        self.s = nn.Parameter(torch.zeros(self.n_features))
        self.of_row: nn.Linear | None = None
        if instance_wise:
            self.of_row = nn.Linear(self.in_features, self.n_features, bias=False)
            nn.init.zeros_(self.of_row.weight)
            # integers, which a cast of the module leaves as they are: in half precision, a step of
            # the running mean would be rounded away
            uniform = torch.full((self.n_features,), _UNITS // self.n_features)
            self.register_buffer("mean_weights", uniform)
            self.register_buffer("batches_seen", torch.zeros((), dtype=torch.long))
            self.register_load_state_dict_pre_hook(_in_units)  # type: ignore[no-untyped-call]

    @property
    def scores(self) -> Tensor:
        """w, ``(d,)``, detached: positive, with sum 1."""
        if self.of_row is None:
            return self._softmax(self.s.detach())
        return self.mean_weights.to(at_least_float32(self.s).dtype) / _UNITS

    @property
    def factors(self) -> Tensor:
        """The factors d^r w, ``(d,)``, detached."""
        return self.scores * math.pow(self.n_features, self.rescale)

    def weights(self, inputs: Tensor) -> Tensor:
        """Return the factors d^r w, ``(d,)``, or ``(B, d)`` for the instance-wise variant.

        Args:
            inputs: Inputs, ``(B, *S)``; used by the instance-wise variant only.
        """
        if self.of_row is None:
            weights = self._softmax(self.s)
        else:
            weights = self._softmax(self.s + self.of_row(self._rows(inputs)))
            if self.training and not is_traced(weights):
                self._remember(weights.detach())
        if self.rescale:
            weights = weights * math.pow(self.n_features, self.rescale)
        return weights

    def entropy(self) -> Tensor:
        """Return the entropy of w in nats, from 0 (one feature) to log d (all equal).

        Returns:
            Scalar, differentiable with respect to ``s``; for the instance-wise variant, the entropy
            of the mean of w(x), without a graph.
        """
        if self.of_row is not None:
            return -torch.xlogy(self.scores, self.scores).sum()
        # computed from logarithms, so that the gradient stays finite if a weight underflows
        logs: Tensor = torch.log_softmax(at_least_float32(self.s) / self.temperature, dim=0)
        return -(logs.exp() * logs).sum()

    def penalty(self) -> Tensor | None:
        """Return β times the entropy of w, or ``None`` if β is 0."""
        return self.entropy_weight * self.entropy() if self.entropy_weight else None

    def _softmax(self, s: Tensor) -> Tensor:
        s = at_least_float32(s)
        return torch.softmax(s if self.temperature == 1 else s / self.temperature, dim=-1)

    def _rows(self, inputs: Tensor) -> Tensor:
        """Average over all dimensions except the batch and the features, ``(B, in_features)``."""
        if inputs.ndim == 2:
            return inputs
        return inputs.movedim(self.axis, 1).flatten(2).mean(dim=2)

    @torch.no_grad()
    def _remember(self, weights: Tensor) -> None:
        self.batches_seen += 1
        share = (1 / self.batches_seen).clamp(min=_MIN_UPDATE)
        step = share * (weights.mean(dim=0) - self.scores)
        self.mean_weights += (step * _UNITS).round().long()

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return (
            f"{super().extra_repr()}, temperature={self.temperature}, rescale={self.rescale}, "
            f"entropy_weight={self.entropy_weight}"
        )


def _in_units(gate: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Read a running mean that was saved as floating-point numbers."""
    saved = state.get(f"{prefix}mean_weights")
    if saved is not None and saved.is_floating_point():
        state[f"{prefix}mean_weights"] = (saved.double() * _UNITS).round().long()
