"""DiET: a copy of a model that predicts the same from a mask of its input."""

from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, distributed, nn

from pear_lightning.explainers import OptimizedMask
from pear_lightning.explainers.optimized_mask import masked_probabilities, probabilities
from pear_lightning.functional.validation import check_count
from pear_lightning.masking import BoundMasker, Masker
from pear_lightning.modules.base import adamw
from pear_lightning.modules.target_model_module import TargetModelModule
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.embedding import embedded_features
from pear_lightning.scoring.scorer import as_logits, logits_of
from pear_lightning.training.progress import counts_within_epoch, share_done

_ROUNDS = ((1.0, 0.40), (0.82, 0.32), (0.64, 0.24), (0.46, 0.16), (0.28, 0.08))
"""Weight w of the sparsity, and the number added to masks before rounding, in each round."""


class DiET(TargetModelModule):
    r"""Train a copy of a model to predict the same from a sparse mask of each input.

    .. math::
        \min_{θ, m} \; E_x \left[ w \, \frac{1}{n} \sum_i m_i(x)
        + \left\| f(x) - f_θ(x) \right\|_1
        + \left\| f_θ(x) - f_θ(m ⊙ x + (1 - m) ⊙ b) \right\|_1 \right]

    with the probabilities of all classes. In each step, the masks of the samples are improved for a
    few steps with a fixed :math:`f_θ`, and :math:`f_θ` learns from the rounded masks. Five rounds,
    equal parts of the training, lower w and round towards smaller masks. With data of unknown
    length, the training must have ``max_steps``, or at least five epochs.

    This is not an amortised explainer, but the comparison with them: there is no explainer network,
    and the explanation of a new sample is an optimisation (:attr:`explainer`,
    :class:`~pear_lightning.explainers.OptimizedMask`). **It explains the copy** :math:`f_θ`, not f:
    say which of the two a metric evaluates.

    Args:
        target_model: The given model f; it is neither trained nor saved.
        network: :math:`f_θ`, which starts as a copy of f.
        masker: Defines the features and their values when removed.
        mask_steps: Number of steps of the masks for each step of the network.
        explanation_steps: Number of steps of the mask of a new sample.
        mask_learning_rate: Learning rate of the masks.
        optimizer: Callable from parameters to an optimiser.
        lr_scheduler: Callable from the optimiser to a scheduler.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If a number is out of range.

    Shapes:
        - batch: any form that :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads
        - saliency: ``(B, n)`` in [0, 1]

    Example:
        >>> from copy import deepcopy
        >>> from lightning.pytorch import Trainer
        >>> from pear_lightning.explainers import explain
        >>> from pear_lightning.masking import ColumnMasker
        >>> from pear_lightning.nn import MLP
        >>> f, rows = MLP(6), torch.randn(64, 6)  # f has been trained before
        >>> model = DiET(f, deepcopy(f), ColumnMasker(6), mask_steps=2)
        >>> trainer = Trainer(max_epochs=1, accelerator="cpu", logger=False,
        ...                   enable_checkpointing=False, enable_progress_bar=False,
        ...                   enable_model_summary=False)
        >>> trainer.fit(model, torch.utils.data.DataLoader(rows, batch_size=32))
        >>> _, (masks,) = explain(model.backbone, rows[:4], 0, [model.explainer])
        >>> masks.shape
        torch.Size([4, 6])

    References:
        Bhalla, Srinivas, Lakkaraju, *Discriminative Feature Attributions: Bridging Post Hoc
        Explainability and Inherent Interpretability* (DiET; VerT in version 1), NeurIPS 2023,
        arXiv 2307.15007.

    Deviations from the paper:
        Steps of masks and network alternate within a batch instead of running to convergence; Adam
        for the masks; any masker and baseline. Masks are kept for each training sample.

    Attributes:
        progress: Share of the training that is done, in [0, 1], for the rounds; a callback sets it
            if the trainer ends for another reason than ``max_epochs`` or ``max_steps``.
    """

    def __init__(
        self,
        target_model: nn.Module | Callable[..., Tensor] | None,
        network: nn.Module,
        masker: Masker,
        mask_steps: int = 5,
        explanation_steps: int = 100,
        mask_learning_rate: float = 0.1,
        *,
        optimizer: OptimizerCallable = adamw,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        if not isinstance(network, nn.Module):
            raise TypeError(f"network must be a torch.nn.Module, got {network!r}")
        check_count("mask_steps", mask_steps)
        super().__init__(target_model, network, optimizer=optimizer, lr_scheduler=lr_scheduler)
        self.mask_steps = mask_steps
        self.explainer = OptimizedMask(
            masker, explanation_steps, mask_learning_rate, sparsity_weight=_ROUNDS[-1][0]
        )
        self.progress: float | None = None
        self._masks: dict[int, Tensor] = {}  # of the training samples, by their seeds
        self._improved: dict[int, Tensor] = {}  # in this process, since the last exchange

    def forward(self, inputs: Tensor, **kwargs: Any) -> Tensor:
        """Return logits ``(B, C)`` of the copy.

        Args:
            inputs: Inputs, ``(B, *S)``.
            **kwargs: Further arguments of the network.
        """
        logits: Tensor = self.backbone(inputs, **kwargs)
        return logits

    @property
    def round(self) -> int:
        """Number of the round, 0 to 4."""
        trainer = self.attached_trainer
        if trainer is None or not trainer.training:
            return len(_ROUNDS) - 1
        done = share_done(trainer) if self.progress is None else self.progress
        return min(int((done or 0.0) * len(_ROUNDS)), len(_ROUNDS) - 1)

    def loss(self, batch: Batch, masks: Tensor) -> dict[str, Tensor]:
        """Return the two terms of the network's loss, and their sum.

        Args:
            batch: The samples.
            masks: m, ``(B, n)``.

        Returns:
            ``loss``; ``same_loss``, the distance to f; and ``masked_loss``, the distance between
            masked and whole samples.
        """
        with torch.autocast(batch.inputs.device.type, enabled=False):
            wanted = probabilities(logits_of(self._target.forward, batch))
        whole = probabilities(
            as_logits(self.backbone(batch.inputs, **batch.forward_kwargs), len(batch))
        )
        read, bound = embedded_features(self.explainer.masker, batch, self.backbone)
        masked = masked_probabilities(
            self.backbone, read, bound, masks, frozen=False, seed=self.step_seed
        )
        same = (wanted - whole).abs().sum(dim=1).mean()
        kept = (whole - masked).abs().sum(dim=1).mean()
        return {"loss": same + kept, "same_loss": same, "masked_loss": kept}

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Improve the masks of a batch, and return the loss of the network.

        Args:
            batch: See the class.
            batch_idx: Not used.
        """
        read = Batch.of(batch)
        bound = self.explainer.masker.bind(read.inputs, read.sample_data)
        weight, shift = _ROUNDS[self.round]
        masks = self.explainer.optimized(
            self.backbone,
            read,
            self._kept_masks(bound),
            n_steps=self.mask_steps,
            sparsity_weight=weight,
            seed=self.step_seed,
        )
        self._keep(bound, masks)
        parts = self.loss(read, (masks + shift).round().clamp(0, 1))
        share = masks.sum(dim=1) / bound.present.sum(dim=1)
        return self.log_parts(parts | {"kept": share.mean()}, len(read))

    def _kept_masks(self, bound: BoundMasker) -> Tensor:
        """Return the masks of the samples as they were left, ``(B, n)``; ones for new samples."""
        masks = torch.ones(len(bound.inputs), bound.n_features)
        present = bound.present.cpu()  # without padding, which depends on the batch
        for row, number in enumerate(bound.seeds.tolist()):
            if number in self._masks:
                masks[row, present[row]] = self._masks[number]
        return masks.to(self.device)

    def _keep(self, bound: BoundMasker, masks: Tensor) -> None:
        present = bound.present.cpu()
        for number, mask, own in zip(bound.seeds.tolist(), masks.cpu(), present, strict=True):
            self._masks[number] = self._improved[number] = mask[own]

    def _share_masks(self) -> None:
        """Exchange masks between processes, because a sample moves to another one."""
        improved, self._improved = self._improved, {}
        if self.trainer.world_size > 1:
            of_ranks: list[Any] = [None] * self.trainer.world_size
            distributed.all_gather_object(of_ranks, improved)
            for of_rank in of_ranks:
                self._masks.update(of_rank)

    def on_fit_start(self) -> None:
        """Check that the length of the training is known.

        Raises:
            ValueError: If it is not.
        """
        super().on_fit_start()
        if self.progress is None and share_done(self.trainer) is None:
            raise ValueError(
                "max_epochs or max_steps must be given for DiET, which divides the training into "
                f"{len(_ROUNDS)} rounds, got neither; or set the attribute progress in a callback"
            )

    def on_train_start(self) -> None:
        """Check that the length of an epoch is known if a round is shorter.

        Raises:
            ValueError: If it is not.
        """
        super().on_train_start()
        epochs = self.trainer.max_epochs or -1
        if self.progress is not None or self.trainer.max_steps > 0:
            return
        if 0 < epochs < len(_ROUNDS) and not counts_within_epoch(self.trainer):
            raise ValueError(
                f"max_epochs must be at least {len(_ROUNDS)} for DiET and data of unknown length, "
                f"whose first epoch has one round, got {epochs}; or give max_steps, or the length "
                "of an epoch, Trainer(limit_train_batches=...)"
            )

    def on_validation_start(self) -> None:
        """Exchange masks between processes, before a checkpoint is written."""
        super().on_validation_start()
        self._share_masks()

    def on_train_epoch_end(self) -> None:
        """Exchange masks between processes."""
        super().on_train_epoch_end()
        self._share_masks()

    def evaluate(self, batch: Any) -> tuple[dict[str, Tensor], int]:
        """Return the loss with new masks and its terms, and the number of rows.

        Args:
            batch: See the class.
        """
        read = Batch.of(batch)
        return self.loss(read, self._new_masks(read)), len(read)

    def _new_masks(self, read: Batch) -> Tensor:
        bound = self.explainer.masker.bind(read.inputs, read.sample_data)
        start = torch.ones(len(read), bound.n_features, device=self.device)
        return self.explainer.optimized(self.backbone, read, start)

    def predict_step(
        self, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> dict[str, Tensor]:
        """Return ``saliency`` ``(B, n)``, the masks of new samples.

        Args:
            batch: See the class.
            batch_idx: Not used.
            dataloader_idx: Not used.
        """
        return {"saliency": self._new_masks(Batch.of(batch))}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the masks of the training samples.

        Args:
            checkpoint: The checkpoint.
        """
        super().on_save_checkpoint(checkpoint)
        checkpoint["masks"] = dict(self._masks)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the masks of the training samples.

        Args:
            checkpoint: The checkpoint.
        """
        super().on_load_checkpoint(checkpoint)
        self._masks = dict(checkpoint["masks"])
