"""The module of a run, trained."""

from typing import Any

import torch

from benchmarks.images_text.data import masker_of
from benchmarks.images_text.networks import network_of
from benchmarks.images_text.settings import CLASSES, LEAST_ROWS, NODES, Method, Problem
from benchmarks.shared.quiet_trainer import quiet_trainer
from pear_lightning.explainers import InputXGradient, IntegratedGradients
from pear_lightning.modules import PEAR


def make_module(problem: Problem, data: Any, method: Method) -> PEAR:
    """Return the module of a run, not trained yet; plain training is PEAR with weight 0.

    Args:
        problem: The problem.
        data: Its data module.
        method: How it is trained.
    """

    def optimizer(parameters: Any) -> torch.optim.Optimizer:
        wanted = [each for each in parameters if each.requires_grad]
        return torch.optim.AdamW(wanted, problem.learning_rate, weight_decay=0.01)

    def cosine(optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, problem.epochs)

    pair = {
        "input_x_gradient": InputXGradient(),
        "integrated_gradients": IntegratedGradients(NODES, baseline="zeros"),
    }
    return PEAR(
        network_of(problem),
        method.weight,
        explainers=pair,
        test_explainers=pair,
        masker=masker_of(problem, data),
        rows=max(LEAST_ROWS, round(method.rows * problem.batch_size)),
        num_classes=CLASSES[problem.data],
        optimizer=optimizer,
        lr_scheduler=cosine,
    )


def train(module: PEAR, data: Any, problem: Problem, max_epochs: int | None = None) -> int:
    """Train a module and return the number of its steps.

    Args:
        module: The module.
        data: The data module.
        problem: The problem.
        max_epochs: Upper limit on the epochs, for a trial.
    """
    trainer = quiet_trainer(
        max_epochs=min(problem.epochs, max_epochs or problem.epochs),
        accelerator="cpu",
        limit_train_batches=min(problem.steps, len(data.train_dataloader())),
        limit_val_batches=0,
    )
    trainer.fit(module, data)
    return int(trainer.global_step)
