"""Grad-CAM and the losses on it (RRR-G, simplified HINT), image by image."""

import torch
from torch.nn import functional as F  # noqa: N812


def grad_cam(features, head, x, k):
    """Σ_k α_k A^k of one image, α_k the mean of ∂ logit_k / ∂ A^k; no ReLU."""
    activation = features(x[None])
    logits = head(activation)[0]
    k = int(logits.argmax()) if k is None else int(k)
    (g,) = torch.autograd.grad(logits[k], activation, create_graph=True)
    total = 0
    for channel in range(activation.shape[1]):
        total = total + g[0, channel].mean() * activation[0, channel]
    return total


def min_max(s):
    return (s - s.min()) / (s.max() - s.min())


def shares(mask, size):
    """Mean of the mask in each cell of a grid whose cells divide it evenly."""
    step = mask.shape[0] // size
    return torch.stack([
        torch.stack([
            mask[i * step : (i + 1) * step, j * step : (j + 1) * step].mean() for j in range(size)
        ]) for i in range(size)
    ])  # fmt: skip


def rrr_g(features, head, x, mask):
    total = 0
    for x_n, a_n in zip(x, mask, strict=True):
        s = min_max(grad_cam(features, head, x_n, None))
        total = total + (shares(a_n, len(s)) * s).square().sum()
    return total / len(x)


def simplified_hint(features, head, x, y, mask):
    total = 0
    for x_n, y_n, h_n in zip(x, y, mask, strict=True):
        s = min_max(grad_cam(features, head, x_n, y_n))
        total = total + F.mse_loss(s, shares(h_n, len(s)))
    return total / len(x)


def hint(alpha, h):
    """Mean over samples of Σ |α_p − α_q| over pairs of regions in the wrong order."""
    total = 0
    for alpha_n, h_n in zip(alpha, h, strict=True):
        for p in range(len(alpha_n)):
            for q in range(len(alpha_n)):
                if h_n[p] > h_n[q] and alpha_n[p] < alpha_n[q]:
                    total = total + abs(alpha_n[p] - alpha_n[q])
    return total / len(alpha)
