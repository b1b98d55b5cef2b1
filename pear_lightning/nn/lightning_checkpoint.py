"""A trained LightningModule as a model to explain."""

from lightning.pytorch import LightningModule
from torch import nn


def lightning_checkpoint(path: str) -> nn.Module:
    """Load a module of a checkpoint that the command line has saved.

    Such a checkpoint holds the configuration of the module, so its path is sufficient; the class is
    found if it is imported, as those of this package are on the command line. For other checkpoints
    use ``load_from_checkpoint`` of the class.

    Args:
        path: The checkpoint.

    Returns:
        The module, on the CPU and in eval mode.

    Example:
        >>> model = lightning_checkpoint("lightning_logs/version_0/last.ckpt")  # doctest: +SKIP
    """
    return LightningModule.load_from_checkpoint(path, map_location="cpu").eval()
