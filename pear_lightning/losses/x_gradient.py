"""X-Gradient: attribution priors for networks without biases, at the cost of one gradient."""

from typing import Any, Literal, Self
from weakref import WeakSet

import torch
from torch import Tensor, nn
from typing_extensions import override

from pear_lightning.explainers import InputXGradient
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.losses.attribution_loss import AttributionLoss
from pear_lightning.losses.explanation_loss import ExplanationLoss
from pear_lightning.masking import Masker
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.eval_mode import module_of
from pear_lightning.scoring.replaced_weights import Called
from pear_lightning.scoring.scorer import Forward


class XGradientPrior(ExplanationLoss):
    r"""Loss of attributions applied to the input times the gradient of a network without biases.

    .. math:: f(\alpha x) = \alpha f(x) \; (\alpha \ge 0) \quad \Rightarrow \quad
              \phi(x) = x \odot \nabla f(x) = \mathrm{IG}(x; 0)

    In a homogeneous network (ReLU, leaky ReLU, max and average pooling, no biases) the input times
    the gradient **is** the integrated gradient from the baseline 0: it sums to the output and needs
    one query point instead of many. The first call checks on the given batch that
    ``f(2x) = 2 f(x)`` and ``f(0) = 0``, also with other values of all parameters and running means,
    because training can change biases that are 0 at first; if not, the error names the biases. A
    scalar that is not homogeneous in the logits (a probability) does not have this property, so
    logits are explained. Everything else, such as the masker of masks or the dependence on rows, is
    that of the prior.

    Args:
        prior: Loss of attributions; its explainers are replaced.

    Raises:
        TypeError: If ``prior`` is not a loss of attributions.
        ValueError: When called, if the network is not homogeneous, or would not be with other
            weights.

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

    @property
    def needs_classes(self) -> bool:  # type: ignore[override]
        """Whether the prior needs class labels."""
        return self.prior.needs_classes

    @property
    def explains_task_loss(self) -> bool:  # type: ignore[override]
        """Whether the prior explains the loss of the task."""
        return self.prior.explains_task_loss

    @property
    def couples_rows(self) -> bool:
        """As the prior."""
        return self.prior.couples_rows

    @property
    def trains_half_weights(self) -> bool:  # type: ignore[override]
        """Whether gradients of bfloat16 weights are precise enough for the prior."""
        return self.prior.trains_half_weights

    @property
    def default_weight(self) -> float:  # type: ignore[override]
        """Default weight of the prior."""
        return self.prior.default_weight

    @property
    def mask_features(self) -> Masker | None:  # type: ignore[override]
        """Masker that defines the features of the prior's masks."""
        return self.prior.mask_features

    @property
    def reduces_rows_by(self) -> Literal["mean", "sum", "annotated"]:
        """How the prior depends on the rows of a batch."""
        return self.prior.reduces_rows_by

    def with_masks_of(self, masker: Masker) -> Self:
        """Let the prior use masks of features, ``(B, n)``.

        Args:
            masker: Defines the features: patches, tokens, groups of columns.

        Returns:
            This loss.
        """
        self.prior.with_masks_of(masker)
        return self

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


@torch.compiler.disable  # type: ignore[untyped-decorator]  # torch does not annotate it
def _check_homogeneous(forward: Forward, batch: Batch) -> None:
    """Raise unless doubling the inputs doubles the logits, with these weights and with others."""
    module = module_of(forward)
    if not _is_homogeneous(forward, batch):
        raise ValueError(f"{_refused(module)} got other logits for twice the inputs, {_ADVICE}")
    if module is not None and not _is_homogeneous(_with_other_values(module, forward), batch):
        raise ValueError(
            f"{_refused(module)} got one that is so with its present weights but not with others, "
            f"which training can give it, {_ADVICE}"
        )


_ADVICE = (
    "so input x gradient is not the integrated gradient; use layers without biases, ReLU-like "
    "activations and no layers that shift or normalise, or use the prior with integrated or "
    "expected gradients"
)


def _refused(module: nn.Module | None) -> str:
    names = [] if module is None else [n for n, _ in module.named_parameters() if "bias" in n]
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return "forward must be a homogeneous network, f(2x) = 2 f(x)," + (
        f" without biases (here: {shown})," if shown else ""
    )


def _is_homogeneous(forward: Forward, batch: Batch) -> bool:
    """Return whether f(2x) = 2 f(x) and f(0) = 0."""
    with torch.no_grad():
        zero, once, twice = (
            explain_batch(forward, batch.with_inputs(factor * batch.inputs), [])[0]
            for factor in (0, 1, 2)
        )
    size = twice.abs().max()
    return bool(((twice - 2 * once).abs().max() <= 1e-3 * size) & (zero.abs().max() <= 1e-5 * size))


def _with_other_values(owner: nn.Module, forward: Forward) -> Forward:
    """Return a model whose parameters and running means have other values, near the present ones.

    Those that are 0 (biases, shifts of norms) become numbers of about 1.
    """
    called = Called(getattr(owner, "_orig_mod", owner), getattr(forward, "_orig_mod", forward))
    generator = torch.Generator().manual_seed(0)
    values: dict[str, Tensor] = dict(called.named_parameters())
    values |= {n: each for n, each in called.named_buffers() if n.endswith("running_mean")}
    others = {
        name: each + torch.randn(each.shape, generator=generator).to(each) * _size(each)
        for name, each in values.items()
        if each.is_floating_point()
    }

    def changed(*args: Any, **kwargs: Any) -> Any:
        return torch.func.functional_call(called, others, args, kwargs)

    return changed


def _size(values: Tensor) -> Tensor:
    """Return the root mean square of values, or 1 if they are all 0."""
    size = values.detach().float().square().mean().sqrt()
    return torch.where(size > 0, size, 1).to(values.dtype)
