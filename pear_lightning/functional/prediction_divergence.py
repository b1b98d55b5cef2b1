"""How far predictions are from those of another model."""

from torch import Tensor

from pear_lightning.functional.validation import at_least_float32


def prediction_divergence(wanted: Tensor, logits: Tensor, name: str = "network") -> Tensor:
    r"""Return the KL divergence of predicted classes; the squared error for models of one output.

    .. math:: KL(f \,\|\, q) = \sum_c f_c (\log f_c - \log q_c)

    Args:
        wanted: Logits of the model f, ``(B, C)``.
        logits: Logits of q, ``(..., B, C)``.
        name: Name of the argument that holds q, for error messages.

    Returns:
        ``(..., B)``, float32 or better.

    Raises:
        ValueError: If the numbers of outputs differ.

    Example:
        >>> import torch
        >>> wanted = torch.tensor([[0.0, 0.0]])
        >>> prediction_divergence(wanted, torch.tensor([[[0.0, 0.0]], [[2.0, 0.0]]])).flatten()
        tensor([0.0000, 0.4338])
    """
    if wanted.shape[-1] != logits.shape[-1]:
        raise ValueError(
            f"{name} must have the {wanted.shape[-1]} outputs of the target_model, got "
            f"{logits.shape[-1]}"
        )
    wanted, logits = at_least_float32(wanted), at_least_float32(logits)
    if wanted.shape[-1] == 1:
        return (logits - wanted).square()[..., 0]
    log_f, log_q = wanted.log_softmax(dim=-1), logits.log_softmax(dim=-1)
    return (log_f.exp() * (log_f - log_q)).sum(dim=-1)
