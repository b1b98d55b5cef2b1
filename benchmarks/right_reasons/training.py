"""Training for the right-reasons benchmark, in the library's modules.

One model is trained without the Trainer's loop: the data are one tensor and batches are slices of
it; a step of a small network takes about a millisecond, and the Trainer's bookkeeping as long
again. The steps are those of the Trainer with the same data module, number for number:
``tests/benchmarks/right_reasons/test_training.py`` compares. Find-another-explanation runs in the
Trainer.
"""

from typing import Any

import torch

from pear_lightning.modules import RightForTheRightReasons
from pear_lightning.training import ConstantWeight


def fit(
    module: RightForTheRightReasons, data: Any, epochs: int, switch_on: float = 0.0
) -> dict[str, float]:
    """Train a module.

    Args:
        module: The module.
        data: The data module.
        epochs: Number of epochs.
        switch_on: Share of the epochs before the explanation loss is switched on.

    Returns:
        Number of steps, and the ratio of explanation loss to task loss at the first step with one.
    """
    rows, size = data.rows("train"), data.batch_size
    sampler = data.train_dataloader().sampler
    optimizer = module.make_optimizer()
    schedule, off = module.objective.schedule, ConstantWeight(0.0)
    steps, ratio = 0, 0.0
    module.train()
    for epoch in range(epochs):
        module.objective.schedule = off if epoch < switch_on * epochs else schedule
        order = None
        if data.shuffle:
            sampler.set_epoch(epoch)
            order = torch.tensor(list(sampler))
        for first in range(0, len(rows), size):
            part: Any = slice(first, first + size)
            if order is not None:
                part = order[part]
            parts = module.training_loss((rows.inputs[part], rows.target[part], rows.mask[part]))
            optimizer.zero_grad()
            parts["loss"].backward()
            optimizer.step()
            steps += 1
            if not ratio and "ratio" in parts:
                ratio = float(parts["ratio"])
    module.objective.schedule = schedule
    return {"steps": steps, "first_ratio": ratio}
