"""Base class of modules that train a network on the outputs of a given model."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from pear_lightning.modules.base import ExplainedModule, adamw
from pear_lightning.scoring.scorer import Forward
from pear_lightning.training.progress import steps_so_far
from pear_lightning.training.reference_data import fit_references
from pear_lightning.training.target_model import TargetModel


class TargetModelModule(ExplainedModule):
    """Base class of modules that train a network on the outputs of a given model f.

    f is any callable from inputs to logits. It runs in eval mode and without gradients, and it
    belongs neither to the optimised parameters nor to the checkpoint.

    Args:
        target_model: f; ``None`` if it is not evaluated.
        backbone: The network that is trained.
        optimizer: Callable from parameters to an optimiser.
        lr_scheduler: Callable from the optimiser to a scheduler, stepped once per epoch.

    Raises:
        TypeError: If an argument is of the wrong type.
    """

    not_hyperparameters: ClassVar[tuple[str, ...]] = (
        *ExplainedModule.not_hyperparameters,
        "target_model",
        "network",
        "masker",
    )

    def __init__(
        self,
        target_model: nn.Module | Callable[..., Tensor] | None,
        backbone: nn.Module,
        *,
        optimizer: OptimizerCallable = adamw,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__(backbone, optimizer=optimizer, lr_scheduler=lr_scheduler)
        self._held: list[TargetModel] = []
        self._target = self.hold(target_model, "target_model")

    def hold(self, model: Forward | None, name: str) -> TargetModel:
        """Hold a model that is evaluated, and neither trained nor saved, on the module's device.

        Args:
            model: f, or another model that the method needs; may be ``None``.
            name: Name of the argument, for error messages.
        """
        self._held.append(TargetModel(model, name))
        return self._held[-1]

    @property
    def target_model(self) -> Forward:
        """The given model f.

        Raises:
            ValueError: If none was given.
        """
        return self._target.forward

    @property
    def step_seed(self) -> int:
        """Seed of a training step, the same after a resume; 0 outside of a fit."""
        trainer = self.attached_trainer
        return 0 if trainer is None or not trainer.training else 1 + steps_so_far(trainer)

    # --- evaluation -----------------------------------------------------------------------------

    @abstractmethod
    def evaluate(self, batch: Any) -> tuple[dict[str, Tensor], int]:
        """Return the loss of a batch of validation or test with its parts, and the number of rows.

        Args:
            batch: A batch of the data loader.
        """

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Log the loss and its parts, with the same random numbers in every epoch.

        Args:
            batch: See the class.
            batch_idx: Not used.
            dataloader_idx: Not used.
        """
        self._log_evaluation("val", batch)

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Log the loss and its parts.

        Args:
            batch: See the class.
            batch_idx: Not used.
            dataloader_idx: Not used.
        """
        self._log_evaluation("test", batch)

    def _log_evaluation(self, stage: str, batch: Any) -> None:
        parts, rows = self.evaluate(batch)
        for name, value in parts.items():
            self.log(
                f"{stage}_{name}",
                value,
                prog_bar=name == "loss",
                batch_size=rows,
                sync_dist=True,
            )

    # --- hooks ----------------------------------------------------------------------------------

    def on_fit_start(self) -> None:
        """Prepare the given model, and fit reference data to the training split."""
        super().on_fit_start()
        self._prepare_models()
        fit_references(self, afresh=self.trainer.ckpt_path is None)

    def on_validation_start(self) -> None:
        """Prepare the given model."""
        super().on_validation_start()
        self._prepare_evaluation()

    def on_test_start(self) -> None:
        """Prepare the given model."""
        super().on_test_start()
        self._prepare_evaluation()

    def _prepare_evaluation(self) -> None:
        if self.trainer.state.fn != "fit":
            self._prepare_models()
            fit_references(self)

    def _prepare_models(self) -> None:
        for model in self._held:
            model.prepare(self.trainer, self.device)
