"""A backbone with a gate."""

from typing import Any

from torch import Tensor, nn

from pear_lightning.nn.feature_gate import FeatureGate

_GATED_BY = "_gated_by"
"""Attribute of a backbone with the ``GatedBackbone`` whose gate is inside, or ``None``."""


class GatedBackbone(nn.Module):
    """A backbone with a gate in front of it, or in front of one of its modules.

    The backbone's modules and the names of its weights do not change; a gate inside the backbone
    is a forward hook on the module that it precedes. A backbone has one gate inside: a further
    ``GatedBackbone`` of the same backbone replaces it, and the earlier one can no longer be called.

    Shapes:
        - ``inputs``: ``(B, *S)``, the inputs of the backbone
        - ``logits``: ``(B, C)``

    Args:
        gate: The gate.
        backbone: Any module.
        place: Name of the module of the backbone, as in ``backbone.named_modules()``, whose first
            argument is gated. ``None`` gates the inputs.

    Raises:
        ValueError: If the backbone has no module of that name, or calls it without positional
            arguments; when called, if the gate inside the backbone is another one.

    Example:
        >>> import torch
        >>> from pear_lightning.nn import MLP, ScoresActivation
        >>> model = GatedBackbone(ScoresActivation(8), MLP(8))
        >>> model(torch.randn(32, 8)).shape
        torch.Size([32, 2])
        >>> within = GatedBackbone(ScoresActivation(100), MLP(8), place="layers.2")
    """

    def __init__(self, gate: FeatureGate, backbone: nn.Module, place: str | None = None) -> None:
        super().__init__()
        self.gate = gate
        self.backbone = backbone
        self.place = place
        if place is not None:
            # a bound method, so that a deep copy of this module calls the copied gate
            named_module(backbone, place).register_forward_pre_hook(self._gate_first)
        # who gates inside of it; in a tuple, because a module would become a part of the backbone
        vars(backbone)[_GATED_BY] = (None if place is None else self,)

    def forward(self, inputs: Tensor, **kwargs: Any) -> Tensor:
        """Return logits ``(B, C)`` of inputs ``(B, *S)``; the backbone gets further arguments."""
        if getattr(self.backbone, _GATED_BY)[0] is not (None if self.place is None else self):
            raise ValueError(
                "backbone must not be given to a later GatedBackbone that changes the gate inside, "
                f"got a call of the earlier one, with place={self.place!r}; give each a backbone "
                "of its own, such as copy.deepcopy(backbone)"
            )
        if self.place is None:
            inputs = self.gate(inputs)
        logits: Tensor = self.backbone(inputs, **kwargs)
        return logits

    @property
    def embed(self) -> Any:
        """The backbone's method that embeds token ids; ``None`` if it has none."""
        return getattr(self.backbone, "embed", None)

    def _gate_first(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if getattr(self.backbone, _GATED_BY)[0] is not self:
            return None  # replaced
        if not args:
            raise ValueError(
                f"{self.place!r} must be called with a positional argument, which the gate takes, "
                "got keyword arguments only"
            )
        return (self.gate(args[0]), *args[1:])


def named_module(backbone: nn.Module, place: str) -> nn.Module:
    """Return a module of a backbone by its name.

    Args:
        backbone: The backbone.
        place: Name, as in ``named_modules``.

    Raises:
        ValueError: If the backbone has no module of that name.

    Example:
        >>> named_module(nn.Sequential(nn.Linear(3, 2)), "0")
        Linear(in_features=3, out_features=2, bias=True)
    """
    modules: dict[str, nn.Module] = dict(backbone.named_modules())
    if place not in modules:
        raise ValueError(
            f"place must be one of the backbone's modules {sorted(modules)}, got {place!r}"
        )
    return modules[place]
