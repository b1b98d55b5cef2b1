"""How one model is trained."""

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Setting:
    """How one model is trained.

    Attributes:
        data: Name of the data set.
        data_options: Its options, as pairs.
        network: ``"mlp"``, or ``"cnn"`` of two convolutions.
        hidden: Widths of the hidden layers of an MLP.
        paper_init: Weights and biases 0.1 N(0, 1), and no shuffling; else PyTorch's own.
        epochs: Number of epochs.
        batch_size: Rows of a batch.
        weight: λ, for losses averaged over the batch; on inputs 0..255 the paper's.
        loss: Name of the explanation loss, see ``losses.py``.
        relevant: Masks mark the ink outside the block, for losses of what is relevant.
        decay: λ₂, the paper's penalty of the squares of all parameters, for sums over a batch.
        found: Number of models that find-another-explanation adds to the first.
        weights: λ of each of those models, where it is not ``weight``; the first one has none.
        switch_on: Share of the epochs before the explanation loss is switched on.
        data_seed: Seed of the data; None is the seed of the run.
    """

    data: str
    data_options: tuple[tuple[str, Any], ...] = ()
    network: str = "mlp"
    hidden: tuple[int, ...] = (50, 30)
    paper_init: bool = True
    epochs: int = 64
    batch_size: int = 256
    weight: float = 0.0
    loss: str = "rrr"
    relevant: bool = False
    decay: float = 1e-4
    found: int = 0
    weights: tuple[float, ...] = ()
    switch_on: float = 0.0
    data_seed: int | None = None

    def but(self, data_options: dict[str, Any] | None = None, **changes: Any) -> "Setting":
        """Return a setting with changes; data options are added to those there are."""
        options = {**dict(self.data_options), **(data_options or {})}
        return replace(self, data_options=tuple(options.items()), **changes)
