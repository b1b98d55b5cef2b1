"""R4 (Ghitu et al., 2025) and IBP-Ex (Heo et al., 2023), sample by sample, for ReLU networks.

Each with bounds of the logits, as in the papers, and with the last layer elided (Gowal et al.,
2018).
"""

import itertools

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


def probabilities(z_low, z_up):
    """Bounds of the probabilities: largest where the rivals' logits are smallest."""
    most, least = [], []
    for k in range(len(z_low)):
        others = [j for j in range(len(z_low)) if j != k]
        most.append(z_up[k].exp() / (z_up[k].exp() + sum(z_low[j].exp() for j in others)))
        least.append(z_low[k].exp() / (z_low[k].exp() + sum(z_up[j].exp() for j in others)))
    return torch.stack(least), torch.stack(most)


def margins(layers, low, up, j):
    """Bounds of z_k - z_j for all k, from the differences of the last layer's rows."""
    w, b = layers[-1]
    if len(layers) > 1:
        low, up = (each.clamp(min=0) for each in forward_bounds(layers[:-1], low, up)[-1])
    low, up = product(w - w[j], low, up)
    return low + b - b[j], up + b - b[j]


def elided_probabilities(layers, low, up):
    """Bounds of the probabilities 1 / Σ_k exp(z_k - z_j) from those of the margins."""
    bounds = [margins(layers, low, up, j) for j in range(len(layers[-1][1]))]
    least = torch.stack([1 / most.exp().sum() for _, most in bounds])
    return least, torch.stack([1 / lowest.exp().sum() for lowest, _ in bounds])


def vertices(least, most):
    """Corners of the probabilities between two bounds: all at a bound, one makes up the sum."""
    n, corners = len(least), []
    for free in range(n):
        for choice in itertools.product((least, most), repeat=n - 1):
            others = [k for k in range(n) if k != free]
            p = [None] * n
            for k, bound in zip(others, choice, strict=True):
                p[k] = bound[k]
            p[free] = 1 - sum(p[k] for k in others)
            if least[free] - 1e-12 <= p[free] <= most[free] + 1e-12:
                corners.append(torch.stack(p))
    return corners


def gradient_bounds(layers, low, up, y, elided):
    """Bounds of the gradient of the label's log-probability at the input.

    Without elision the backward pass starts at the logits, where the gradient is e_y - p; with it,
    at the last hidden layer, where it is W_y - Σ_k p_k W_k.
    """
    before = [None, *forward_bounds(layers, low, up)[:-1]]
    if elided:
        w = layers[-1][0]
        corners = vertices(*elided_probabilities(layers, low, up))
        found = torch.stack([sum(p[k] * (w[y] - w[k]) for k in range(len(w))) for p in corners])
        g_low, g_up = found.amin(0), found.amax(0)
    else:
        least, most = probabilities(*forward_bounds(layers, low, up)[-1])
        own = F.one_hot(y, len(least))
        g_low, g_up = product(layers[-1][0].T, own - most, own - least)
    for (w, _), previous in zip(reversed(layers[:-1]), reversed(before[1:]), strict=True):
        off, on = previous[1] <= 0, previous[0] > 0  # else the slope may be 0 or 1
        g_low = torch.where(off, 0, torch.where(on, g_low, g_low.clamp(max=0)))
        g_up = torch.where(off, 0, torch.where(on, g_up, g_up.clamp(min=0)))
        g_low, g_up = product(w.T, g_low, g_up)
    return g_low, g_up


def r4(layers, x, y, mask, eps, elided):
    """(Σ |A g_low| + Σ |A g_up|) / numel."""
    total = 0
    for x_n, y_n, a_n in zip(x, y, mask, strict=True):
        low, up = gradient_bounds(layers, x_n - eps * a_n, x_n + eps * a_n, y_n, elided)
        total = total + (a_n * low).abs().sum() + (a_n * up).abs().sum()
    return total / x.numel()


def ibp_ex(layers, x, y, mask, eps, alpha, elided):
    """α CE + (1 - α) worst-case CE, averaged."""
    total = 0
    for x_n, y_n, a_n in zip(x, y, mask, strict=True):
        low, up = forward_bounds(layers, x_n - eps * a_n, x_n + eps * a_n)[-1]
        worst = torch.stack([low[k] if k == y_n else up[k] for k in range(len(up))])
        if elided:
            worst = margins(layers, x_n - eps * a_n, x_n + eps * a_n, y_n)[1]
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
