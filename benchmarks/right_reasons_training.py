"""Training for the right-reasons benchmark: the library's module, without the Trainer's loop.

The data are one tensor and batches are slices of it; a step of a small network takes about a
millisecond, and the Trainer's bookkeeping as long again. The steps are those of the Trainer with
the same data module, number for number: ``tests/benchmarks/test_right_reasons.py`` compares.
"""

from typing import Any

import torch
from right_reasons_losses import make_loss
from right_reasons_settings import Setting
from torch import Tensor, nn

from pear_lightning.datamodules import (
    DecoyDigits,
    DecoyMNIST,
    IrisCancer,
    ToyColors,
    TwentyNewsgroups,
)
from pear_lightning.explainers import Explainer, explain
from pear_lightning.explainers.gradient import Gradient
from pear_lightning.modules import RightForTheRightReasons
from pear_lightning.modules.penalty_weight import PenaltyWeight
from pear_lightning.nn import MLP

CUTOFF = 0.67
_DATA: dict[Any, Any] = {}


def make_data(setting: Setting, seed: int, data_dir: str | None, **more: Any) -> Any:
    """Return the data of a setting, set up; the last ones are kept for the next run."""
    key = (setting.data, setting.data_options, setting.data_seed, tuple(more.items()))
    key += (seed if setting.data_seed is None else None, setting.batch_size, setting.paper_init)
    if key not in _DATA:
        if len(_DATA) > 1:
            _DATA.clear()
        folder = {} if setting.data in ("iris", "digits", "toy") else {"data_dir": data_dir}
        cls: Any = {
            "iris": IrisCancer,
            "digits": DecoyDigits,
            "toy": ToyColors,
            "news": TwentyNewsgroups,
            "mnist": DecoyMNIST,
        }[setting.data]
        options = {**dict(setting.data_options), **folder, **more}
        data = cls(
            seed=seed if setting.data_seed is None else setting.data_seed,
            batch_size=setting.batch_size,
            shuffle=not setting.paper_init,
            **options,
        )
        data.setup()
        _DATA[key] = data
    return _DATA[key]


def make_module(setting: Setting, data: Any, seed: int) -> RightForTheRightReasons:
    """Return a new network in the library's module."""
    torch.manual_seed(seed)
    width = data.rows("train").inputs[0].numel()
    backbone = MLP(width, data.num_classes, setting.hidden)
    if setting.paper_init:
        for parameter in backbone.parameters():
            nn.init.normal_(parameter, std=0.1)
    # λ₂ Σ θ² beside losses summed over the batch, as Adam's weight decay beside their means
    rows = min(setting.batch_size, len(data.rows("train")))
    module = RightForTheRightReasons(
        backbone,
        setting.weight,
        make_loss(setting.loss),
        num_classes=data.num_classes,
        optimizer=lambda parameters: torch.optim.Adam(
            parameters, 1e-3, weight_decay=2 * setting.decay / rows, fused=True
        ),
    )
    for explainer in module.modules():
        if isinstance(explainer, Explainer) and explainer.uses_training_data:
            explainer.fit_reference(data.training_mean, data.training_rows(1024))
    return module


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
    weight, steps, ratio = module.weight, 0, 0.0
    module.train()
    for epoch in range(epochs):
        module.weight = PenaltyWeight(0.0) if epoch < switch_on * epochs else weight
        order = None
        if data.shuffle:
            sampler.set_epoch(epoch)
            order = torch.tensor(list(sampler))
        for first in range(0, len(rows), size):
            part: Any = slice(first, first + size)
            if order is not None:
                part = order[part]
            parts = module.training_loss(rows.inputs[part], rows.target[part], rows.mask[part])
            optimizer.zero_grad()
            parts["loss"].backward()
            optimizer.step()
            steps += 1
            if not ratio and "ratio" in parts:
                ratio = float(parts["ratio"])
    module.weight = weight
    return {"steps": steps, "first_ratio": ratio}


@torch.no_grad()
def predict(backbone: nn.Module, inputs: Tensor) -> Tensor:
    """Return the predicted classes ``(N,)``."""
    return torch.cat([backbone(rows).argmax(dim=1) for rows in inputs.split(2000)])


def gradients(backbone: nn.Module, inputs: Tensor) -> Tensor:
    """Return the gradient of the predicted class's log-probability, ``(N, *S)``.

    In float64: a network on inputs from 0 to 255 is so sure that float32 loses p beside 1.

    Args:
        backbone: The network.
        inputs: Inputs, ``(N, *S)``.
    """
    dtype = next(backbone.parameters()).dtype
    backbone.double()
    target = torch.zeros(len(inputs), dtype=torch.long)  # the output chooses the class
    found = [
        explain(backbone, rows.double(), target[: len(rows)], [Gradient()], output="max_log_prob")[
            1
        ][0].detach()
        for rows in inputs.split(2000)
    ]
    backbone.to(dtype)
    return torch.cat(found)


def looked_at(gradient: Tensor, cutoff: float = CUTOFF) -> Tensor:
    """Mark what matters: above a share of the sample's own largest absolute gradient.

    Args:
        gradient: ``(N, n)``; a row of zeros marks nothing.
        cutoff: The share.
    """
    size = gradient.abs()
    return size > cutoff * size.amax(dim=1, keepdim=True)
