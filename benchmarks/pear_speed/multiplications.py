"""How many multiplications a training step takes."""

from itertools import pairwise

from benchmarks.shared.shape import Shape

POINTS = {"authors": 21, "paper": 21, "default": 6, "default_compiled": 6, "paper_compiled": 21}


def multiplications(shape: Shape, variant: str) -> int:
    """Count the multiply-adds of a training step's matrix products.

    A pass of one row through the network takes W, the number of weights. A plain step takes W
    forward, W for the gradients of the weights, and W less the first layer for those of the
    activations. A query point takes W forward and W for its gradient; training through the
    gradient takes W each for the weights and for the incoming gradients (but the last layer's,
    which is a constant), and the same as a plain step's backward through the forward pass.

    Args:
        shape: Network and batch.
        variant: Key of :data:`benchmarks.pear_speed.steps.VARIANTS`.

    Returns:
        The number for one batch.
    """
    widths = (shape.in_features, *shape.hidden, 2)
    layers = [a * b for a, b in pairwise(widths)]
    weights = sum(layers)
    plain = 3 * weights - layers[0]
    point = 2 * weights + (2 * weights - layers[-1]) + (2 * weights - layers[0])
    per_row = plain if variant == "plain" else POINTS[variant] * point
    if variant == "authors":
        per_row += plain  # the task loss has a forward pass of its own
    return per_row * shape.batch_size
