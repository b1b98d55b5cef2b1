"""The network of a LightningModule that a callback explains."""

from typing import Any

from lightning.pytorch import LightningModule

from pear_lightning.scoring.scorer import Forward


def explained_network(module: LightningModule, model: str | None, owner: str) -> Forward:
    """Return the callable that is explained: the module, or its submodule or method.

    Args:
        module: The module.
        model: Name of a submodule or method, such as ``"net"``; ``None`` for the module itself.
        owner: Name of the class that explains, for error messages.

    Raises:
        TypeError: If the module has no ``forward``, or the name is that of something else.
        ValueError: If there is nothing of that name.

    Example:
        >>> from lightning.pytorch.demos.boring_classes import BoringModel
        >>> explained_network(BoringModel(), "layer", "FaithfulnessMonitor")
        Linear(in_features=32, out_features=2, bias=True)
    """
    network: Any = module
    for part in model.split(".") if model else ():
        if not hasattr(network, part):
            raise ValueError(
                f"model must name a submodule or method of {type(module).__name__}, got "
                f"{model!r}; {type(network).__name__} has no {part!r}"
            )
        network = getattr(network, part)
    if network is module and type(module).forward is LightningModule.forward:
        raise TypeError(
            f"model must name the submodule or method of {type(module).__name__} that maps "
            "inputs to logits, because the module has no forward, got None; give "
            f"{owner}(..., model='net'), for example"
        )
    if not callable(network):
        raise TypeError(
            f"model must name a module or a method, got {model!r}, which is {network!r}"
        )
    return network  # type: ignore[no-any-return]
