"""A network and random data that can be learned."""

from collections.abc import Iterator
from itertools import cycle

import torch
from torch import Tensor, nn

from benchmarks.shared.shape import Shape
from pear_lightning.explainers import Explainer
from pear_lightning.nn import MLP

TRAIN_ROWS = 8192  # about as many as Bank Marketing has

SHAPES = (
    Shape("MLP 8-100-100-100-2, batch 64", 8, (100, 100, 100), 64),
    Shape("MLP 8-100-100-100-2, batch 256", 8, (100, 100, 100), 256),
    Shape("MLP 8-100-100-100-2, batch 1024", 8, (100, 100, 100), 1024),
    Shape("MLP 64-1024-1024-1024-2, batch 256", 64, (1024, 1024, 1024), 256),
)


class Problem:
    """Random rows in [0, 1] with a target that can be learned, in batches."""

    def __init__(self, shape: Shape, device: str, n_rows: int = TRAIN_ROWS) -> None:
        generator = torch.Generator().manual_seed(0)
        inputs = torch.rand(n_rows, shape.in_features, generator=generator, dtype=torch.float64)
        teacher = torch.randn(shape.in_features, generator=generator, dtype=torch.float64)
        score = (inputs - 0.5) @ teacher + (3 * inputs[:, 0]).sin() - 0.8
        self.shape = shape
        self.device = device
        self.inputs = inputs.to(device)
        self.target = (score > score.median()).long().to(device)

    def network(self) -> MLP:
        """Return a network with the same weights every time."""
        torch.manual_seed(0)
        return MLP(self.shape.in_features, hidden_features=self.shape.hidden).to(self.device)

    def fit_explainers(self, module: nn.Module) -> None:
        """Give the rows to all explainers in a module, for their baselines."""
        inputs = self.inputs.float()
        for each in module.modules():
            if isinstance(each, Explainer):
                each.fit_reference(inputs.mean(0), inputs)

    def batches(self, dtype: torch.dtype) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches without end."""
        rows = self.inputs.to(dtype).split(self.shape.batch_size)
        return cycle(list(zip(rows, self.target.split(self.shape.batch_size), strict=True)))
