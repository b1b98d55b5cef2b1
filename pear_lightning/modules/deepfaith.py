"""DeepFaith: an explainer trained for faithfulness."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from pear_lightning.explainers.amortized_explainer import ExplainedClass
from pear_lightning.losses import LocalCorrelationLoss, PatternConsistencyLoss
from pear_lightning.masking import Masker
from pear_lightning.modules.amortized import AmortizedModule, ExplainerBatch
from pear_lightning.modules.base import adamw
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.outputs import OutputName
from pear_lightning.scoring.removals import Removals


class DeepFaith(AmortizedModule):
    r"""Train a network to explain a given model faithfully, in one pass.

    .. math:: L = α \, L_{PC} + (1 - α) \, L_{LC}

    :math:`L_{LC}` is the :class:`~pear_lightning.losses.LocalCorrelationLoss`, which evaluates the
    explained model with subsets of features removed and needs no labels. :math:`L_{PC}` is the
    :class:`~pear_lightning.losses.PatternConsistencyLoss`, which compares with explanations of
    other methods that the batches hold as ``supervision``. The weight α is constant, or changed
    during training by :class:`~pear_lightning.callbacks.AlphaSchedule` (Algorithm 1 of the paper,
    which starts at 1). With α = 0, no supervision is needed.

    Validation and test log both losses with the same subsets in every epoch; ``val_loss`` is
    :math:`L_{LC}`, whose meaning does not depend on α. ``predict`` returns ``saliency``, and
    :class:`~pear_lightning.explainers.AmortizedExplainer` loads the trained explainer from the
    checkpoint.

    Args:
        target_model: The explained model f; see :class:`~pear_lightning.modules.AmortizedModule`.
        network: The explainer network, such as
            :class:`~pear_lightning.nn.ExplainerTransformer` or
            :class:`~pear_lightning.nn.ExplainerMLP`. With ``num_classes``, the explained class is
            an input, and the network need not learn where the prediction of f changes, and with it
            the sign of the evidence.
        masker: Defines the features and their values when removed.
        alpha: α in [0, 1]; may be set to another value during training.
        local_correlation: :math:`L_{LC}`; ``None`` means its preset ``"table"``. For the paper's:
            ``LocalCorrelationLoss("paper")``, a network with ``scale="sigmoid"``, and
            ``zero_rule=False``.
        pattern_consistency: :math:`L_{PC}`; ``None`` means Pearson's correlation.
        explained: See :class:`~pear_lightning.modules.AmortizedModule`.
        side: See there.
        zero_rule: See there.
        output: See there.
        optimizer: Callable from parameters to an optimiser.
        lr_scheduler: Callable from the optimiser to a scheduler.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If α is out of range; in training, if it is above 0 and a batch has no
            supervision, or stored removals are given for laws that follow the order of φ.

    Shapes:
        - batch: inputs ``(B, *S)``, optionally ``supervision`` ``(B, n)`` and ``removals``
        - saliency: ``(B, n)``, or ``(B, n, C)`` with ``explained="all"``

    Example:
        >>> import torch
        >>> from lightning.pytorch import Trainer
        >>> from pear_lightning.explainers import AmortizedExplainer
        >>> from pear_lightning.masking import ColumnMasker
        >>> from pear_lightning.nn import MLP, ExplainerMLP
        >>> f, rows = MLP(6), torch.randn(256, 6)  # f has been trained before
        >>> model = DeepFaith(f, ExplainerMLP(6), ColumnMasker(6))
        >>> trainer = Trainer(max_epochs=2, accelerator="cpu", logger=False,
        ...                   enable_checkpointing=False, enable_progress_bar=False,
        ...                   enable_model_summary=False)
        >>> trainer.fit(model, torch.utils.data.DataLoader(rows, batch_size=64))
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     trainer.save_checkpoint(f"{folder}/explainer.ckpt")
        ...     explainer = AmortizedExplainer.load_from_checkpoint(f"{folder}/explainer.ckpt")
        >>> explainer.attributions(rows[:4]).shape  # without f
        torch.Size([4, 6])

    References:
        Guo et al., *Learning for Highly Faithful Explainability*, ICLR 2026; earlier version:
        *DeepFaith: A Domain-Free and Model-Agnostic Unified Framework for Highly Faithful
        Explanations*, arXiv 2508.03586.

    Deviations from the paper:
        Scores are unbounded by default, α is constant unless the callback changes it, the local
        correlation loss has several terms by default, and features that equal the baseline have
        score 0. The explained class is the predicted one in training, prediction and metrics.
    """

    not_hyperparameters: ClassVar[tuple[str, ...]] = (
        *AmortizedModule.not_hyperparameters,
        "local_correlation",
        "pattern_consistency",
    )

    def __init__(
        self,
        target_model: nn.Module | Callable[..., Tensor] | None,
        network: nn.Module,
        masker: Masker,
        alpha: float = 0.0,
        *,
        local_correlation: LocalCorrelationLoss | None = None,
        pattern_consistency: PatternConsistencyLoss | None = None,
        explained: ExplainedClass = "predicted",
        side: Sequence[str] = (),
        zero_rule: bool = True,
        output: OutputName = "centered_logit",
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
        self.local_correlation = local_correlation or LocalCorrelationLoss("table")
        self.pattern_consistency = pattern_consistency or PatternConsistencyLoss()
        self.alpha = alpha

    @property
    def alpha(self) -> float:
        """α, the weight of the pattern consistency loss; may be set to another value in [0, 1]."""
        return self._alpha

    @alpha.setter
    def alpha(self, alpha: float) -> None:
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha must lie in [0, 1], got {alpha}")
        self._alpha = float(alpha)

    def training_loss(self, batch: ExplainerBatch) -> dict[str, Tensor]:
        """Return ``α L_PC + (1 − α) L_LC`` and its parts.

        With α = 1, the explained model is not evaluated with features removed.

        Args:
            batch: The batch.

        Returns:
            ``loss``; ``local_correlation_loss`` and ``undefined``, the share of samples without a
            correlation, if α < 1; ``pattern_consistency_loss`` if there is supervision.
        """
        if self.alpha > 0 and batch.supervision is None:
            raise ValueError(
                "batch must be a mapping with 'supervision' (B, n) for alpha > 0, got none with "
                f"alpha={self.alpha:g}; use alpha=0, or data with supervision"
            )
        parts = self._losses(batch, self.step_seed, local=self.alpha < 1)
        terms = {
            "pattern_consistency_loss": self.alpha,
            "local_correlation_loss": 1 - self.alpha,
        }
        weighted = [weight * parts[name] for name, weight in terms.items() if weight]
        return {"loss": sum(weighted[1:], weighted[0]), **parts}

    def evaluation_loss(self, batch: ExplainerBatch) -> dict[str, Tensor]:
        """Return both losses, with the same subsets in every epoch.

        Args:
            batch: The batch.

        Returns:
            ``loss``, which is the local correlation loss, and the parts of :meth:`training_loss`.
        """
        parts = self._losses(batch, 0, local=True)
        return {"loss": parts["local_correlation_loss"], **parts}

    def _losses(self, batch: ExplainerBatch, seed: int, *, local: bool) -> dict[str, Tensor]:
        explained, saliency, removals = self._explain(batch, seed, local=local)
        parts: dict[str, Tensor] = {}
        if removals is not None:
            n_classes = removals.original.shape[1]
            one = saliency.ndim == 2
            target = explained.classes_among(n_classes, "target_model") if one else None
            found = self.local_correlation.per_sample(saliency, removals, target)
            parts["local_correlation_loss"] = found.values.mean()
            parts["undefined"] = found.undefined.to(saliency.dtype).mean()
        if batch.supervision is not None:
            logits = None if removals is None else removals.original
            parts["pattern_consistency_loss"] = self.pattern_consistency(
                self.of_supervision(batch, saliency, logits),
                batch.supervision,
                batch.bound.present,
            )
        return parts

    def _explain(
        self, batch: ExplainerBatch, seed: int, *, local: bool
    ) -> tuple[Batch, Tensor, Removals | None]:
        """Return the samples with the explained class, φ, and evaluations of f if needed."""
        loss = self.local_correlation
        if not local:
            needs_class = self.explainer.uses_target or bool(self.explainer.side)
            explained = self.explaining(batch) if needs_class else batch.batch.explaining(None)
            return explained, self.saliency(batch, explained), None
        if loss.follows_order:
            if batch.removals is not None:
                raise ValueError(
                    "removals must not be stored for a law that follows the order of the "
                    "explanation, which changes in training, got stored removals; leave them out"
                )
            explained = self.explaining(batch)
            saliency = self.saliency(batch, explained)
            return explained, saliency, self._evaluate_subsets(batch, seed, saliency)
        removals = batch.removals or self._evaluate_subsets(batch, seed, None)
        explained = self.explaining(batch, removals.original)
        return explained, self.saliency(batch, explained), removals

    def _evaluate_subsets(
        self, batch: ExplainerBatch, seed: int, saliency: Tensor | None
    ) -> Removals:
        if saliency is not None and saliency.ndim == 3:
            raise ValueError(
                "local_correlation must not have laws that follow the order of the explanation "
                "with explained='all', which has an order for every class"
            )
        return self.local_correlation.evaluate_bound(
            self.target_model, batch.batch, batch.bound, seed=seed, saliency=saliency
        )
