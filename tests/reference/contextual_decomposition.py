"""CDEP (Rieger et al., 2020), one value at a time, for networks of linear layers and ReLUs."""

import torch


def decompose(layers, beta, gamma):
    """β and γ of the logits; layers are (w, b), a ReLU between any two."""
    for number, (w, b) in enumerate(layers):
        betas, gammas = [], []
        for row, bias in zip(w, b, strict=True):
            rel, irrel = (row * beta).sum(), (row * gamma).sum()
            size = rel.abs() + irrel.abs()
            betas.append(rel + bias * rel.abs() / size)
            gammas.append(irrel + bias * irrel.abs() / size)
        beta, gamma = torch.stack(betas), torch.stack(gammas)
        if number < len(layers) - 1:
            beta, gamma = beta.relu(), (beta + gamma).relu() - beta.relu()
    return beta, gamma


def cdep(layers, x, mask, centred=False):
    """Mean over examples and classes of softmax([β, γ])[β], or of |β|, |γ| of centred logits."""
    if centred:
        w, b = layers[-1]
        layers = [*layers[:-1], (w - w.mean(dim=0), b - b.mean())]
    values = []
    for x_n, a_n in zip(x, mask, strict=True):
        beta, gamma = decompose(layers, a_n * x_n, x_n - a_n * x_n)
        if centred:
            beta, gamma = beta.abs(), gamma.abs()
        for b, c in zip(beta, gamma, strict=True):
            values.append(torch.softmax(torch.stack([b, c]), 0)[0])
    return sum(values) / len(values)
