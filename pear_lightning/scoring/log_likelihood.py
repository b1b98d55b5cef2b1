"""The log-likelihood of the explained class."""

from torch import Tensor

from pear_lightning.functional.validation import at_least_float32
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.outputs import check_several_outputs


def log_likelihood(logits: Tensor, batch: Batch, model: str) -> Tensor:
    r"""Return ``log softmax(z)_y``.

    Args:
        logits: z, logits of a model at copies of the samples, ``(K, B, C)``.
        batch: The samples; their target is y.
        model: Name of the argument that holds the model.

    Returns:
        ``(K, B)``, float32 or better.

    Raises:
        ValueError: If the model has one output, or y is not one of its classes.

    Example:
        >>> import torch
        >>> batch = Batch(torch.rand(2, 3), torch.tensor([0, 1]))
        >>> log_likelihood(torch.zeros(1, 2, 2), batch, "predictor")
        tensor([[-0.6931, -0.6931]])
    """
    n_classes = logits.shape[2]
    check_several_outputs(model, n_classes)
    index = batch.classes_among(n_classes, model)[None, :, None].expand(len(logits), -1, 1)
    return at_least_float32(logits).log_softmax(dim=2).gather(2, index)[..., 0]
