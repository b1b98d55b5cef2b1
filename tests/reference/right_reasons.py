"""Right for the Right Reasons (Ross et al., 2017) and its relatives, sample by sample."""

import torch
from torch.nn import functional as F  # noqa: N812


def input_gradient(model, x, y, scalar):
    """∂/∂x of a scalar of the log-probabilities of one sample, differentiable again."""
    x = x.detach().clone().requires_grad_()
    z = model(x[None])[0]
    log_p = F.log_softmax(z, dim=0)
    value = {
        "sum_log_prob": log_p.sum(),
        "log_prob": log_p[y],
        "max_log_prob": log_p.max(),
        "max_prob": log_p.exp().max(),
        "max_logit": z.max(),
        "logit": z[y],
        "sum_logit": z.sum(),
    }[scalar]
    return torch.autograd.grad(value, x, create_graph=True)[0]


def right_reasons(model, x, y, mask):
    """The paper's sum: Σ_n Σ_d (A_nd ∂/∂x_nd Σ_k log p_nk)²."""
    total = 0
    for x_n, y_n, a_n in zip(x, y, mask, strict=True):
        g = input_gradient(model, x_n, y_n, "sum_log_prob").flatten()
        for d, a in enumerate(a_n.flatten()):
            total = total + (a * g[d]) ** 2
    return total


def cdep_rrr(model, x, y, mask):
    """Gradient of the mean NLL of the label, summed over channels, masked, squared, summed."""
    x = x.detach().clone().requires_grad_()
    nll = F.nll_loss(F.log_softmax(model(x), dim=1), y)
    g = torch.autograd.grad(nll, x, create_graph=True)[0]
    return (g.sum(1) * mask).square().sum()


def reveal2revise_cosine(model, x, y, mask, scalar):
    """Mean cosine similarity of |Σ_c g| and the mask."""
    values = []
    for x_n, y_n, a_n in zip(x, y, mask, strict=True):
        g = input_gradient(model, x_n, y_n, scalar).sum(0).abs().flatten()
        values.append(F.cosine_similarity(g, a_n.flatten(), dim=0))
    return sum(values) / len(values)


def robust_mlx(model, x, y, mask):
    """Σ of per-example L2 norms of the masked gradient of the sum of logits."""
    total = 0
    for x_n, y_n, a_n in zip(x, y, mask, strict=True):
        total = total + (a_n * input_gradient(model, x_n, y_n, "sum_logit")).norm()
    return total


def double_backpropagation(model, x, y):
    """Mean over the samples of ‖∇_x CE‖²."""
    total = 0
    for x_n, y_n in zip(x, y, strict=True):
        total = total + input_gradient(model, x_n, y_n, "log_prob").square().sum()
    return total / len(x)


def gini(v):
    """mean_ij |v_i − v_j| / (2 mean v)."""
    differences = [abs(a - b) for a in v for b in v]
    return sum(differences) / len(differences) / (2 * sum(v) / len(v))


def total_variation(phi):
    """mean |φ_{i+1,j} − φ_{i,j}| + mean |φ_{i,j+1} − φ_{i,j}| of images (B, H, W)."""
    n, height, width = phi.shape
    down = [abs(phi[b, i + 1, j] - phi[b, i, j])
            for b in range(n) for i in range(height - 1) for j in range(width)]  # fmt: skip
    right = [abs(phi[b, i, j + 1] - phi[b, i, j])
             for b in range(n) for i in range(height) for j in range(width - 1)]  # fmt: skip
    return sum(down) / len(down) + sum(right) / len(right)


def graph_roughness(v, adjacency):
    """v^T L v with the Laplacian L = D - W written out."""
    n = len(v)
    total = 0
    for i in range(n):
        for j in range(n):
            degree = sum(adjacency[i, k] for k in range(n)) if i == j else 0
            total = total + v[i] * (degree - adjacency[i, j]) * v[j]
    return total


def energy(phi, box):
    """Mean over the samples of 1 − (positive attribution inside) / (all positive attribution)."""
    values = []
    for phi_n, box_n in zip(phi, box, strict=True):
        positive = phi_n.clamp(min=0)
        values.append(1 - (positive * box_n).sum() / positive.sum())
    return sum(values) / len(values)


def pgd(model, x, y, mask, eps, steps):
    """Sign-gradient ascent of the cross-entropy inside ±eps·mask, in steps of eps/steps."""
    delta = torch.zeros_like(x)
    for _ in range(steps):
        moved = (x + delta).detach().requires_grad_()
        gradient = torch.autograd.grad(F.cross_entropy(model(moved), y), moved)[0]
        delta = delta + eps / steps * gradient.sign()
        delta = torch.minimum(torch.maximum(delta, -eps * mask), eps * mask)
    return x + delta
