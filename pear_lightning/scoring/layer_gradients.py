"""The gradient of the explained scalar with respect to the output of a named layer."""

import torch
from torch import Tensor, nn

from pear_lightning.functional.validation import at_least_float32
from pear_lightning.scoring.eval_mode import module_of
from pear_lightning.scoring.gradients import gradient_by_graph
from pear_lightning.scoring.scorer import Scorer
from pear_lightning.scoring.second_derivatives import check_second_derivatives
from pear_lightning.scoring.uncompiled import uncompiled


def layer_gradients_at(scorer: Scorer, inputs: Tensor, layer: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return logits, the output of a layer, and the gradient with respect to that output.

    With gradients enabled, all three carry the graph to the model's weights, so a loss of them
    trains the layers before and after. The function also works in inference mode, under autocast
    and with frozen weights, and subsequent layers may write to their inputs.

    Args:
        scorer: The explained scalar.
        inputs: Inputs, ``(B, *S)``.
        layer: Name of the layer in the model, as in ``named_modules``.

    Returns:
        Logits ``(B, C)``, output of the layer ``(B, K, *L)`` and gradient ``(B, K, *L)``, the last
        two in float32 or better.

    Raises:
        TypeError: If the layer does not return one tensor.
        RuntimeError: If gradients are enabled and a layer after it has no second derivative.
        ValueError: If the model has no such layer, or does not call it exactly once, or the
            explained scalar depends on its output without a graph to it.
    """
    create_graph = torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    held: list[Tensor] = []

    def hold(module: nn.Module, arguments: object, output: object) -> Tensor:
        if not isinstance(output, Tensor):
            raise TypeError(
                f"layer {layer!r} must return one tensor to be explained, got "
                f"{type(output).__name__}"
            )
        held.append(output if output.requires_grad else output.detach().requires_grad_())
        return held[-1].clone()  # subsequent layers may write to their inputs

    handle = named_layer(scorer, layer).register_forward_hook(hold)
    try:
        with torch.inference_mode(False), torch.enable_grad(), uncompiled():
            # autograd accepts inference tensors only as copies, and the model may write to them
            scorer = scorer.outside_inference_mode()
            scores, logits = scorer.evaluate(inputs.clone()[None])
            if len(held) != 1:
                raise ValueError(
                    f"layer {layer!r} must be called once in a forward pass to be explained, got "
                    f"{len(held)} calls"
                )
            gradients = gradient_by_graph(
                scores,
                held[0],
                f"the output of layer {layer!r}",
                lambda: _scores_elsewhere(scorer, inputs.clone(), layer),
                create_graph=create_graph,
            )
    finally:
        handle.remove()
    activation, gradients = at_least_float32(held[0]), at_least_float32(gradients)
    if not create_graph:
        return logits[0].detach(), activation.detach(), gradients.detach()
    check_second_derivatives(scorer, gradients)
    return logits[0], activation, gradients


def _scores_elsewhere(scorer: Scorer, inputs: Tensor, layer: str) -> Tensor:
    """Return the scores ``(1, B)`` with another output of the layer."""

    def change(module: nn.Module, arguments: object, output: Tensor) -> Tensor:
        return 1 - output

    handle = named_layer(scorer, layer).register_forward_hook(change)
    try:
        return scorer.evaluate(inputs[None])[0]
    finally:
        handle.remove()


def named_layer(scorer: Scorer, layer: str) -> nn.Module:
    """Return a layer of the model by name.

    Args:
        scorer: The scorer that calls the model.
        layer: Name, as in ``named_modules``; for a model in ``DistributedDataParallel``, the name
            in the wrapped module.

    Raises:
        ValueError: If the model has no layer of that name.
    """
    module = module_of(scorer.forward)
    if isinstance(module, nn.parallel.DistributedDataParallel):
        module = module_of(module.module)
    names: dict[str, nn.Module] = {} if module is None else dict(module.named_modules())
    if not layer or layer not in names:
        known = ", ".join(repr(name) for name in list(names)[1:9])
        raise ValueError(
            "layer must name a layer of the model, "
            + (f"{known} and so on (model.named_modules())" if known else "which has no layers")
            + f", got {layer!r}"
        )
    return names[layer]
