"""Gradients of the explained scalar at query points, in one vector-Jacobian product."""

import warnings
from collections.abc import Callable
from weakref import WeakSet

import torch
from torch import Tensor, nn

from pear_lightning.functional.validation import at_least_float32
from pear_lightning.scoring.eval_mode import module_of
from pear_lightning.scoring.kernels import has_recurrent_layers
from pear_lightning.scoring.scorer import Scorer
from pear_lightning.scoring.second_derivatives import check_second_derivatives
from pear_lightning.scoring.uncompiled import uncompiled

# Errors of torch.func.vjp for backbones that torch.autograd.grad can differentiate.
_REFUSALS = (
    "don't yet support saved tensor hooks",  # non-reentrant checkpointing, save_on_cpu
    "mutate a captured Tensor",  # writes to a buffer in forward
    "must override the setup_context staticmethod",  # old-style Functions, full backward hooks
    "Cannot access data pointer of Tensor that doesn't have storage",  # conversion to numpy
)
_refusing: "WeakSet[nn.Module]" = WeakSet()
_SMALL = 2**13  # numbers in the query points; measured on CPU: up to here, fixed costs decide


def gradients_at(scorer: Scorer, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits and gradients of the explained scalar at all query points.

    All points (or each chunk of ``scorer.points_per_pass``) take one forward pass and one
    vector-Jacobian product. With gradients enabled, both results carry the graph to the model's
    weights. ``torch.func.vjp`` is used because it also works inside ``torch.inference_mode`` and
    ``torch.compile``, and because the backward pass then computes no gradients of the points, which
    nothing uses. ``torch.autograd.grad`` takes its place for backbones that ``torch.func.vjp``
    refuses, and in training on few numbers, because its fixed cost is lower. Layers compiled by
    ``torch.compile`` run uncompiled, because compiled code has no second derivative.

    Args:
        scorer: The explained scalar.
        points: Query points, ``(K, B, *S)``.

    Returns:
        Logits ``(K, B, C)`` and gradients ``(K, B, *S)``; gradients in float32 or better.

    Raises:
        ValueError: If the explained scalar depends on the points without a graph to them.
        RuntimeError: If gradients are enabled and a layer of the model has no second derivative.
    """
    passes = [_gradients_of_pass(scorer, chunk) for chunk in scorer.chunks(points)]
    check_second_derivatives(scorer, passes[0][1])
    if len(passes) == 1:
        return passes[0]
    return torch.cat([logits for logits, _ in passes]), torch.cat([grads for _, grads in passes])


def _gradients_of_pass(scorer: Scorer, points: Tensor) -> tuple[Tensor, Tensor]:
    if torch.compiler.is_compiling():
        return _by_vjp(scorer, points)
    # torch.func would run compiled layers uncompiled, too, but their compiler then gives up on them
    with uncompiled() as is_possible:
        if torch.is_grad_enabled():
            by_autograd = is_possible and points.numel() <= _SMALL and not _in_transform()
        else:
            # recurrent layers of oneDNN save nothing for backward while gradients are disabled
            by_autograd = has_recurrent_layers(scorer.forward)
        return _by_either(scorer, points, by_autograd=by_autograd)


def _by_either(scorer: Scorer, points: Tensor, *, by_autograd: bool) -> tuple[Tensor, Tensor]:
    module = module_of(scorer.forward)
    if by_autograd or module in _refusing:
        return _by_autograd(scorer, points)
    try:
        return _by_vjp(scorer, points)
    except RuntimeError as error:
        if not refused_by_transforms(error):
            raise
        if module is not None:
            _refusing.add(module)
        warnings.warn(
            f"torch.func.vjp cannot differentiate {type(module or scorer.forward).__name__} "
            f"({error}); its explanations are computed with torch.autograd.grad instead, which "
            "gives the same values but cannot be compiled. Gradient checkpointing must be limited "
            "to training mode (if self.training), because explanations are computed in eval mode",
            stacklevel=2,
        )
    return _by_autograd(scorer, points)


def _in_transform() -> bool:
    """Return whether this runs inside a transform of torch.func, which autograd cannot enter."""
    try:
        torch.empty(0).requires_grad_()
    except RuntimeError:
        return True
    return False


def _by_vjp(scorer: Scorer, points: Tensor) -> tuple[Tensor, Tensor]:
    k = len(points)

    def evaluate(rows: Tensor) -> tuple[Tensor, Tensor]:
        scores, logits = scorer.evaluate_rows(rows, k)
        # inside the transform, this says whether there is a graph to the rows, whatever the weights
        if not scores.requires_grad:
            _check_ignored(scores, "the inputs", lambda: scorer.evaluate_rows(1 - rows, k)[0])
        return scores, logits

    # operations inside the transform are dispatched several times, so reshape outside
    scores, pullback, logits = torch.func.vjp(  # type: ignore[misc]  # typed without has_aux
        evaluate, points.flatten(0, 1), has_aux=True
    )
    (gradients,) = pullback(torch.ones_like(scores))
    shape = points.shape[:2]
    return logits.unflatten(0, shape), at_least_float32(gradients).unflatten(0, shape)


def _by_autograd(scorer: Scorer, points: Tensor) -> tuple[Tensor, Tensor]:
    create_graph = torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    with torch.inference_mode(False), torch.enable_grad():
        # autograd accepts inference tensors only as copies
        points = points.clone() if points.is_inference() else points
        if not points.requires_grad:
            points = points.detach().requires_grad_()
        # per-sample tensors made in inference mode cannot be saved for backward either
        scorer = scorer.outside_inference_mode()
        # where a model writes to its inputs, torch refuses only leaves
        scores, logits = scorer.evaluate(points if points.is_leaf else points.clone())
        gradients = gradient_by_graph(
            scores,
            points,
            "the inputs",
            lambda: scorer.evaluate(1 - points)[0],
            create_graph=create_graph,
        )
    if not create_graph:
        logits = logits.detach()
    return logits, at_least_float32(gradients)


def gradient_by_graph(
    scores: Tensor, at: Tensor, name: str, elsewhere: Callable[[], Tensor], *, create_graph: bool
) -> Tensor:
    """Return the gradient of the sum of scores, 0 only if a small change has no effect.

    Args:
        scores: The explained scalar of some rows.
        at: The tensor that it is differentiated by.
        name: Name of this tensor in the error.
        elsewhere: Returns the scores at another value of the tensor.
        create_graph: Whether the gradient can be differentiated.

    Raises:
        ValueError: If the scores depend on the tensor without a graph to it.
    """
    gradient: Tensor | None = None
    if scores.requires_grad:
        (gradient,) = torch.autograd.grad(
            scores.sum(), at, create_graph=create_graph, allow_unused=True
        )
    if gradient is None:
        _check_ignored(scores, name, elsewhere)
        return torch.zeros_like(at, requires_grad=False)
    return gradient


@torch.no_grad()
def _check_ignored(scores: Tensor, name: str, elsewhere: Callable[[], Tensor]) -> None:
    """Raise if scores depend on a tensor to which they have no graph; a constant has none either.

    Args:
        scores: The explained scalar of some rows.
        name: Name of the tensor.
        elsewhere: Returns the scores at another value of the tensor.
    """
    if not torch.equal(scores, elsewhere()):
        raise ValueError(
            "forward must be differentiable to be explained by gradients, got outputs without a "
            f"graph to {name}; remove torch.no_grad() and detach() from the model "
            "(requires_grad_(False) freezes weights without them), or use explainers that remove "
            "features, such as KernelShap"
        )


def refused_by_transforms(error: RuntimeError) -> bool:
    """Return whether an error says that torch.func cannot differentiate a model.

    Args:
        error: An error of a transform of torch.func.
    """
    return any(refusal in str(error) for refusal in _REFUSALS)


def gradient_of(scalar: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """Return the gradient ``(*S)`` of a function of explanations, without a graph.

    It is computed by ``torch.autograd.grad``, which can differentiate more models than
    ``torch.func.grad``. Tensors that the function uses must not be inference tensors.

    Args:
        scalar: Maps a tensor ``(*S)`` to a scalar, such as the norm of explanations; it may explain
            a model.
        at: Point at which the gradient is taken, ``(*S)``.
    """
    if torch.compiler.is_compiling() or _in_transform():
        by_transform: Tensor = torch.func.grad(scalar)(at)
        return by_transform
    with torch.inference_mode(False), torch.enable_grad():
        point = (at.clone() if at.is_inference() else at).detach().requires_grad_()
        value = scalar(point)
        if not value.requires_grad:
            return torch.zeros_like(point, requires_grad=False)
        (gradient,) = torch.autograd.grad(value, point, allow_unused=True)
    return torch.zeros_like(at) if gradient is None else gradient
