"""Gates over features, their penalties and Deep Lasso, from the formulas, number by number."""

import math

from torch import Tensor


def softmax(s: list[float], temperature: float = 1.0) -> list[float]:
    """w_i = exp(s_i / τ) / Σ_j exp(s_j / τ)."""
    powers = [math.exp(each / temperature) for each in s]
    return [power / sum(powers) for power in powers]


def gated(x: Tensor, w: list[float]) -> list[list[float]]:
    """y_ki = w_i x_ki."""
    return [[w[i] * row[i].item() for i in range(len(w))] for row in x]


def gradient_of_scores(w: list[float], x: Tensor, of_outputs: Tensor) -> list[float]:
    """∂L/∂s_i = w_i (q_i − Σ_j w_j q_j), with q_i = Σ_k x_ki ∂L/∂y_ki."""
    q = [sum((row * g)[i].item() for row, g in zip(x, of_outputs, strict=True))
         for i in range(len(w))]  # fmt: skip
    mean = sum(w_j * q_j for w_j, q_j in zip(w, q, strict=True))
    return [w_i * (q_i - mean) for w_i, q_i in zip(w, q, strict=True)]


def entropy(w: list[float]) -> float:
    """H(w) = −Σ_i w_i log w_i, in nats."""
    return -sum(each * math.log(each) for each in w if each > 0)


def effective_scores(w: list[float], weight: Tensor) -> list[float]:
    """w_i · ‖W_:,i‖."""
    return [w[i] * math.sqrt(sum(row[i].item() ** 2 for row in weight)) for i in range(len(w))]


def cancel_out_penalty(w: list[float], l1_weight: float, variance_weight: float) -> float:
    """λ1 ‖sigmoid(w)‖_1 − λ2 var(w), the variance with n − 1."""
    gates = [1 / (1 + math.exp(-each)) for each in w]
    mean = sum(w) / len(w)
    variance = sum((each - mean) ** 2 for each in w) / (len(w) - 1)
    return l1_weight * sum(gates) - variance_weight * variance


def stochastic_gate(mu: float, noise: float, sigma: float = 0.5) -> float:
    """z = clip(μ + .5 + σ ε, 0, 1)."""
    return min(1.0, max(0.0, mu + 0.5 + sigma * noise))


def stochastic_gates_penalty(mu: list[float], weight: float, sigma: float = 0.5) -> float:
    """λ · mean Φ((μ + .5)/σ)."""
    phi = [(1 + math.erf((each + 0.5) / sigma / math.sqrt(2))) / 2 for each in mu]
    return weight * sum(phi) / len(phi)


def deep_lasso(gradients_of_mean_loss: Tensor) -> float:
    """Σ_j sqrt(Σ_n (∂L/∂x_nj)² + 1e-8), L averaged over the batch."""
    columns = gradients_of_mean_loss.T
    return sum(math.sqrt(sum(g.item() ** 2 for g in column) + 1e-8) for column in columns)
