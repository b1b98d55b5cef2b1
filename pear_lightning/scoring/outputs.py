"""Which scalar of the model's output an explanation is about."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from pear_lightning.functional.validation import at_least_float32

OutputName = Literal[
    "logit",
    "prob",
    "log_prob",
    "sum_log_prob",
    "margin",
    "max_logit",
    "max_prob",
    "max_log_prob",
    "sum_logit",
]
OutputFunction = Callable[[Tensor, Tensor], Tensor]
"""Maps logits ``(N, C)`` and target ``(N,)`` to one scalar per row, ``(N,)``."""


def logit(logits: Tensor, target: Tensor) -> Tensor:
    """Return the target's logit ``z_y``, the scalar that PEAR explains.

    Args:
        logits: Model outputs, ``(N, C)``.
        target: Class indices, ``(N,)``.

    Returns:
        One scalar per row, ``(N,)``.
    """
    return logits.gather(1, target[:, None]).squeeze(1)


def prob(logits: Tensor, target: Tensor) -> Tensor:
    """Return the target's probability ``softmax(z)_y``, in float32 or better.

    Args:
        logits: Model outputs, ``(N, C)`` with ``C >= 2``.
        target: Class indices, ``(N,)``.

    Returns:
        One scalar per row, ``(N,)``.

    Raises:
        ValueError: If there is only one class.
    """
    _check_classes("prob", logits)
    return logit(torch.softmax(at_least_float32(logits), dim=1), target)


def log_prob(logits: Tensor, target: Tensor) -> Tensor:
    """Return the target's log-probability ``log softmax(z)_y``.

    Args:
        logits: Model outputs, ``(N, C)`` with ``C >= 2``.
        target: Class indices, ``(N,)``.

    Returns:
        One scalar per row, ``(N,)``.

    Raises:
        ValueError: If there is only one class.
    """
    _check_classes("log_prob", logits)
    return logit(F.log_softmax(logits, dim=1), target)


def sum_log_prob(logits: Tensor, target: Tensor) -> Tensor:
    """Return ``Σ_c log softmax(z)_c``, the scalar of Right for the Right Reasons.

    Args:
        logits: Model outputs, ``(N, C)`` with ``C >= 2``.
        target: Not used; the sum is over all classes.

    Returns:
        One scalar per row, ``(N,)``.

    Raises:
        ValueError: If there is only one class.
    """
    _check_classes("sum_log_prob", logits)
    return F.log_softmax(logits, dim=1).sum(dim=1)


def margin(logits: Tensor, target: Tensor) -> Tensor:
    """Return the target's logit less the largest other logit.

    Adding the same function to all logits leaves it unchanged, as it leaves the
    cross-entropy unchanged.

    Args:
        logits: Model outputs, ``(N, C)`` with ``C >= 2``.
        target: Class indices, ``(N,)``.

    Returns:
        One scalar per row, ``(N,)``.

    Raises:
        ValueError: If there is only one class.
    """
    _check_classes("margin", logits)
    others = logits.scatter(1, target[:, None], float("-inf"))
    return logit(logits, target) - others.amax(dim=1)


def max_logit(logits: Tensor, target: Tensor) -> Tensor:
    """Return the largest logit, that of the predicted class.

    Args:
        logits: Model outputs, ``(N, C)``.
        target: Not used.

    Returns:
        One scalar per row, ``(N,)``.
    """
    return logits.amax(dim=1)


def max_prob(logits: Tensor, target: Tensor) -> Tensor:
    """Return the probability of the predicted class, in float32 or better.

    Args:
        logits: Model outputs, ``(N, C)`` with ``C >= 2``.
        target: Not used.

    Returns:
        One scalar per row, ``(N,)``.

    Raises:
        ValueError: If there is only one class.
    """
    _check_classes("max_prob", logits)
    return torch.softmax(at_least_float32(logits), dim=1).amax(dim=1)


def max_log_prob(logits: Tensor, target: Tensor) -> Tensor:
    """Return the log-probability of the predicted class.

    Its gradient is that of :func:`max_prob` divided by the probability, so both rank features
    alike, and this one does not underflow.

    Args:
        logits: Model outputs, ``(N, C)`` with ``C >= 2``.
        target: Not used.

    Returns:
        One scalar per row, ``(N,)``.

    Raises:
        ValueError: If there is only one class.
    """
    _check_classes("max_log_prob", logits)
    return F.log_softmax(logits, dim=1).amax(dim=1)


def sum_logit(logits: Tensor, target: Tensor) -> Tensor:
    """Return the sum of all logits.

    Args:
        logits: Model outputs, ``(N, C)``.
        target: Not used.

    Returns:
        One scalar per row, ``(N,)``.
    """
    return logits.sum(dim=1)


def _check_classes(output: str, logits: Tensor) -> None:
    """Refuse a single output: its softmax is 1 whatever the inputs are."""
    if logits.shape[1] < 2:
        raise ValueError(
            f"output={output!r} compares the target with the other classes and needs logits "
            f"(N, C) with C >= 2, got {tuple(logits.shape)}; use output='logit', or a function "
            "such as lambda logits, target: logits[:, 0].sigmoid()"
        )


_OUTPUTS: dict[str, OutputFunction] = {
    "logit": logit,
    "prob": prob,
    "log_prob": log_prob,
    "sum_log_prob": sum_log_prob,
    "margin": margin,
    "max_logit": max_logit,
    "max_prob": max_prob,
    "max_log_prob": max_log_prob,
    "sum_logit": sum_logit,
}


def resolve_output(output: OutputName | OutputFunction) -> OutputFunction:
    """Return the function that a name stands for, or the function itself.

    Args:
        output: A name, or a function of logits ``(N, C)`` and target ``(N,)``.

    Returns:
        The function.

    Raises:
        ValueError: If the name is not known, or names a scalar that does not depend on the inputs.
    """
    if callable(output):
        return output
    if str(output) == "sum_prob":
        raise ValueError(
            "output='sum_prob' explains nothing: the probabilities of all classes sum to 1 "
            "whatever the inputs are, so the gradient is 0; use 'sum_log_prob'"
        )
    if output not in _OUTPUTS:
        raise ValueError(f"output must be one of {sorted(_OUTPUTS)} or a function, got {output!r}")
    return _OUTPUTS[output]
