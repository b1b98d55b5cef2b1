"""The scalar of the model's output that is explained."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from pear_lightning.functional.validation import at_least_float32

OutputName = Literal[
    "centered_logit",
    "logit",
    "prob",
    "log_prob",
    "sum_log_prob",
    "margin",
    "max_centered_logit",
    "max_logit",
    "max_prob",
    "max_log_prob",
    "sum_logit",
]
OutputFunction = Callable[[Tensor, Tensor], Tensor]
"""Maps logits ``(N, C)`` and target ``(N,)`` to one scalar per row, ``(N,)``."""
OF_SEVERAL_CLASSES = frozenset(
    {"prob", "log_prob", "sum_log_prob", "margin", "max_prob", "max_log_prob"}
)
"""Names of scalars that a model with one output does not have."""


def centered_logit(logits: Tensor, target: Tensor) -> Tensor:
    r"""Return the target's logit minus the mean of all logits.

    .. math:: z_y - \frac{1}{C} \sum_j z_j

    It is linear in the logits, does not saturate, and is half the margin for two classes. Unlike
    the logit, it is unchanged by a function that is added to all logits, which changes no
    probability. The output of a model with one output has no such freedom and is returned
    unchanged.

    Args:
        logits: Model outputs, ``(N, C)``.
        target: Class indices, ``(N,)``.

    Returns:
        One scalar per row, ``(N,)``.
    """
    of_target = logit(logits, target)
    return of_target if logits.shape[1] == 1 else of_target - logits.mean(dim=1)


def logit(logits: Tensor, target: Tensor) -> Tensor:
    """Return the target's logit ``z_y``, the scalar that the PEAR paper and Captum explain.

    A function that is added to all logits changes its explanations, but no probability.

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
    return F.logsigmoid(log_odds(logits, target)).exp()


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
    return F.logsigmoid(log_odds(logits, target))


def log_odds(logits: Tensor, target: Tensor) -> Tensor:
    r"""Return the logarithm of the odds of the target's class.

    .. math:: \log \frac{p_y}{1 - p_y} = z_y - \log \sum_{j \ne y} e^{z_j}

    Probabilities and log-probabilities are functions of it whose gradients stay accurate however
    confident the model is, where those of softmax are lost in rounding.

    Args:
        logits: Model outputs, ``(N, C)`` with ``C >= 2``.
        target: Class indices, ``(N,)``.

    Returns:
        One scalar per row, ``(N,)``, in float32 or better.
    """
    logits = at_least_float32(logits)
    others = logits.scatter(1, target[:, None], float("-inf"))
    return logit(logits, target) - others.logsumexp(dim=1)


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


def max_centered_logit(logits: Tensor, target: Tensor) -> Tensor:
    """Return the largest logit minus the mean of all logits; see :func:`centered_logit`.

    Args:
        logits: Model outputs, ``(N, C)``.
        target: Not used.

    Returns:
        One scalar per row, ``(N,)``.
    """
    largest = logits.amax(dim=1)
    return largest if logits.shape[1] == 1 else largest - logits.mean(dim=1)


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
    return prob(logits, logits.argmax(dim=1))


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
    return log_prob(logits, logits.argmax(dim=1))


def sum_logit(logits: Tensor, target: Tensor) -> Tensor:
    """Return the sum of all logits.

    Args:
        logits: Model outputs, ``(N, C)``.
        target: Not used.

    Returns:
        One scalar per row, ``(N,)``.
    """
    return logits.sum(dim=1)


def check_several_outputs(model: str, n_outputs: int) -> None:
    """Raise for a model with one output, whose softmax is 1 for any inputs.

    Args:
        model: Name of the argument that holds the model.
        n_outputs: Number of its outputs.

    Raises:
        ValueError: If it is 1.

    Example:
        >>> check_several_outputs("predictor", 1)
        Traceback (most recent call last):
        ...
        ValueError: predictor must have at least 2 outputs, one for each class, got 1; for a logit \
z of the second of two classes, return (0, z)
    """
    if n_outputs < 2:
        raise ValueError(
            f"{model} must have at least 2 outputs, one for each class, got {n_outputs}; for a "
            "logit z of the second of two classes, return (0, z)"
        )


def _check_classes(output: str, logits: Tensor) -> None:
    """Refuse a single output, whose softmax is 1 for any inputs."""
    if logits.shape[1] < 2:
        raise ValueError(
            f"logits must be (N, C) with C >= 2 for output={output!r}, which compares the target "
            f"with the other classes, got {tuple(logits.shape)}; use output='logit', or a "
            "function such as lambda logits, target: logits[:, 0].sigmoid()"
        )


_OUTPUTS: dict[str, OutputFunction] = {
    "centered_logit": centered_logit,
    "logit": logit,
    "prob": prob,
    "log_prob": log_prob,
    "sum_log_prob": sum_log_prob,
    "margin": margin,
    "max_centered_logit": max_centered_logit,
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


def explained_scalars(output: OutputFunction, logits: Tensor, target: Tensor) -> Tensor:
    """Return the explained scalar of each row of logits, after a check of its shape.

    Args:
        output: The scalar.
        logits: Logits of a model, ``(N, C)``.
        target: Class indices, ``(N,)``.

    Returns:
        ``(N,)``.

    Raises:
        ValueError: If the output is not one scalar per row.
    """
    scalars = output(logits, target)
    if scalars.shape != logits.shape[:1]:
        raise ValueError(
            "output must return one scalar per row of the logits, "
            f"({len(logits)},), got {tuple(scalars.shape)}; logits.gather(1, target[:, None])[:, 0]"
            " is that of the target"
        )
    return scalars


@torch.no_grad()
def sees_common_shift(output: OutputFunction, logits: Tensor, target: Tensor | None) -> bool:
    """Return whether a function that is added to all logits changes an explained scalar.

    Softmax, and with it the cross-entropy, does not change. Explanations of such a scalar are
    therefore partly about something that decides nothing.

    Args:
        output: The scalar.
        logits: Logits of a model, ``(N, C)``.
        target: Class indices, ``(N,)``; ``None`` for the first class.

    Returns:
        Always ``False`` for a model with one output, which has no other to share anything with.

    Example:
        >>> logits, target = torch.randn(4, 3), torch.zeros(4).long()
        >>> [sees_common_shift(each, logits, target) for each in (logit, centered_logit, prob)]
        [True, False, False]
    """
    if logits.shape[1] < 2 or not len(logits):
        return False
    if target is None:
        target = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
    moved = output(logits.double() + 1, target) - output(logits.double(), target)
    return bool((moved.abs() > 1e-6).any())
