"""A model that a module evaluates and does not train, such as the explained one."""

from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.modules_behind import modules_behind
from pear_lightning.scoring.scorer import Forward


class TargetModel:
    """A holder of a given model that hides it from the module that uses it.

    A module registers every submodule that is assigned to it; its weights would then be optimised,
    saved in checkpoints and counted as its own. This holder is not a module, so they are not.

    Args:
        forward: The model; ``None`` if it is not needed.
        name: Name of the argument that holds the model, for error messages.

    Raises:
        TypeError: If the model is not callable.

    Example:
        >>> holder = TargetModel(torch.nn.Linear(3, 2))
        >>> holder.forward(torch.rand(4, 3)).shape
        torch.Size([4, 2])
    """

    def __init__(self, forward: Forward | None, name: str = "target_model") -> None:
        if forward is not None and not callable(forward):
            raise TypeError(
                f"{name} must be callable, a function or module that maps inputs to logits, got "
                f"{type(forward).__name__}"
            )
        self._forward = forward
        self.name = name

    @property
    def forward(self) -> Forward:
        """The model.

        Raises:
            ValueError: If there is none.
        """
        if self._forward is None:
            raise ValueError(
                f"{self.name} must be given for this step, which evaluates it, got None; pass "
                f"{self.name}=..."
            )
        return self._forward

    @property
    def is_given(self) -> bool:
        """Whether there is a model."""
        return self._forward is not None

    def prepare(self, trainer: Trainer, device: torch.device) -> None:
        """Move the model to a device; fit it if it is unfitted and not a network.

        A :class:`~pear_lightning.nn.SklearnClassifier` that is not fitted is fitted to the training
        split of the data module, the same on every rank.

        Args:
            trainer: A trainer that has set up its data.
            device: Device of the explainer.
        """
        for module in modules_behind(self._forward):
            module.to(device)
        model: Any = self._forward
        if getattr(model, "is_fitted", True):
            return
        datamodule: Any = trainer.datamodule  # type: ignore[attr-defined]
        if datamodule is None:
            raise ValueError(
                f"{self.name} must be fitted, or be given with a datamodule whose training split "
                f"it is fitted to, got an unfitted {type(model).__name__} and no datamodule"
            )
        # next to explanations a sample can occur several times, or not yet
        loader = getattr(datamodule, "sample_loader", datamodule.train_dataloader)
        with torch.random.fork_rng():
            rows = [Batch.of(batch) for batch in loader()]
        inputs, target = (torch.cat(each) for each in zip(*map(_pair, rows), strict=True))
        model.fit(inputs, target)


def _pair(batch: Batch) -> tuple[Tensor, Tensor]:
    return batch.inputs, batch.labels
