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


def grad_cam_plus_plus(features, head, x, k):
    """Σ_k w_k A^k of one image, with derivatives of exp(logit) of a piecewise linear head."""
    activation = features(x[None])
    score = head(activation)[0, k].exp()
    (first,) = torch.autograd.grad(score, activation)
    g = first[0] / score.detach()  # derivative of the logit
    second, third = score.detach() * g**2, score.detach() * g**3
    total = 0
    for channel in range(len(g)):
        weight = 0
        for i in range(g.shape[1]):
            for j in range(g.shape[2]):
                if g[channel, i, j] != 0:
                    a = second[channel, i, j] / (
                        2 * second[channel, i, j]
                        + activation[0, channel].sum() * third[channel, i, j]
                    )
                    weight = weight + a * max(first[0, channel, i, j], 0)
        total = total + weight * activation[0, channel]
    return (total / score).detach()


@torch.no_grad()
def score_cam(features, head, x, k):
    """Σ_k w_k A^k of one image, w the softmax of the increase of the logit over a black image."""
    activation = features(x[None])[0]
    increase = []
    for channel in activation:
        large = F.interpolate(channel[None, None], x.shape[1:], mode="bilinear")[0, 0]
        mask = min_max(large) if large.max() > large.min() else torch.zeros_like(large)
        masked, black = (head(features(each[None]))[0, k] for each in (x * mask, 0 * x))
        increase.append(masked - black)
    weights = torch.stack(increase).exp() / torch.stack(increase).exp().sum()
    return sum(weight * channel for weight, channel in zip(weights, activation, strict=True))


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
