"""On what something was measured."""

import os
import platform
from typing import Any

import torch


def machine(device: str) -> dict[str, Any]:
    """Return what a time depends on beside the code.

    Args:
        device: ``"cpu"`` or ``"cuda"``.

    Returns:
        ``device``, ``torch``, ``python``, and ``load``, the load average of the last minute.
    """
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.machine(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }
