"""Check that gradients can be differentiated again, before a training step tries to."""

from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn

from pear_lightning.functional.validation import is_traced
from pear_lightning.scoring.eval_mode import module_of
from pear_lightning.scoring.scorer import Scorer

# nodes of autograd that raise when they are differentiated
_RAISING = ("::NotImplemented", "::Error", "::DelayedError")
_checked: "WeakSet[nn.Module]" = WeakSet()


def check_second_derivatives(scorer: Scorer, gradients: Tensor) -> None:
    """Raise if gradients of a model have a graph that cannot be differentiated.

    A few layers of torch have no second derivative (``nn.Hardsigmoid``, in every MobileNetV3). The
    backward pass would raise an error that names a kernel and no layer. The graph of a model is
    searched once.

    Args:
        scorer: The scorer that calls the model.
        gradients: Gradients of the model's output, with their graph.

    Raises:
        RuntimeError: If the graph has a function without a derivative; it names the layers.
    """
    if torch.compiler.is_compiling() or not gradients.requires_grad or is_traced(gradients):
        return
    module = module_of(scorer.forward)
    if module is not None and module in _checked:
        return
    if _raises(gradients):
        raise RuntimeError(
            f"{_culprits(scorer, module, gradients)} must have a second derivative to train "
            "explanations that are gradients, got none in torch; use explainers that remove "
            "features, KernelShap, Occlusion or Lime(penalty='ridge'), which train by first "
            "derivatives, or another layer, such as relu6(x + 3) / 6 for Hardsigmoid"
        )
    if module is not None:
        _checked.add(module)


def _raises(*tensors: Tensor) -> bool:
    """Return whether differentiating any of the tensors raises an error."""
    nodes: list[Any] = [each.grad_fn for each in tensors]
    seen = set()
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        if node.name().endswith(_RAISING):
            return True
        seen.add(node)
        nodes += [following for following, _ in node.next_functions]
    return False


def _culprits(scorer: Scorer, module: nn.Module | None, gradients: Tensor) -> str:
    """Name the layers without a second derivative, or the function if it is in no layer."""
    named = [] if module is None else list(_layers_without(scorer, module))
    if named:
        return f"{'layers' if len(named) > 1 else 'layer'} {', '.join(named)}"
    weights = [] if module is None else [p for p in module.parameters() if p.requires_grad]
    try:
        if weights:
            torch.autograd.grad(gradients.sum(), weights, allow_unused=True, retain_graph=True)
    except RuntimeError as error:
        return f"a function of the model ({error})"
    return "a function of the model"


def _layers_without(scorer: Scorer, module: nn.Module) -> Iterator[str]:
    """Name the layers of a model that have no second derivative at their inputs, at most three."""
    calls: dict[nn.Module, tuple[Any, ...]] = {}

    def remember(layer: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        calls[layer] = inputs

    leaves = (each for each in module.modules() if not list(each.children()))
    handles = [each.register_forward_hook(remember) for each in leaves]
    try:
        with torch.no_grad():
            scorer.evaluate(scorer.batch.inputs[None])
    finally:
        for handle in handles:
            handle.remove()
    found = [
        f"{name!r} ({type(layer).__name__})"
        for name, layer in module.named_modules()
        if layer in calls and _lacks_second_derivative(layer, calls[layer])
    ]
    yield from found[:3]
    if len(found) > 3:
        yield f"and {len(found) - 3} more"


def _lacks_second_derivative(layer: nn.Module, inputs: tuple[Any, ...]) -> bool:
    points = [
        each.detach().clone().requires_grad_()
        if isinstance(each, Tensor) and each.is_floating_point()
        else each
        for each in inputs
    ]
    leaves = [each for each in points if isinstance(each, Tensor) and each.requires_grad]
    with torch.enable_grad():
        # copies, because layers may write to their inputs
        outputs = layer(*(each.clone() if isinstance(each, Tensor) else each for each in points))
        if not leaves or not isinstance(outputs, Tensor) or not outputs.requires_grad:
            return False
        gradients = torch.autograd.grad(outputs.sum(), leaves, create_graph=True, allow_unused=True)
    return _raises(*(each for each in gradients if each is not None))
