"""Coalitions: which features of a sample stay in place while the others take the baseline."""

import torch
from torch import Tensor

from pear_lightning.explainers.draws import draw
from pear_lightning.explainers.scorer import Scorer
from pear_lightning.functional.validation import check_finite


def can_enumerate(n_features: int, n_samples: int) -> bool:
    """Return whether all ``2^n`` coalitions fit into a number of samples.

    Args:
        n_features: Number of features n.
        n_samples: Number of samples.

    Returns:
        Whether ``2^n <= n_samples``.
    """
    return n_features < n_samples.bit_length()


def all_coalitions(n_features: int, device: torch.device) -> Tensor:
    """Return every coalition once: the full one, the empty one, then the others.

    Args:
        n_features: Number of features n.
        device: Where to put them.

    Returns:
        ``keep (2^n, 1, n)``; True is left in place.

    Example:
        >>> all_coalitions(2, torch.device("cpu"))[:, 0].int().tolist()
        [[1, 1], [0, 0], [1, 0], [0, 1]]
    """
    codes = torch.arange(-1, 2**n_features - 1, device=device)  # -1 has every bit set
    bits = torch.arange(n_features, device=device)
    return ((codes[:, None] >> bits) & 1).bool()[:, None]


def shapley_kernel(keep: Tensor) -> Tensor:
    r"""Return the Shapley kernel ``(n - 1) / (C(n, k) k (n - k))`` of coalitions of size k.

    Args:
        keep: Coalitions that are neither full nor empty, ``(K, B, n)``.

    Returns:
        Weights ``(K, B)``, float64, scaled to a largest weight of 1 (a common factor changes
        nothing).
    """
    n = keep.shape[-1]
    size = keep.sum(-1).double()
    # log C(n, k) = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1); n! is a common factor.
    log_weight = (size + 1).lgamma() + (n - size + 1).lgamma() - (size * (n - size)).log()
    return (log_weight - log_weight.max()).exp() if log_weight.numel() else log_weight


def draw_shapley_coalitions(
    n_samples: int, n_features: int, inputs: Tensor, seed: int | None, *, paired: bool
) -> Tensor:
    """Return the full and the empty coalition, then draws from the Shapley kernel.

    The size k has probability proportional to ``1 / (k (n - k))``, its members are uniform.

    Args:
        n_samples: Number of coalitions K, at least 2.
        n_features: Number of features n, at least 2.
        inputs: Inputs ``(B, *S)``; decide batch size and device.
        seed: Seed of coalitions shared by all samples; ``None`` draws for each from torch's
            global generator.
        paired: Whether to draw half of the coalitions and add their complements.

    Returns:
        ``keep (K, B, n)``, or ``(K, 1, n)`` where shared.
    """
    n_random = n_samples - 2
    n_draws = (n_random + 1) // 2 if paired else n_random
    uniform = _uniform(n_draws, n_features + 1, inputs, seed)
    sizes = torch.arange(1, n_features, dtype=torch.float64)
    probabilities = 1 / (sizes * (n_features - sizes))
    cumulative = (probabilities / probabilities.sum()).cumsum(0).to(uniform)
    size = 1 + torch.searchsorted(cumulative, uniform[..., 0].contiguous(), right=True)
    rank = uniform[..., 1:].argsort(dim=-1).argsort(dim=-1)
    keep = rank < size.clamp(max=n_features - 1)[..., None]
    if paired:
        keep = torch.cat([keep, ~keep])[:n_random]
    full = torch.ones(1, *keep.shape[1:], dtype=torch.bool, device=keep.device)
    return torch.cat([full, ~full, keep])


def draw_coin_flips(n_samples: int, n_features: int, inputs: Tensor, seed: int | None) -> Tensor:
    """Return coalitions that each feature joins with probability 1/2.

    Args:
        n_samples: Number of coalitions K.
        n_features: Number of features n.
        inputs: Inputs ``(B, *S)``; decide batch size and device.
        seed: Seed of coalitions shared by all samples; ``None`` draws for each from torch's
            global generator.

    Returns:
        ``keep (K, B, n)``, or ``(K, 1, n)`` where shared.
    """
    return _uniform(n_samples, n_features, inputs, seed) < 0.5


def score_coalitions(scorer: Scorer, inputs: Tensor, baseline: Tensor, keep: Tensor) -> Tensor:
    """Return the explained scalar with the features outside each coalition at the baseline.

    Perturbed copies are made for ``scorer.points_per_pass`` coalitions at a time.

    Args:
        scorer: The explained scalar at any query points.
        inputs: Inputs, ``(B, *S)``.
        baseline: Baseline, broadcastable to ``(B, *S)``.
        keep: Coalitions ``(K, B, n)`` or ``(K, 1, n)``.

    Returns:
        Scores ``(K, B)``, float64.

    Raises:
        ValueError: If the model returns NaN or Inf.
    """
    keep = keep.reshape(*keep.shape[:2], *inputs.shape[1:])
    scores = torch.cat(
        [
            scorer(torch.where(chunk, inputs, baseline))
            for chunk in torch.split(keep, scorer.points_per_pass or len(keep))
        ]
    )
    check_finite("scores of perturbed inputs", scores)
    return in_float64(scores)


def in_float64(tensor: Tensor) -> Tensor:
    """Return a tensor in float64, on the CPU where its device has none (Apple's GPUs).

    Args:
        tensor: Any tensor.

    Returns:
        The tensor in float64.
    """
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()


def _uniform(n_draws: int, n_features: int, inputs: Tensor, seed: int | None) -> Tensor:
    # In float32 whatever the inputs are: half precision has too few distinct values to rank.
    like = inputs.new_empty(inputs.shape[0], dtype=torch.float32)
    return draw("uniform", n_draws, like, (n_features,), seed)
