"""X-Gradient: attribution priors for networks without biases, at the cost of one gradient."""

from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn
from typing_extensions import override

from pear_lightning.explainers import InputXGradient
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.losses.attribution_loss import AttributionLoss
from pear_lightning.losses.explanation_loss import ExplanationLoss
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.eval_mode import module_of
from pear_lightning.scoring.scorer import Forward


class XGradientPrior(ExplanationLoss):
    r"""Loss of attributions applied to the input times the gradient of a network without biases.

    .. math:: f(\alpha x) = \alpha f(x) \; (\alpha \ge 0) \quad \Rightarrow \quad
              \phi(x) = x \odot \nabla f(x) = \mathrm{IG}(x; 0)

    In a homogeneous network (ReLU, leaky ReLU, max and average pooling, no biases) the input times
    the gradient **is** the integrated gradient from the baseline 0: it sums to the output and needs
    one query point instead of many. The first call checks on the given batch that
    ``f(2x) = 2 f(x)``; if not, the error names the biases. A scalar that is not homogeneous in the
    logits (a probability) does not have this property, so logits are explained.

    Args:
        prior: Loss of attributions; its explainers are replaced.

    Raises:
        TypeError: If ``prior`` is not a loss of attributions.
        ValueError: When called, if the network is not homogeneous.

    Shapes:
        - inputs, mask: see ``prior``
        - output: a scalar, float32 or better

    Example:
        >>> from pear_lightning.losses import SparsityPrior
        >>> network = nn.Sequential(nn.Linear(6, 8, bias=False), nn.ReLU(),
        ...                         nn.Linear(8, 2, bias=False))
        >>> inputs, target = torch.rand(4, 6), torch.randint(2, (4,))
        >>> logits, loss = XGradientPrior(SparsityPrior()).of_model(network, (inputs, target))

    References:
        Hesse, Schaub-Meyer, Roth, *Fast Axiomatic Attribution for Neural Networks*, NeurIPS 2021,
        arXiv 2111.07668.
    """

    def __init__(self, prior: AttributionLoss) -> None:
        super().__init__()
        if not isinstance(prior, AttributionLoss):
            raise TypeError(f"prior must be a loss of attributions, got {type(prior).__name__}")
        self.prior = prior.explain_with({"x_gradient": InputXGradient()}, "centered_logit")
        self._checked: WeakSet[nn.Module] = WeakSet()

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle, without the networks that were checked in this process."""
        return {name: value for name, value in self.__dict__.items() if name != "_checked"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a pickled state; networks are checked again."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._checked = WeakSet()

    @property
    def differentiates_gradients(self) -> bool:
        """Whether training takes derivatives of gradients: yes."""
        return True

    @property
    def needs_mask(self) -> bool:  # type: ignore[override]
        """Whether the prior needs annotated features."""
        return self.prior.needs_mask

    def task_weight(self, weight: float) -> float:
        """Return the factor of the task loss in the prior's objective.

        Args:
            weight: Weight of this loss.
        """
        return self.prior.task_weight(weight)

    @override
    def of_model(
        self, forward: Forward, batch: Any, *, points_per_pass: int | None = None
    ) -> tuple[Tensor | None, Tensor]:
        """Check once that the network is homogeneous, and return the prior's result."""
        batch = Batch.of(batch)
        module = module_of(forward)
        if len(batch) and (module is None or module not in self._checked):
            _check_homogeneous(forward, batch)
            if module is not None:
                self._checked.add(module)
        return self.prior.of_model(forward, batch, points_per_pass=points_per_pass)


def _check_homogeneous(forward: Forward, batch: Batch) -> None:
    """Raise unless doubling the inputs doubles the logits."""
    with torch.no_grad():
        once, twice = (
            explain_batch(forward, batch.with_inputs(factor * batch.inputs), [])[0]
            for factor in (1, 2)
        )
    error = (twice - 2 * once).abs().max()
    if error <= 1e-3 * twice.abs().max():
        return
    module = module_of(forward)
    names = [] if module is None else [n for n, _ in module.named_parameters() if "bias" in n]
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    raise ValueError(
        "forward must be a homogeneous network, f(2x) = 2 f(x), got other logits for twice the "
        "inputs, so input x gradient is not the integrated gradient; use layers without biases"
        + (f" (here: {shown})" if shown else "")
        + ", ReLU-like activations and no layers that shift or normalise, or use the prior with "
        "integrated or expected gradients"
    )
