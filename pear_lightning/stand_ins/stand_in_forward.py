"""Runs a model on a stand-in of its inputs, in eval mode."""

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import nn

from pear_lightning.scoring.eval_mode import eval_mode, module_of
from pear_lightning.scoring.replaced_weights import in_dtype
from pear_lightning.scoring.scorer import Forward
from pear_lightning.stand_ins.stand_in import NoRuleError, StandIn

SomeStandIn = TypeVar("SomeStandIn", bound=StandIn)


def stand_in_forward(
    forward: Forward,
    stand_in: SomeStandIn,
    forward_kwargs: Mapping[str, Any] | None = None,
) -> SomeStandIn:
    """Run a model on a stand-in of its inputs and return the stand-in of its logits, ``(B, C)``.

    The model is in eval mode, and autocast is off: the arithmetic has the dtype of the stand-in, to
    which coarser weights are converted.

    Args:
        forward: The model: inputs ``(B, *S)`` to logits ``(B, C)``.
        stand_in: Stand-in of the inputs.
        forward_kwargs: Further keyword arguments of the model.

    Raises:
        NotImplementedError: If the model calls a function without a rule; the message names the
            layer.
        TypeError: If the output of the model is not a stand-in of logits.
    """
    forward = getattr(forward, "_orig_mod", forward)  # the model that torch.compile wrapped
    module = module_of(forward)
    with eval_mode(forward), torch.autocast(stand_in.device.type, enabled=False):
        try:
            logits = in_dtype(forward, stand_in.dtype)(stand_in, **(forward_kwargs or {}))
        except NoRuleError as error:
            raise NotImplementedError(f"{_where(error, module)}: {error}") from error
    if not isinstance(logits, type(stand_in)) or logits.ndim != 2:
        raise TypeError(
            f"forward must return logits (B, C) computed by functions that know {stand_in.kind}, "
            f"got {type(logits).__name__} of shape {tuple(getattr(logits, 'shape', ()))}"
        )
    return logits


def _where(error: NoRuleError, model: nn.Module | None) -> str:
    """Return the name of the innermost layer that raised an error."""
    innermost: nn.Module | None = None
    traceback = error.__traceback__
    while traceback is not None:
        owner = traceback.tb_frame.f_locals.get("self")
        innermost = owner if isinstance(owner, nn.Module) else innermost
        traceback = traceback.tb_next
    if innermost is None:
        return "the model"
    names = {} if model is None else {id(each): name for name, each in model.named_modules()}
    name = names.get(id(innermost), "")
    return f"layer {name!r} ({type(innermost).__name__})" if name else type(innermost).__name__
