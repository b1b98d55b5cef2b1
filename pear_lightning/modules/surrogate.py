"""A surrogate: a model of another model that accepts missing features."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from pear_lightning.explainers import Occlusion
from pear_lightning.functional.prediction_divergence import prediction_divergence
from pear_lightning.functional.validation import check_count
from pear_lightning.masking import Masker
from pear_lightning.modules.base import adamw
from pear_lightning.modules.target_model_module import TargetModelModule
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.drawn_subsets import drawn_subsets
from pear_lightning.scoring.masked_logits import masked_logits
from pear_lightning.scoring.scorer import logits_of
from pear_lightning.scoring.subset_laws import SubsetLaw, UniformSizeLaw


class Surrogate(TargetModelModule):
    r"""Train a network that predicts the outputs of a given model from a part of the features.

    .. math:: \min_β \; E_{x, S} \; KL\left( f(x) \,\|\, v_β(x_S) \right)

    f was not trained with missing features, so its outputs at inputs with features removed can be
    arbitrary. The surrogate learns the expected prediction of f given the features that are left:
    explanations of it describe the information in the features. It is an ordinary model of masked
    inputs, so one surrogate serves ``surrogate=`` of
    :class:`~pear_lightning.modules.FastSHAP` and the other learned explainers, and also
    :class:`~pear_lightning.explainers.KernelShap` or the metrics.

    For vision transformers, :class:`~pear_lightning.nn.MaskedAttention` makes removed patches
    invisible: attention to them is masked before the softmax.

    Args:
        target_model: The given model f; maps inputs ``(N, *S)`` to logits ``(N, C)``. It is neither
            trained nor saved.
        network: The surrogate, such as a copy of f; maps masked inputs to logits ``(N, C)``.
        masker: Defines the features and their values when removed.
        law: Law of the removed features; ``None`` means a uniform number of them.
        n_subsets: Number of subsets of each sample and step.
        optimizer: Callable from parameters to an optimiser.
        lr_scheduler: Callable from the optimiser to a scheduler.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If ``n_subsets`` is not positive; in training, if f and the network have
            different numbers of outputs.

    Shapes:
        - batch: any form that :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads
        - logits: ``(B, C)``; with C = 1, the squared error takes the place of KL

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from pear_lightning.masking import ColumnMasker
        >>> from pear_lightning.nn import MLP
        >>> f, rows = MLP(6), torch.randn(256, 6)  # f has been trained before
        >>> surrogate = Surrogate(f, MLP(6), ColumnMasker(6))
        >>> trainer = Trainer(max_epochs=1, accelerator="cpu", logger=False,
        ...                   enable_checkpointing=False, enable_progress_bar=False,
        ...                   enable_model_summary=False)
        >>> trainer.fit(surrogate, torch.utils.data.DataLoader(rows, batch_size=64))
        >>> surrogate(rows[:4]).shape
        torch.Size([4, 2])

    References:
        Frye et al., *Shapley Explainability on the Data Manifold*, ICLR 2021, arXiv 2006.01272;
        Jethani, Sudarshan, Covert, Lee, Ranganath, *FastSHAP*, ICLR 2022, arXiv 2107.07436. For
        vision transformers: Covert, Kim, Lee, *Learning to Estimate Shapley Values with Vision
        Transformers*, ICLR 2023, arXiv 2206.05282.

    Deviations from the paper:
        Several subsets per sample and step.
    """

    not_hyperparameters: ClassVar[tuple[str, ...]] = (
        *TargetModelModule.not_hyperparameters,
        "law",
    )

    def __init__(
        self,
        target_model: nn.Module | Callable[..., Tensor] | None,
        network: nn.Module,
        masker: Masker,
        law: SubsetLaw | None = None,
        n_subsets: int = 1,
        *,
        optimizer: OptimizerCallable = adamw,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        if not isinstance(network, nn.Module):
            raise TypeError(f"network must be a torch.nn.Module, got {network!r}")
        if not isinstance(masker, Masker):
            raise TypeError(f"masker must be a Masker, such as ColumnMasker(30), got {masker!r}")
        check_count("n_subsets", n_subsets)
        super().__init__(target_model, network, optimizer=optimizer, lr_scheduler=lr_scheduler)
        self.masker = masker
        # an explainer of these features: its baseline receives the mean of the training data
        self.removal = Occlusion(masker)
        self.law = law or UniformSizeLaw()
        self.n_subsets = n_subsets

    def forward(self, inputs: Tensor, **kwargs: Any) -> Tensor:
        """Return logits ``(B, C)`` of inputs, masked or not, in the current mode.

        Args:
            inputs: Inputs, ``(B, *S)``.
            **kwargs: Further arguments of the network.
        """
        logits: Tensor = self.backbone(inputs, **kwargs)
        return logits

    def loss(self, batch: Batch, seed: int) -> Tensor:
        """Return ``KL(f(x) ‖ v(x_S))``, the mean over samples and subsets.

        Args:
            batch: The samples.
            seed: Seed of the subsets.
        """
        bound = self.masker.bind(batch.inputs, batch.sample_data)
        drawn = drawn_subsets(self.backbone, batch, bound, self.law, self.n_subsets, seed=seed)
        logits = masked_logits(
            self.backbone,
            batch,
            bound,
            drawn.keep,
            frozen=False,
            seed=seed,
            numbers=drawn.numbers,
        )
        found = self.divergence(batch, logits)
        return (drawn.weights.to(found.dtype) * found).sum(dim=0).mean()

    def divergence(self, batch: Batch, logits: Tensor) -> Tensor:
        """Return the loss of predictions at masked inputs, ``(K, B)``.

        Args:
            batch: The samples.
            logits: Predictions, ``(K, B, C)``.

        Raises:
            ValueError: If f has another number of outputs.
        """
        with torch.autocast(batch.inputs.device.type, enabled=False):
            wanted = logits_of(self._target.forward, batch)
        return prediction_divergence(wanted, logits)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Return the loss of a training batch.

        Args:
            batch: See the class.
            batch_idx: Not used.
        """
        read = Batch.of(batch)
        loss = self.loss(read, self.step_seed)
        return self.log_parts({"loss": loss}, len(read))

    def evaluate(self, batch: Any) -> tuple[dict[str, Tensor], int]:
        """Return the loss with the same subsets in every epoch, and the number of rows.

        Args:
            batch: See the class.
        """
        read = Batch.of(batch)
        return {"loss": self.loss(read, 0)}, len(read)

    def predict_step(
        self, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> dict[str, Tensor]:
        """Return ``logits`` ``(B, C)`` of samples without missing features.

        Args:
            batch: See the class.
            batch_idx: Not used.
            dataloader_idx: Not used.
        """
        return {"logits": logits_of(self.backbone, Batch.of(batch))}
