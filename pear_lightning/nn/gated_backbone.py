"""A backbone with a gate in it."""

from typing import Any

from torch import Tensor, nn

from pear_lightning.nn.feature_gate import FeatureGate


class GatedBackbone(nn.Module):
    """A backbone with a gate in front of it, or in front of one of its modules.

    The backbone's modules and the names of its weights stay as they are; a gate within it is a
    forward hook on the module that it stands in front of.

    Shapes:
        - ``inputs``: ``(B, *S)``, as the backbone takes them
        - ``logits``: ``(B, C)``

    Args:
        gate: The gate.
        backbone: Any module.
        place: Name of the module of the backbone, as in ``backbone.named_modules()``, whose first
            argument is gated. ``None`` gates the inputs.

    Raises:
        ValueError: If the backbone has no module of that name, or calls it without a positional
            argument.

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
            modules = dict(backbone.named_modules())
            if place not in modules:
                raise ValueError(
                    f"place is {place!r}: one of the backbone's modules is expected, "
                    f"{sorted(modules)}"
                )
            # a bound method, so that a deep copy of this module calls the gate of the copy
            modules[place].register_forward_pre_hook(self._gate_first)

    def forward(self, inputs: Tensor, **kwargs: Any) -> Tensor:
        """Logits ``(B, C)`` of inputs ``(B, *S)``; further arguments go to the backbone."""
        if self.place is None:
            inputs = self.gate(inputs)
        logits: Tensor = self.backbone(inputs, **kwargs)
        return logits

    @property
    def embed(self) -> Any:
        """What embeds token ids in the backbone; ``None`` if it has no such method."""
        return getattr(self.backbone, "embed", None)

    def _gate_first(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        if not args:
            raise ValueError(
                f"the backbone calls {self.place!r} with keyword arguments alone: the gate takes "
                "the first positional one"
            )
        return (self.gate(args[0]), *args[1:])
