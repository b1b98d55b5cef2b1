"""The output of a named layer."""

import torch
from torch import Tensor, nn

from pear_lightning.functional.validation import at_least_float32
from pear_lightning.scoring.layer_gradients import named_layer
from pear_lightning.scoring.scorer import Scorer


@torch.no_grad()
def layer_output_at(scorer: Scorer, inputs: Tensor, layer: str) -> Tensor:
    """Return the output of a layer, without graph.

    Args:
        scorer: The scorer that calls the model.
        inputs: Inputs, ``(B, *S)``.
        layer: Name of the layer in the model, as in ``named_modules``.

    Returns:
        ``(B, K, *L)``, float32 or better.

    Raises:
        TypeError: If the layer does not return one tensor.
        ValueError: If the model has no such layer, or does not call it exactly once.
    """
    held: list[Tensor] = []

    def hold(module: nn.Module, arguments: object, output: object) -> None:
        if not isinstance(output, Tensor):
            raise TypeError(
                f"layer {layer!r} must return one tensor to be explained, got "
                f"{type(output).__name__}"
            )
        held.append(output.clone())  # subsequent layers may write to their inputs

    handle = named_layer(scorer, layer).register_forward_hook(hold)
    try:
        scorer.evaluate(inputs.clone()[None])  # the model may write to its inputs, too
    finally:
        handle.remove()
    if len(held) != 1:
        raise ValueError(
            f"layer {layer!r} must be called once in a forward pass to be explained, got "
            f"{len(held)} calls"
        )
    return at_least_float32(held[0])
