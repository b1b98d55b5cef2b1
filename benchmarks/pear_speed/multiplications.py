"""How many multiplications a training step takes."""

from itertools import pairwise

from benchmarks.shared.shape import Shape

POINTS = {"authors": 21, "paper": 21, "paper_compiled": 21} | dict.fromkeys(
    ("default", "default_compiled", "default_graphs"), 6
)


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
    plain, point = _of_row(shape)
    per_row = plain if variant == "plain" else POINTS[variant] * point
    if variant == "authors":
        per_row += plain  # the task loss has a forward pass of its own
    return per_row * shape.batch_size


def amortised(
    shape: Shape, points: int, copies: int, rows: float | None = None, every: int = 1
) -> float:
    """Return the multiply-adds of a step of PEAR over those of a plain one, averaged over steps.

    A perturbed copy takes as many as a row of a plain step. With all rows, the task loss uses the
    logits of the explanation; otherwise it has a pass of its own.

    Args:
        shape: Network and batch.
        points: Query points of each explained sample.
        copies: Perturbed copies of each explained sample, itself included.
        rows: Share of the rows that are explained; ``None`` for all.
        every: Distance of the steps with an explanation.
    """
    plain, point = _of_row(shape)
    explained = points * point / plain + copies
    with_explanation = explained if rows is None else 1 + rows * explained
    return (with_explanation + every - 1) / every


def _of_row(shape: Shape) -> tuple[int, int]:
    """Return the multiply-adds of a row of a plain step, and of a query point of a row."""
    widths = (shape.in_features, *shape.hidden, 2)
    layers = [a * b for a, b in pairwise(widths)]
    weights = sum(layers)
    plain = 3 * weights - layers[0]
    return plain, 2 * weights + (2 * weights - layers[-1]) + (2 * weights - layers[0])
