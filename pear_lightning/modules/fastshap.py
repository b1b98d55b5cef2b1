"""FastSHAP: a network that returns Shapley values."""

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from pear_lightning.explainers.amortized_explainer import ExplainedClass
from pear_lightning.functional.efficient_normalization import efficient_normalization
from pear_lightning.functional.validation import check_count, check_number
from pear_lightning.masking import Masker
from pear_lightning.modules.amortized import AmortizedModule, ExplainerBatch
from pear_lightning.modules.base import adamw
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.outputs import OutputName, resolve_output
from pear_lightning.scoring.removals import Removals, law_code, remove_subsets
from pear_lightning.scoring.scorer import Forward
from pear_lightning.scoring.subset_laws import FixedSizeLaw, ShapleyLaw, SubsetLaw
from pear_lightning.training.target_model import TargetModel


class FastSHAP(AmortizedModule):
    r"""Train a network to return the Shapley values of a given model in one pass.

    .. math::
        L = n \, E_{x, S} \left( v(x_∅) + \sum_{i ∈ S} \hat φ_i(x) - v(x_S) \right)^2
            + λ \, n \, E_x \left( \sum_i φ_i(x) - v(x) + v(x_∅) \right)^2

    with subsets S from the Shapley kernel, each followed by its complement,
    :math:`v(x_∅)` the value with all features removed, and the additive efficient normalisation
    :math:`\hat φ_i = φ_i + (v(x) - v(x_∅) - \sum_j φ_j) / n`. The mean is over samples, subsets and
    classes. Its minimum are the Shapley values of v, which is a
    :class:`~pear_lightning.modules.Surrogate` of the explained model f, or f itself, whose removed
    features take the value of the baseline.

    The trained explainer needs neither f nor the surrogate. Its scores are φ without the
    normalisation, which needs v(x): the second term teaches the network the sum.

    Args:
        target_model: The explained model f; see :class:`~pear_lightning.modules.AmortizedModule`.
        network: The explainer network; with scores of all classes unless ``explained`` says
            otherwise.
        masker: Defines the features and their values when removed.
        surrogate: v; ``None`` evaluates f.
        n_subsets: Number of subsets of each sample and step, without the empty one; samples with
            few features have all subsets, with their weights.
        paired: Whether every second subset is the complement of the one before.
        normalize: Whether the first term has normalised scores. Without, the minimum is only close
            to the Shapley values.
        efficiency_weight: λ, at least 0.
        explained: Class that is explained; ``"all"`` at once, or one of them (see there).
        side: See there.
        zero_rule: See there; features that equal the baseline have Shapley value 0.
        output: Scalar of the logits whose Shapley values are learned: ``"prob"`` as in the paper.
        optimizer: Callable from parameters to an optimiser.
        lr_scheduler: Callable from the optimiser to a scheduler.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If a number is out of range or a name unknown.

    Shapes:
        - batch: inputs ``(B, *S)``
        - saliency: ``(B, n, C)``, or ``(B, n)`` for one class

    Example:
        >>> import torch
        >>> from lightning.pytorch import Trainer
        >>> from pear_lightning.masking import ColumnMasker
        >>> from pear_lightning.nn import MLP, ExplainerMLP
        >>> f, rows = MLP(6), torch.randn(256, 6)  # f has been trained before
        >>> network = ExplainerMLP(6, num_classes=2, per_class=True)
        >>> model = FastSHAP(f, network, ColumnMasker(6))
        >>> trainer = Trainer(max_epochs=1, accelerator="cpu", logger=False,
        ...                   enable_checkpointing=False, enable_progress_bar=False,
        ...                   enable_model_summary=False)
        >>> trainer.fit(model, torch.utils.data.DataLoader(rows, batch_size=64))
        >>> model.explainer.saliency(rows[:4]).shape
        torch.Size([4, 6, 2])

    References:
        Jethani, Sudarshan, Covert, Lee, Ranganath, *FastSHAP: Real-Time Shapley Value Estimation*,
        ICLR 2022, arXiv 2107.07436. For vision transformers: Covert, Kim, Lee, *Learning to
        Estimate Shapley Values with Vision Transformers* (ViT-Shapley), ICLR 2023,
        arXiv 2206.05282.

    Deviations from the paper:
        :math:`v(x_∅)` is computed for each sample, so the empty input need not be constant. λ is 1
        instead of 0, because the explanation is not normalised. Features that equal the baseline
        have score 0 and no share in the normalisation. Samples with few features have all subsets.
    """

    not_hyperparameters: ClassVar[tuple[str, ...]] = (
        *AmortizedModule.not_hyperparameters,
        "surrogate",
    )

    def __init__(
        self,
        target_model: nn.Module | Callable[..., Tensor] | None,
        network: nn.Module,
        masker: Masker,
        surrogate: nn.Module | Callable[..., Tensor] | None = None,
        n_subsets: int = 32,
        *,
        paired: bool = True,
        normalize: bool = True,
        efficiency_weight: float = 1.0,
        explained: ExplainedClass = "all",
        side: Sequence[str] = (),
        zero_rule: bool = True,
        output: OutputName = "prob",
        optimizer: OptimizerCallable = adamw,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__(
            target_model,
            network,
            masker,
            explained=explained,
            side=side,
            zero_rule=zero_rule,
            output=output,
            optimizer=optimizer,
            lr_scheduler=lr_scheduler,
        )
        check_count("n_subsets", n_subsets)
        check_number("efficiency_weight", efficiency_weight)
        self.n_subsets = n_subsets
        self.paired = paired
        self.normalize = normalize
        self.efficiency_weight = efficiency_weight
        self._surrogate = self.hold(surrogate, "surrogate")

    @property
    def game(self) -> Forward:
        """The model v whose Shapley values are learned."""
        return self._game.forward

    @property
    def _game(self) -> TargetModel:
        return self._surrogate if self._surrogate.is_given else self._target

    @property
    def laws(self) -> list[tuple[SubsetLaw, int]]:
        """The subsets of a sample: those of the Shapley kernel, and the removal of all features."""
        return [(ShapleyLaw(paired=self.paired), self.n_subsets), (FixedSizeLaw(1.0), 1)]

    def training_loss(self, batch: ExplainerBatch) -> dict[str, Tensor]:
        """Return the loss and its two terms.

        Args:
            batch: The batch.

        Returns:
            ``loss``, ``regression_loss``, and ``efficiency_loss``, the second term without λ.
        """
        return self._loss(batch, self.step_seed)

    def evaluation_loss(self, batch: ExplainerBatch) -> dict[str, Tensor]:
        """Return the loss and its two terms, with the same subsets in every epoch.

        Args:
            batch: The batch.
        """
        return self._loss(batch, 0)

    def _loss(self, batch: ExplainerBatch, seed: int) -> dict[str, Tensor]:
        removals = remove_subsets(self.game, batch.batch, batch.bound, self.laws, seed=seed)
        known = None if self._surrogate.is_given else removals.original
        explained = self.explaining(batch, known)
        saliency = self.saliency(batch, explained)
        with torch.autocast(saliency.device.type, enabled=False):
            regression, efficiency = self._terms(batch, saliency, removals, explained)
        loss = regression + self.efficiency_weight * efficiency
        return {"loss": loss, "regression_loss": regression, "efficiency_loss": efficiency}

    def _terms(
        self, batch: ExplainerBatch, saliency: Tensor, removals: Removals, explained: Batch
    ) -> tuple[Tensor, Tensor]:
        bound, classes = batch.bound, saliency.ndim == 3
        n_classes = removals.original.shape[1]
        target = None if classes else explained.classes_among(n_classes, self._game.name)
        values, whole = removals.scores(resolve_output(self.explainer.output), target)
        empty, gap = values[:, -1:], (whole - values[:, -1:])[:, 0]
        n = bound.present.sum(dim=1).to(saliency.dtype)
        efficiency = (saliency.sum(dim=1) - gap).square()
        if self.normalize:
            saliency = efficient_normalization(saliency, gap, self.explainer.active(bound))
        sums = saliency.sum(dim=1, keepdim=True) - removals.removed_sums(saliency)
        errors = (empty + sums - values).square()
        if classes:
            errors, efficiency = errors.mean(dim=2), efficiency.mean(dim=1)
        law, _ = self.laws[0]
        weights = removals.weights.to(errors.dtype) * (removals.laws == law_code(0, law))
        regression = (n * (weights * errors).sum(dim=1)).mean()
        return regression, (n * efficiency).mean()
