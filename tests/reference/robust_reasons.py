"""R4 (Ghitu et al., 2025) and IBP-Ex (Heo et al., 2023), sample by sample, for ReLU networks."""

import torch
from torch.nn import functional as F  # noqa: N812

from tests.reference.right_reasons import input_gradient


def product(w, low, up):
    """Bounds of W v for all v between low and up: row by row, positive and negative weights."""
    lows, ups = [], []
    for row in w:
        lows.append(sum(a * (b if a > 0 else c) for a, b, c in zip(row, low, up, strict=True)))
        ups.append(sum(a * (c if a > 0 else b) for a, b, c in zip(row, low, up, strict=True)))
    return torch.stack(lows), torch.stack(ups)


def forward_bounds(layers, low, up):
    """Bounds of the values before each ReLU, and of the logits, of linear layers (w, b)."""
    before = []
    for w, b in layers:
        low, up = product(w, low, up)
        low, up = low + b, up + b
        before.append((low, up))
        low, up = low.clamp(min=0), up.clamp(min=0)
    return before


def gradient_bounds(layers, low, up, y):
    """Bounds of the gradient of the cross-entropy at the input."""
    before = forward_bounds(layers, low, up)
    z_low, z_up = before[-1]
    g_low, g_up = [], []
    for k in range(len(z_low)):  # the probability of k is largest where its rivals are smallest
        most = torch.exp(z_up[k]) / (torch.exp(z_up[k]) + sum(
            torch.exp(z_low[j]) for j in range(len(z_low)) if j != k))  # fmt: skip
        least = torch.exp(z_low[k]) / (torch.exp(z_low[k]) + sum(
            torch.exp(z_up[j]) for j in range(len(z_low)) if j != k))  # fmt: skip
        g_low.append(least - int(k == y))
        g_up.append(most - int(k == y))
    g_low, g_up = torch.stack(g_low), torch.stack(g_up)
    for (w, _), previous in zip(reversed(layers), [*reversed(before[:-1]), None], strict=True):
        g_low, g_up = product(w.T, g_low, g_up)
        if previous is not None:
            off, on = previous[1] <= 0, previous[0] > 0  # else the slope may be 0 or 1
            g_low = torch.where(off, 0, torch.where(on, g_low, g_low.clamp(max=0)))
            g_up = torch.where(off, 0, torch.where(on, g_up, g_up.clamp(min=0)))
    return g_low, g_up


def r4(layers, x, y, mask, eps):
    """(Σ |A g_low| + Σ |A g_up|) / numel."""
    total = 0
    for x_n, y_n, a_n in zip(x, y, mask, strict=True):
        low, up = gradient_bounds(layers, x_n - eps * a_n, x_n + eps * a_n, y_n)
        total = total + (a_n * low).abs().sum() + (a_n * up).abs().sum()
    return total / x.numel()


def ibp_ex(layers, x, y, mask, eps, alpha):
    """α CE + (1 - α) worst-case CE, averaged."""
    total = 0
    for x_n, y_n, a_n in zip(x, y, mask, strict=True):
        low, up = forward_bounds(layers, x_n - eps * a_n, x_n + eps * a_n)[-1]
        worst = torch.stack([low[k] if k == y_n else up[k] for k in range(len(up))])
        logits = forward_bounds(layers, x_n, x_n)[-1][0]
        total = total + alpha * F.cross_entropy(logits, y_n)
        total = total + (1 - alpha) * F.cross_entropy(worst, y_n)
    return total / len(x)


def pgd_r4(model, x, y, mask, eps, steps):
    """Climb Σ (A g)² by sign steps within the masked box; Σ |A g| there, averaged."""
    total = 0
    for x_n, y_n, a_n in zip(x, y, mask, strict=True):
        delta = torch.zeros_like(x_n)
        for _ in range(steps):
            delta = delta.detach().requires_grad_()
            point = x_n + delta
            (g,) = torch.autograd.grad(
                F.log_softmax(model(point[None])[0], 0)[y_n], point, create_graph=True
            )
            (climb,) = torch.autograd.grad((a_n * g).square().sum(), delta)
            delta = torch.clamp(delta + eps / steps * climb.sign(), -eps, eps) * a_n
        total = total + (a_n * input_gradient(model, x_n + delta, y_n, "log_prob")).abs().sum()
    return total / len(x)


def rand_r4(model, x, y, mask, moves):
    """Largest |g(x + u) - g(x)| over masked moves u (K, B, n), element by element; L2 norms."""
    total = 0
    for n, (x_n, y_n, a_n) in enumerate(zip(x, y, mask, strict=True)):
        g = input_gradient(model, x_n, y_n, "log_prob")
        changes = [
            (input_gradient(model, x_n + a_n * u[n], y_n, "log_prob") - g).abs() for u in moves
        ]
        total = total + (a_n * torch.stack(changes).amax(0)).norm()
    return total / len(x)


def rbr_identity_hessian(model, x, y, mask):
    """Σ (A · i · ∂/∂x Σ_k log p_k)², i = ∂/∂x Σ over all parameters of ∂CE/∂θ; averaged."""
    total = 0
    for x_n, y_n, a_n in zip(x, y, mask, strict=True):
        point = x_n.clone().requires_grad_()
        loss = F.cross_entropy(model(point[None]), y_n[None])
        gradients = torch.autograd.grad(loss, list(model.parameters()), create_graph=True)
        summed = sum(gradient.sum() for gradient in gradients)
        (i,) = torch.autograd.grad(summed, point, create_graph=True)
        total = total + (a_n * i * input_gradient(model, x_n, y_n, "sum_log_prob")).square().sum()
    return total / len(x)
