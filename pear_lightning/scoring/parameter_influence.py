"""Derivative of the parameter gradient of a sample with respect to its input."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from pear_lightning.functional.validation import at_least_float32
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.eval_mode import eval_mode, module_of
from pear_lightning.scoring.gradients import refused_by_transforms
from pear_lightning.scoring.kernels import differentiable_kernels
from pear_lightning.scoring.replaced_weights import Called
from pear_lightning.scoring.scorer import Forward, as_logits
from pear_lightning.scoring.uncompiled import uncompiled


def parameter_influence(forward: Forward, batch: Batch) -> Tensor:
    r"""Return the input gradient of the summed parameter gradient of each sample's loss.

    .. math:: i_n = \nabla_x \sum_j \frac{\partial}{\partial \theta_j}
              \mathrm{CE}(f_\theta(x_n), y_n)

    The sum over all parameters is the derivative along the direction of ones, so it is computed as
    the derivative with respect to one number that is added to every parameter. With gradients
    enabled, the result carries the graph to the weights, frozen or not; training on it takes third
    derivatives.

    Args:
        forward: A module or a method of a module; maps inputs ``(N, *S)`` to logits
            ``(N, C)``.
        batch: The samples, with labels.

    Returns:
        ``(B, *S)``.

    Raises:
        ValueError: If ``forward`` is neither a module nor a method of a module.
        RuntimeError: If torch.func cannot differentiate the model.
    """
    owner = module_of(forward)
    if owner is None:
        raise ValueError(
            f"forward must be a module or a method of a module, whose weights are known, got "
            f"{forward!r}"
        )
    called = Called(owner, forward)

    def loss(shift: Tensor, points: Tensor) -> Tensor:
        weights = {  # at least as precise as the sum over them
            name: p.to(torch.promote_types(p.dtype, points.dtype))
            for name, p in called.named_parameters()
        }
        moved = {name: p + shift.to(p.dtype) for name, p in weights.items()}
        logits = torch.func.functional_call(called, moved, (points,), dict(batch.forward_kwargs))
        return F.cross_entropy(
            at_least_float32(as_logits(logits, len(points))), batch.labels, reduction="sum"
        )

    def along_ones(points: Tensor) -> Tensor:
        derivative: Tensor = torch.func.grad(loss)(torch.zeros_like(points[:1].sum()), points)
        return derivative

    with eval_mode(owner), differentiable_kernels(owner), uncompiled():
        try:
            influence: Tensor = torch.func.grad(along_ones)(batch.inputs)
        except RuntimeError as error:
            if not refused_by_transforms(error):
                raise
            raise RuntimeError(
                "forward must be a model that torch.func can differentiate, without full backward "
                "hooks, old-style autograd Functions, non-reentrant checkpointing in eval mode and "
                f"writes to buffers in forward, got {type(owner).__name__} ({error}); remove "
                "these, or choose a loss that takes one gradient, such as RightReasonsLoss"
            ) from error
    return influence
