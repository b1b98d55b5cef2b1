"""Training for the right-reasons benchmark, in the library's modules.

One model is trained without the Trainer's loop: the data are one tensor and batches are slices of
it; a step of a small network takes about a millisecond, and the Trainer's bookkeeping as long
again. The steps are those of the Trainer with the same data module, number for number:
``tests/benchmarks/right_reasons/test_training.py`` compares. Find-another-explanation runs in the
Trainer.
"""

import logging
import time
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn
from typing_extensions import override

from benchmarks.right_reasons.losses import make_loss
from benchmarks.right_reasons.settings import Setting
from pear_lightning.datamodules import (
    DecoyDigits,
    DecoyMNIST,
    IrisCancer,
    ToyColors,
    TwentyNewsgroups,
)
from pear_lightning.explainers import Explainer, explain
from pear_lightning.explainers.gradient import Gradient
from pear_lightning.modules import FindAnotherExplanation, RightForTheRightReasons
from pear_lightning.nn import MLP
from pear_lightning.training.penalty_weight import PenaltyWeight

CUTOFF = 0.67
_DATA: dict[Any, Any] = {}


def make_data(setting: Setting, seed: int, data_dir: str | None, **more: Any) -> Any:
    """Return the data of a setting, set up; the last ones are kept for the next run."""
    key = (setting.data, setting.data_options, setting.data_seed, tuple(more.items()))
    key += (seed if setting.data_seed is None else None, setting.batch_size, setting.paper_init)
    key += (setting.relevant,)
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
        if setting.relevant:
            rows = data.rows("train")
            rows.mask = (rows.inputs > 0) & ~rows.mask
        _DATA[key] = data
    return _DATA[key]


def make_backbone(setting: Setting, data: Any, seed: int) -> nn.Module:
    """Return a new network."""
    torch.manual_seed(seed)
    width = data.rows("train").inputs[0].numel()
    backbone = (
        small_cnn() if setting.network == "cnn" else MLP(width, data.num_classes, setting.hidden)
    )
    if setting.paper_init:
        draw_as_paper(backbone)
    return backbone


def small_cnn() -> nn.Module:
    """Return a convolutional network on patches of 4 x 4 pixels; layer 3 is its last map, 7 x 7."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 4, stride=4),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 49, 10),
    )


def draw_as_paper(backbone: nn.Module) -> None:
    """Draw weights and biases as the paper does, 0.1 N(0, 1)."""
    for parameter in backbone.parameters():
        nn.init.normal_(parameter, std=0.1)


def make_optimizer(setting: Setting, data: Any) -> OptimizerCallable:
    """Return what makes the optimiser: Adam, with the paper's λ₂ Σ θ².

    Beside losses summed over the batch it is what Adam's weight decay is beside their means.
    """
    rows = min(setting.batch_size, len(data.rows("train")))
    return lambda parameters: torch.optim.Adam(
        parameters, 1e-3, weight_decay=2 * setting.decay / rows, fused=True
    )


def make_module(setting: Setting, data: Any, seed: int) -> RightForTheRightReasons:
    """Return a new network in the library's module."""
    module = RightForTheRightReasons(
        make_backbone(setting, data, seed),
        setting.weight,
        make_loss(setting.loss),
        num_classes=data.num_classes,
        optimizer=make_optimizer(setting, data),
    )
    for explainer in module.modules():
        if isinstance(explainer, Explainer) and explainer.uses_training_data:
            explainer.fit_reference(data.training_mean, data.training_rows(1024))
    return module


class WholeSequence(FindAnotherExplanation):
    """Find another explanation, going on where its rule would end the sequence.

    Attributes:
        notes: Of each model in turn: ``steps``, ``first_ratio`` (of explanation loss to task loss,
            at the first step with both), ``train_cpu_seconds``, the module's own judgement, and
            ``refused``, why its rule would not accept the model.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.notes: list[dict[str, Any]] = []
        self._start_note()

    @override
    def training_loss(
        self, inputs: Tensor, target: Tensor, mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        parts = super().training_loss(inputs, target, mask)
        self._steps += 1
        if not self._ratio and "reasons" in parts:
            loss, task_loss = parts["loss"].item(), parts["task_loss"].item()
            self._ratio = loss / task_loss - 1
        return parts

    @override
    def refusal(self, number: int) -> str | None:
        refused = super().refusal(number)
        self.notes.append(
            {
                "steps": self._steps,
                "first_ratio": self._ratio,
                "train_cpu_seconds": round(time.process_time() - self._start, 2),
                "accuracy": self.accuracies[number],
                "similarities": self.similarities[number],
                "refused": refused,
            }
        )
        self._start_note()
        return None

    def _start_note(self) -> None:
        self._steps, self._ratio, self._start = 0, 0.0, time.process_time()


def find_sequence(setting: Setting, data: Any, seed: int) -> WholeSequence:
    """Train a sequence of models by find-another-explanation.

    Args:
        setting: How to train.
        data: The data module, without annotations.
        seed: Seed of the networks.

    Returns:
        The trained module.
    """
    weights = [0.0, *setting.weights] if setting.weights else [setting.weight]
    module = WholeSequence(
        make_backbone(setting, data, seed),
        weights,
        make_loss(setting.loss),
        max_models=setting.found + 1,
        epochs_per_model=setting.epochs,
        cutoff=CUTOFF,
        initialize=draw_as_paper if setting.paper_init else None,
        num_classes=data.num_classes,
        optimizer=make_optimizer(setting, data),
    )
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=(setting.found + 1) * setting.epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, data)
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
