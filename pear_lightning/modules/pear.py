"""PEAR: training for explanations that agree."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any, ClassVar, Literal

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from pear_lightning.explainers import Explainer, RandomAttributions, explain
from pear_lightning.explainers.explainer_sets import comparison_set, explainer_set, paper_pair
from pear_lightning.functional.correlation import constant_rows
from pear_lightning.functional.soft_rank import SoftRankBackend
from pear_lightning.functional.soft_spearman import Normalization
from pear_lightning.losses import ConsensusLoss
from pear_lightning.metrics import AgreementMatrix
from pear_lightning.modules.base import Batch, ExplainedModule, Task, adamw
from pear_lightning.scoring.outputs import OutputName
from pear_lightning.training.reference_data import fit_references

_PRECISIONS = ("32-true", "64-true", "bf16-mixed")


class PEAR(ExplainedModule):
    r"""Train a model so that its explainers agree (Post hoc Explainer Agreement Regularizer).

    .. math:: L = (1 - \lambda) \, \mathrm{CE}(f(x), y) + \lambda \, C, \qquad
              C = \mu \, \frac{1 - \rho_S}{2} + (1 - \mu) \, \frac{1 - \rho_P}{2}

    where the correlations are between the attributions of the true label's logit by a set of
    explainers, averaged over their pairs (:class:`~pear_lightning.losses.ConsensusLoss`). The
    attributions, and the logits of the task loss where the backbone is the same function in
    train and eval mode, come from one pass through the backbone
    (:func:`~pear_lightning.explainers.explain`).

    Validation logs the task metrics and the six agreement metrics between the validation
    explainers, averaged over their pairs. A test fills the whole agreement matrix of the test
    explainers (:attr:`test_agreement`), with self-agreement for stochastic ones.

    Args:
        backbone: Any module: inputs ``(B, *S)`` to logits ``(B, C)``; for regression to ``(B, 1)``
            or ``(B,)``.
        consensus_weight: λ in [0, 1], the share of the consensus loss.
        spearman_weight: μ in [0, 1], the share of its Spearman term.
        explainers: Explainers that are trained to agree, by name; all must be differentiable.
            ``None`` is the paper's pair, gradient and average gradient, with 5 query points.
        validation_explainers: Explainers compared in validation. ``None`` is the same pair with
            20 query points if ``explainers`` is ``None``, else ``explainers``.
        test_explainers: Explainers compared in a test. ``None`` is gradient, integrated
            gradients, input x gradient, SmoothGrad, LIME, KernelSHAP and random attributions.
        output: Scalar that is explained: ``"logit"`` of the target (the paper's), ``"log_prob"``,
            ``"prob"``, ``"sum_log_prob"`` or ``"margin"``.
        normalize: Row scaling before soft ranking; see
            :class:`~pear_lightning.losses.ConsensusLoss`.
        strength: Strength of the soft rank; see there.
        rank_backend: ``"torch"`` or ``"torchsort"``.
        warmup_epochs: The consensus weight rises linearly from 0 over this many epochs.
        top_k: k of the top-k agreement metrics: a number of features, or a share of them.
        test_rows: A test explains only the first so many rows of each rank; ``None`` for all.
            Task metrics always use all rows.
        points_per_pass: Bound on the query points of each sample in one pass.
        compile: Whether to compile the explanation pass and the loss with ``torch.compile``;
            needs torch 2.13. The first step takes as long as the compiler does.
        task: ``"classification"`` or ``"regression"``.
        num_classes: Number of classes C.
        optimizer: Callable from parameters to an optimiser; the paper's AdamW by default.
        lr_scheduler: Callable from the optimiser to a scheduler.

    Raises:
        ValueError: If a value is out of range, or an explainer cannot train a model.

    Shapes:
        - batch: inputs ``(B, *S)`` and target ``(B,)``
        - prediction: see :meth:`predict_step`

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from pear_lightning.datamodules import BreastCancer
        >>> from pear_lightning.modules import PEAR
        >>> from pear_lightning.nn import MLP
        >>> model = PEAR(MLP(30), consensus_weight=0.5)
        >>> trainer = Trainer(max_epochs=2, accelerator="cpu", logger=False,
        ...                   enable_checkpointing=False, enable_progress_bar=False,
        ...                   enable_model_summary=False)
        >>> trainer.fit(model, BreastCancer(val_fraction=0.25))
        >>> sorted(name for name in trainer.callback_metrics if name.endswith("rank_agreement"))
        ['val_pairwise_rank_agreement', 'val_rank_agreement', 'val_signed_rank_agreement']

    References:
        Schwarzschild, Cembalest, Rao, Hines, Dickerson, *Reckoning with the Disagreement Problem:
        Explanation Consensus as a Training Objective*, AIES 2023, arXiv 2303.13299, section 3.

    Deviations from the paper:
        5 query points in training instead of 20; rows are normalised before ranking; the weight
        may warm up. The configuration ``paper_protocol.yaml`` has the paper's settings.
    """

    not_hyperparameters: ClassVar[tuple[str, ...]] = (
        *ExplainedModule.not_hyperparameters,
        "explainers",
        "validation_explainers",
        "test_explainers",
    )

    def __init__(
        self,
        backbone: nn.Module,
        consensus_weight: float = 0.5,
        spearman_weight: float = 0.5,
        explainers: dict[str, Explainer] | None = None,
        *,
        validation_explainers: dict[str, Explainer] | None = None,
        test_explainers: dict[str, Explainer] | None = None,
        output: OutputName = "logit",
        normalize: Normalization = "max",
        strength: float | None = None,
        rank_backend: SoftRankBackend = "torch",
        warmup_epochs: float = 0.0,
        top_k: int | float = 5,
        test_rows: int | None = None,
        points_per_pass: int | None = None,
        compile: bool = False,
        task: Task = "classification",
        num_classes: int = 2,
        optimizer: OptimizerCallable = adamw,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__(
            backbone,
            task=task,
            num_classes=num_classes,
            optimizer=optimizer,
            lr_scheduler=lr_scheduler,
        )
        if not 0 <= consensus_weight <= 1:
            raise ValueError(f"consensus_weight must lie in [0, 1], got {consensus_weight}")
        if not warmup_epochs >= 0:
            raise ValueError(f"warmup_epochs must not be negative, got {warmup_epochs}")
        if test_rows is not None and test_rows < 1:
            raise ValueError(f"test_rows must be at least 1, got {test_rows}")
        if compile and torch.__version__ < "2.13":  # a TorchVersion, compared as versions are
            raise ValueError(
                f"compile=True needs torch 2.13 or newer, got {torch.__version__}: earlier "
                "compilers could get second derivatives wrong without a word (pytorch issue 181581)"
            )
        if validation_explainers is None:
            validation_explainers = paper_pair(n_steps=20) if explainers is None else explainers
        self.explainers = explainer_set("explainers", explainers or paper_pair(n_steps=5))
        for name, explainer in self.explainers.items():
            if not explainer.differentiable:
                raise ValueError(
                    f"explainers[{name!r}], {type(explainer).__name__}, cannot train a model: its "
                    "attributions carry no gradient to the weights; use gradient explainers here "
                    "and this one in validation_explainers or test_explainers"
                )
        self.validation_explainers = explainer_set("validation_explainers", validation_explainers)
        self.test_explainers = explainer_set(
            "test_explainers", comparison_set() if test_explainers is None else test_explainers
        )
        self.consensus = ConsensusLoss(
            spearman_weight, normalize=normalize, strength=strength, backend=rank_backend
        )
        self.consensus_weight = consensus_weight
        self.output: OutputName = output
        self.warmup_epochs = warmup_epochs
        self.test_rows = test_rows
        self.points_per_pass = points_per_pass
        self.val_agreement = AgreementMatrix(list(self.validation_explainers), k=top_k)
        self.test_agreement = AgreementMatrix(list(self.test_explainers), k=top_k)
        self._compile = compile
        self._objective: Any = None

    def on_fit_start(self) -> None:
        """Refuse precisions that explanations cannot be trained in, and fit the baselines.

        Raises:
            ValueError: If the trainer's precision is not supported.
        """
        if self.consensus_weight and self.trainer.precision not in _PRECISIONS:
            raise ValueError(
                f"precision={self.trainer.precision!r} cannot train explanations: float16 "
                "gradients of the input are not scaled, and half precision cannot hold ranks and "
                "their correlations. Use one of "
                f"{', '.join(_PRECISIONS)}"
            )
        fit_references(self, afresh=self.trainer.ckpt_path is None)

    def on_validation_start(self) -> None:
        """Fit baselines that are not known yet, where the data module has them."""
        fit_references(self)

    def on_test_start(self) -> None:
        """Fit baselines that are not known yet, where the data module has them."""
        fit_references(self)

    def on_predict_start(self) -> None:
        """Fit baselines that are not known yet, where the data module has them."""
        fit_references(self)

    # --- training ---------------------------------------------------------------------------

    def training_loss(self, inputs: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return ``L = (1 − λ) CE + λ C`` and its parts.

        Args:
            inputs: Inputs, ``(B, *S)``.
            target: Target, ``(B,)``.

        Returns:
            ``loss``, ``task_loss`` and, with λ > 0, ``consensus``.
        """
        if self.consensus_weight == 0:
            loss = self.task_loss(self.backbone(inputs), target)
            return {"loss": loss, "task_loss": loss}
        reuse = self.same_in_both_modes(inputs)
        logits, consensus = self._explain_and_compare(inputs, target)
        if not reuse:
            logits = self.backbone(inputs)
        task_loss = self.task_loss(logits, target)
        weight = self.current_consensus_weight()
        # At weight 1 the task loss stays in the graph, so that DDP finds every parameter used.
        loss = (1 - weight) * task_loss + weight * consensus
        return {"loss": loss, "task_loss": task_loss, "consensus": consensus}

    def current_consensus_weight(self) -> float:
        """Return λ at this step: the constructor's, reached linearly over the warm-up."""
        if not self.warmup_epochs:
            return self.consensus_weight
        loop = self.trainer.fit_loop
        epochs = self.current_epoch + loop.epoch_loop.batch_idx / max(loop.max_batches, 1)
        return self.consensus_weight * min(1.0, epochs / self.warmup_epochs)

    def _explain_and_compare(self, inputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        if self._objective is None:
            self._objective = (
                torch.compile(self._objective_of) if self._compile else (self._objective_of)
            )
        logits, consensus = self._objective(inputs, target)
        return logits, consensus

    def _objective_of(self, inputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        logits, attributions = self._explain(inputs, target, self.explainers)
        return logits, self.consensus(*attributions.values())

    # --- evaluation -------------------------------------------------------------------------

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log task metrics and the agreement between the validation explainers.

        Args:
            batch: Inputs ``(B, *S)`` and target ``(B,)``.
            batch_idx: Index of the batch.
        """
        inputs, target = batch
        logits, attributions = self._explain(inputs, target, self.validation_explainers)
        self.log_task("val", inputs, logits, target)
        self.val_agreement.update(attributions)
        consensus = self.consensus(*attributions.values())
        self.log("val_consensus", consensus, batch_size=len(inputs), sync_dist=True)
        # they count as correlation 0 with everything: dead units, or nothing to explain
        constant = constant_rows(torch.stack([*attributions.values()]).flatten(2)).sum().float()
        self.log("val_constant_rows", constant, reduce_fx="sum", sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """Log the agreements, averaged over the pairs of validation explainers."""
        self._log_agreement("val", self.val_agreement)
        self.val_agreement.reset()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Log task metrics and fill the agreement matrix of the test explainers.

        Args:
            batch: Inputs ``(B, *S)`` and target ``(B,)``.
            batch_idx: Index of the batch.
        """
        inputs, target = batch
        self.log_task("test", inputs, self.backbone(inputs), target)
        left = len(inputs) if self.test_rows is None else self.test_rows - self._rows_explained
        inputs, target = inputs[:left], target[:left]
        if left <= 0 or not len(inputs):
            return
        self._rows_explained += len(inputs)
        _, attributions = self._explain(inputs, target, self.test_explainers)
        stochastic: dict[str, Any] = {
            name: each for name, each in self.test_explainers.items() if each.stochastic
        }
        repeats = self._explain(inputs, target, stochastic)[1]
        self.test_agreement.update(attributions, repeats=repeats)

    def on_test_epoch_start(self) -> None:
        """Forget the matrix of an earlier test."""
        self.test_agreement.reset()
        self._rows_explained = 0

    def on_test_epoch_end(self) -> None:
        """Log the agreements, averaged over trained pairs, untrained pairs and all pairs.

        Pairs with :class:`~pear_lightning.explainers.RandomAttributions` are left out.
        """
        self._log_agreement("test", self.test_agreement)

    def trained_pairs(self) -> list[tuple[str, str]]:
        """Return the pairs of test explainers that share names with trained explainers."""
        trained = [name for name in self.test_explainers if name in self.explainers]
        return list(combinations(trained, 2))

    def untrained_pairs(self) -> list[tuple[str, str]]:
        """Return the other pairs of test explainers, without random attributions."""
        names = [
            name
            for name, explainer in self.test_explainers.items()
            if not isinstance(explainer, RandomAttributions)
        ]
        trained = self.trained_pairs()
        return [pair for pair in combinations(names, 2) if pair not in trained]

    def predict_step(self, batch: Batch | Tensor, batch_idx: int) -> dict[str, Any]:
        """Predict, and explain the prediction with the trained explainers.

        Args:
            batch: Inputs ``(B, *S)``, or inputs and target; the target is not looked at.
            batch_idx: Index of the batch.

        Returns:
            ``logits`` ``(B, C)``, ``prediction`` (the class ``(B,)``, or the value for regression)
            and ``attributions`` of the prediction, ``(B, *S)`` for each explainer by name.
        """
        inputs = batch if isinstance(batch, Tensor) else batch[0]
        logits = self.backbone(inputs)
        prediction = logits.argmax(1) if self.task == "classification" else logits.flatten()
        _, attributions = self._explain(inputs, prediction, self.validation_explainers)
        return {"logits": logits, "prediction": prediction, "attributions": attributions}

    def _explain(
        self, inputs: Tensor, target: Tensor, explainers: Mapping[str, Explainer] | nn.ModuleDict
    ) -> tuple[Tensor, dict[str, Tensor]]:
        return explain(
            self.backbone,
            inputs,
            self.explained_target(target),
            dict(explainers.items()),  # type: ignore[arg-type]  # a ModuleDict holds explainers
            output=self.output,
            points_per_pass=self.points_per_pass,
        )

    def _log_agreement(self, stage: Literal["val", "test"], matrix: AgreementMatrix) -> None:
        groups = {"": list(combinations(self.validation_explainers, 2))}
        if stage == "test":
            groups = {"trained_": self.trained_pairs(), "untrained_": self.untrained_pairs()}
        for group, pairs in groups.items():
            if not pairs:
                continue
            for metric in matrix.metric_names:
                mean = matrix.mean_over_pairs(metric, pairs)
                self.log(f"{stage}_{group}{metric}", mean)
                if stage == "val" and metric == "pairwise_rank_agreement":
                    self.log("agreement", mean, prog_bar=True, logger=False)  # a name that fits
