"""The scalar of the model's output that is explained."""

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
    """Return the target's logit ``z_y``, the scalar explained by PEAR.

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
    """Return the target's logit minus the largest other logit.

    Adding the same function to all logits changes neither the margin nor the cross-entropy.

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
    """Return the largest logit, which is the logit of the predicted class.

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

    Its gradient is the gradient of :func:`max_prob` divided by the probability, so both rank
    features alike; the gradient of the log-probability does not underflow.

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
    """Refuse a single output, whose softmax is 1 for any inputs."""
    if logits.shape[1] < 2:
        raise ValueError(
            f"logits must be (N, C) with C >= 2 for output={output!r}, which compares the target "
            f"with the other classes, got {tuple(logits.shape)}; use output='logit', or a "
            "function such as lambda logits, target: logits[:, 0].sigmoid()"
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
    """Return the function of a name; a function is returned unchanged.

    Args:
        output: A name, or a function of logits ``(N, C)`` and target ``(N,)``.

    Raises:
        ValueError: If the name is unknown, or names a scalar that does not depend on the inputs.
    """
    if callable(output):
        return output
    if str(output) == "sum_prob":
        raise ValueError(
            "output must depend on the inputs, got 'sum_prob': the probabilities of all classes "
            "sum to 1 for any inputs, so the gradient is 0; use 'sum_log_prob'"
        )
    if output not in _OUTPUTS:
        raise ValueError(f"output must be one of {sorted(_OUTPUTS)} or a function, got {output!r}")
    return _OUTPUTS[output]
