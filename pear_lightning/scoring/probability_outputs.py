"""Models that return probabilities where logits are expected."""

import warnings
from typing import Any
from weakref import WeakSet

from torch import Tensor, nn

from pear_lightning.functional.validation import is_traced
from pear_lightning.scoring.eval_mode import module_of

_looked_at: "WeakSet[nn.Module]" = WeakSet()


def look_for_probabilities(forward: Any, logits: Tensor) -> None:
    """Warn if a module returns probabilities; each module is looked at once.

    Args:
        forward: The model; nothing is done for a callable that belongs to no module.
        logits: Outputs of the model, ``(N, C)``.
    """
    if is_traced(logits) or not len(logits):  # first: a compiler cannot guard a set that shrinks
        return
    module = module_of(forward)
    if module is None or module in _looked_at:
        return
    _looked_at.add(module)
    warn_of_probabilities(type(module).__name__, logits)


def warn_of_probabilities(model: str, logits: Tensor) -> None:
    """Warn if the outputs of a model are probabilities, which are no logits.

    Args:
        model: Name of the model, for the warning.
        logits: Outputs of the model, ``(N, C)``.
    """
    logits = logits.detach().float()
    if logits.ndim != 2 or logits.shape[1] < 2 or not len(logits) or bool((logits < 0).any()):
        return
    if bool(((logits.sum(dim=1) - 1).abs() < 1e-3).all()):
        warnings.warn(
            f"{model} returns rows that sum to 1, probabilities instead of logits, to which "
            "cross-entropy and explanations apply softmax once more. Remove its last softmax, or "
            "let it return log-probabilities",
            stacklevel=3,
        )
