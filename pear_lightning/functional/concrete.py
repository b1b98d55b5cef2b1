"""Relaxed discrete variables: the concrete (Gumbel-softmax) law."""

import torch
from torch import Tensor


def gumbel_softmax(logits: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    r"""Return relaxed draws of one category each.

    .. math:: y = \operatorname{softmax}\left( (\log p - \log(-\log u)) / τ \right)

    Args:
        logits: Logits of p, ``(..., n)``; minus infinity for categories that do not exist.
        uniform: Uniform numbers u in (0, 1), broadcastable.
        temperature: τ > 0; close to 0, a draw is nearly 1 for one category.

    Example:
        >>> draws = gumbel_softmax(torch.zeros(3), torch.rand(5, 3), 0.5)
        >>> draws.shape, bool(torch.allclose(draws.sum(dim=1), torch.ones(5)))
        (torch.Size([5, 3]), True)

    References:
        Jang, Gu, Poole, *Categorical Reparameterization with Gumbel-Softmax*, ICLR 2017,
        arXiv 1611.01144; Maddison, Mnih, Teh, *The Concrete Distribution*, ICLR 2017,
        arXiv 1611.00712.
    """
    return ((logits - (-uniform.log()).log()) / temperature).softmax(dim=-1)


def relaxed_bernoulli(
    logits: Tensor, uniform: Tensor, again: Tensor, temperature: float
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Return draws of independent Bernoulli variables, and two relaxations for REBAR.

    .. math:: z = σ((\operatorname{logit} p + \operatorname{logit} u) / τ), \qquad
              s = 1[z > 1/2], \qquad \tilde z \sim z | s

    Args:
        logits: Logits of p.
        uniform: Uniform numbers u in (0, 1), broadcastable.
        again: Further uniform numbers, for the conditional draw.
        temperature: τ > 0.

    Returns:
        s (0 or 1, without a graph), z, and the conditional relaxation, of one shape.

    Example:
        >>> hard, soft, conditional = relaxed_bernoulli(
        ...     torch.zeros(1000), torch.rand(1000), torch.rand(1000), 0.1
        ... )
        >>> all(bool(((each > 0.5) == hard.bool()).all()) for each in (soft, conditional))
        True

    References:
        Tucker, Mnih, Maddison, Lawson, Sohl-Dickstein, *REBAR*, NeurIPS 2017, arXiv 1703.07370,
        appendix on binary variables.
    """
    noisy = logits + uniform.logit()
    hard = (noisy > 0).to(noisy.dtype).detach()
    p = logits.sigmoid()
    # a uniform number given s: above 1 - p for s = 1, below it for s = 0
    conditional = torch.where(hard > 0, 1 - p + again * p, again * (1 - p))
    tiny = torch.finfo(conditional.dtype).eps
    given = logits + conditional.clamp(tiny, 1 - tiny).logit()
    return hard, (noisy / temperature).sigmoid(), (given / temperature).sigmoid()
