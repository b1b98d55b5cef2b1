"""Fitted values of scikit-learn's scalers as plain values."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def save_fitted(scaler: Any) -> dict[str, Any]:
    """Return the fitted attributes of a scaler, which end in ``_``, as numbers and tensors.

    Args:
        scaler: A fitted scaler of scikit-learn, or anything without fitted attributes.

    Example:
        >>> from sklearn.preprocessing import MinMaxScaler
        >>> save_fitted(MinMaxScaler().fit([[1.0], [3.0]]))["data_max_"]
        tensor([3.], dtype=torch.float64)
    """
    import numpy as np

    fitted = {
        name: value
        for name, value in getattr(scaler, "__dict__", {}).items()
        if name.endswith("_") and not name.startswith("_") and name != "feature_names_in_"
    }
    return {
        name: torch.tensor(value) if isinstance(value, np.ndarray) else _plain(value)
        for name, value in fitted.items()
    }


def load_fitted(scaler: Any, state: Mapping[str, Any]) -> None:
    """Set the fitted attributes of a scaler.

    Args:
        scaler: A scaler of the same class, fitted to anything.
        state: A result of :func:`save_fitted`.
    """
    for name, value in state.items():
        setattr(scaler, name, value.numpy() if isinstance(value, Tensor) else value)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
