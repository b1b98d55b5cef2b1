"""Finds the layers that read the output of a gate."""

from typing import Any

import torch
from torch import Tensor, nn

from pear_lightning.nn import GatedBackbone
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.eval_mode import eval_mode
from pear_lightning.scoring.scorer import run_model

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def next_layers(model: GatedBackbone, batch: Batch) -> list[str]:
    """Run the model once and return the layers that receive the gate's output unchanged.

    Args:
        model: The model; its modules are in eval mode during the call.
        batch: A batch, of which two samples are used.

    Returns:
        Names, as in ``model.named_modules()``, of linear layers (if features come last) and
        ungrouped convolutions (if features are channels). Empty if another operation comes first.
    """
    gated: list[Tensor] = []
    found: list[str] = []

    def remember(module: nn.Module, args: Any, output: Tensor) -> None:
        gated.append(output)

    def compare(name: str, module: nn.Module, args: tuple[Any, ...]) -> None:
        if args and any(args[0] is output for output in gated) and _reads(module, args[0]):
            found.append(name)

    def _reads(module: nn.Module, output: Tensor) -> bool:
        if isinstance(module, nn.Linear):
            return model.gate.axis in (-1, output.ndim - 1)
        return (
            isinstance(module, _CONVOLUTIONS)
            and module.groups == 1
            and model.gate.axis in (1, 1 - output.ndim)
        )

    handles = [model.gate.register_forward_hook(remember)]
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            handles.append(
                module.register_forward_pre_hook(
                    lambda module, args, name=name: compare(name, module, args)
                )
            )
    try:
        with torch.no_grad(), eval_mode(model):
            two = batch.rows(slice(2))
            run_model(model, two.inputs, two.forward_kwargs)
    finally:
        for handle in handles:
            handle.remove()
    return found
