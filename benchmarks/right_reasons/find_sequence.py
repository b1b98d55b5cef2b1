"""Find another explanation, going on where its rule would end the sequence."""

import time
from typing import Any

from torch import Tensor
from typing_extensions import override

from benchmarks.right_reasons.gradients import CUTOFF
from benchmarks.right_reasons.losses import make_loss
from benchmarks.right_reasons.module import draw_as_paper, make_backbone, make_optimizer
from benchmarks.right_reasons.setting import Setting
from benchmarks.shared.quiet_trainer import quiet_trainer, silence_lightning
from pear_lightning.modules import FindAnotherExplanation


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
    def training_loss(self, batch: Any) -> dict[str, Tensor]:
        parts = super().training_loss(batch)
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
        self._steps = 0
        self._ratio = 0.0
        self._start = time.process_time()


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
    silence_lightning()
    trainer = quiet_trainer(accelerator="cpu", max_epochs=(setting.found + 1) * setting.epochs)
    trainer.fit(module, data)
    return module
