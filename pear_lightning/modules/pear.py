"""PEAR: training for explainers that agree."""

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any, ClassVar, Literal

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from pear_lightning.explainers import Explainer, RandomAttributions
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.explainers.explainer_sets import (
    Explainers,
    comparison_set,
    explainer_set,
    how_to_train,
    named_explainers,
    paper_pair,
)
from pear_lightning.functional.agreement import check_k
from pear_lightning.functional.correlation import constant_rows
from pear_lightning.functional.present_features import filled_with_first
from pear_lightning.functional.soft_rank import SoftRankBackend
from pear_lightning.functional.soft_spearman import Normalization
from pear_lightning.functional.unit_rows import saturated_rows
from pear_lightning.losses import ConsensusLoss
from pear_lightning.masking import Masker
from pear_lightning.metrics import AgreementMatrix
from pear_lightning.metrics.agreement.comparable import DEFAULT_TOP_K, all_present
from pear_lightning.modules.base import adamw
from pear_lightning.modules.supervised import SupervisedModule, Task
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.embedding import embedded
from pear_lightning.scoring.outputs import OutputName
from pear_lightning.training.objective import Compilation, Objective, weight_schedule
from pear_lightning.training.precision import refuse_precision
from pear_lightning.training.reference_data import fit_references


class PEAR(SupervisedModule):
    r"""Train a model so that its explainers agree (Post hoc Explainer Agreement Regularizer).

    .. math:: L = (1 - \lambda) \, \mathrm{CE}(f(x), y) + \lambda \, C, \qquad
              C = \mu \, \frac{1 - \rho_S}{2} + (1 - \mu) \, \frac{1 - \rho_P}{2}

    where ρ_S and ρ_P are correlations between the attributions of the true label's logit by a set
    of explainers, averaged over pairs of explainers
    (:class:`~pear_lightning.losses.ConsensusLoss`). One pass through the backbone computes the
    attributions and, if the backbone is the same function in train and eval mode, the logits of the
    task loss (:func:`~pear_lightning.explainers.explain`).

    Validation logs the task metrics, the six agreement metrics between the validation explainers,
    averaged over pairs, and ``val_objective``, the value of L. A test computes the full agreement
    matrix of the test explainers (:attr:`test_agreement`), with self-agreement for stochastic
    explainers. With several data loaders, each has its own metrics.

    *What agrees.* The paper explains the target's logit. Softmax is unchanged by a function that is
    added to all logits, but explanations of a logit are not, so a network can lower C by a common
    function whose explanations agree and that decides nothing. Networks use this freedom. The
    centred logit does not have it, and a model with one output does not either.
    ``val_common_share`` and ``test_common_share`` log the variance of that common function,
    relative to that of the centred logits (:class:`~pear_lightning.metrics.CommonShare`).

    Args:
        backbone: Any module that maps inputs ``(B, *S)`` to logits ``(B, C)``; for regression, to
            ``(B, 1)`` or ``(B,)``.
        consensus_weight: λ in [0, 1], the share of the consensus loss.
        spearman_weight: μ in [0, 1], the share of the Spearman term in the consensus loss.
        explainers: Explainers that are trained to agree, by name, or as a list, whose explainers
            are named after their classes; all must be differentiable: gradient explainers, which
            train by second derivatives, or ``KernelShap``, ``Occlusion`` and
            ``Lime(penalty="ridge")``, which train by first derivatives. ``None`` is the paper's
            pair, gradient and average gradient, with 5 query points.
        validation_explainers: Explainers compared in validation, and of predictions
            (:meth:`predict_step`), by name or as a list. ``None`` is the same pair with 20 query
            points if ``explainers`` is ``None``, else ``explainers``.
        test_explainers: Explainers compared in a test, by name or as a list. ``None`` is gradient,
            integrated gradients, input x gradient, SmoothGrad, LIME, KernelSHAP and random
            attributions.
        output: Scalar that is explained: ``"centered_logit"``, the target's logit minus the mean of
            all logits, ``"margin"``, ``"log_prob"``, ``"prob"``, ``"sum_log_prob"``, or ``"logit"``
            (as in the paper), which leaves a function common to all logits free; see below.
        normalize: Row scaling before soft ranking; see
            :class:`~pear_lightning.losses.ConsensusLoss`.
        strength: Strength of the soft rank; see :class:`~pear_lightning.losses.ConsensusLoss`.
        rank_backend: ``"torch"`` or ``"torchsort"``.
        warmup_epochs: The consensus weight rises linearly from 0 over this many epochs; see
            :class:`~pear_lightning.training.WarmUp` for data of unknown length.
        top_k: k of the top-k agreement metrics: a number of features, or a share of them; ``None``
            for 5, or all features if there are fewer. With a masker, a sample with fewer than k
            features has all of them in its top k.
        test_rows: Number of rows that a test explains on each rank, the first ones; ``None`` for
            all rows. Task metrics always use all rows.
        masker: Masker that defines the features; attributions are pooled to its features (patches,
            tokens) before they are compared. ``None`` compares element by element.
        points_per_pass: Bound on the query points of each sample in one pass.
        rows: Rows of a batch on which the consensus loss is computed, drawn at random in each
            step: a share, a float in (0, 1], or a number, an int. ``None`` means all. It saves
            most with large batches and networks. See :class:`~pear_lightning.training.Objective`.
        every: Compute the consensus loss at every q-th step only, with q times its weight. It saves
            most with small batches and networks, where each computation has a fixed cost.
        compile: Whether to compile the explanation pass and the loss with ``torch.compile``, or
            the ``mode`` of it; requires torch 2.13. The first step, and the first with another
            number of rows, include the compilation time: see
            :class:`~pear_lightning.training.Objective`.
        task: ``"classification"`` or ``"regression"``.
        num_classes: Number of classes C.
        optimizer: Callable from parameters to an optimiser; the paper's AdamW by default.
        lr_scheduler: Callable from the optimiser to a scheduler.

    Raises:
        ValueError: If a value is out of range, or a trained explainer is not differentiable.

    Shapes:
        - batch: inputs ``(B, *S)`` and target ``(B,)``, in any form that
          :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads; a mask is ignored
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
        Training uses 5 query points instead of 20; rows are normalised before ranking; the weight
        can warm up. The configuration ``paper_protocol.yaml`` has the settings of the paper.
    """

    not_hyperparameters: ClassVar[tuple[str, ...]] = (
        *SupervisedModule.not_hyperparameters,
        "explainers",
        "validation_explainers",
        "test_explainers",
        "masker",
    )

    def __init__(
        self,
        backbone: nn.Module,
        consensus_weight: float = 0.5,
        spearman_weight: float = 0.5,
        explainers: Explainers | None = None,
        *,
        validation_explainers: Explainers | None = None,
        test_explainers: Explainers | None = None,
        output: OutputName = "centered_logit",
        normalize: Normalization = "max",
        strength: float | None = None,
        rank_backend: SoftRankBackend = "torch",
        warmup_epochs: float = 0.0,
        top_k: int | float | None = None,
        test_rows: int | None = None,
        masker: Masker | None = None,
        points_per_pass: int | None = None,
        rows: int | float | None = None,
        every: int = 1,
        compile: Compilation = False,
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
            raise ValueError(f"warmup_epochs must be at least 0, got {warmup_epochs}")
        if test_rows is not None and test_rows < 1:
            raise ValueError(f"test_rows must be at least 1, got {test_rows}")
        check_k("top_k", top_k)
        self.top_k = top_k
        if validation_explainers is None:
            validation_explainers = paper_pair(n_steps=20) if explainers is None else explainers
        trained = named_explainers(
            "explainers", paper_pair(n_steps=5) if explainers is None else explainers, least=2
        )
        for name, explainer in trained.items():
            if not explainer.differentiable:
                raise ValueError(
                    f"explainers[{name!r}] must be differentiable, got {type(explainer).__name__}, "
                    f"{how_to_train(explainer)}; validation_explainers and test_explainers take any"
                )
        self.validation_explainers = explainer_set("validation_explainers", validation_explainers)
        self.test_explainers = explainer_set(
            "test_explainers", comparison_set() if test_explainers is None else test_explainers
        )
        consensus = ConsensusLoss(
            spearman_weight,
            normalize=normalize,
            strength=strength,
            backend=rank_backend,
            masker=masker,
        ).explain_with(trained, output)
        self.objective = Objective(
            consensus,
            weight_schedule(consensus_weight, warmup_epochs=warmup_epochs),
            points_per_pass=points_per_pass,
            rows=rows,
            every=every,
            compile=compile,
        )
        self.test_rows = test_rows
        classes = num_classes if task == "classification" else None
        self.val_agreement = AgreementMatrix(
            list(self.validation_explainers), top_k or DEFAULT_TOP_K, num_classes=classes
        )
        self.test_agreement = AgreementMatrix(
            list(self.test_explainers), top_k or DEFAULT_TOP_K, num_classes=classes
        )

    @property
    def consensus(self) -> ConsensusLoss:
        """The consensus loss C, which holds the explainers that are trained to agree."""
        return self.objective.loss  # type: ignore[return-value]

    @property
    def consensus_weight(self) -> float:
        """λ, the share of the consensus loss after the warm-up."""
        return self.objective.schedule.weight

    @property
    def explainers(self) -> dict[str, Explainer]:
        """Explainers that are trained to agree, by name."""
        return self.consensus.explainers

    def on_fit_start(self) -> None:
        """Raise for precisions that cannot train explanations, and fit the baselines.

        Raises:
            ValueError: If the trainer's precision is not supported.
        """
        super().on_fit_start()
        if self.objective.schedule.weight:
            refuse_precision(self.trainer, self.consensus)
        fit_references(self, afresh=self.trainer.ckpt_path is None, inputs_of=self.explained_inputs)

    def on_train_start(self) -> None:
        """Warn if the weight cannot rise in the first epoch."""
        super().on_train_start()
        self.objective.on_train_start(self.trainer)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take reference data only of those evaluation explainers that this module has.

        It can have others than the module that was saved.

        Args:
            checkpoint: The checkpoint.
        """
        super().on_load_checkpoint(checkpoint)
        state, own = checkpoint["state_dict"], self.state_dict()
        for group in ("validation_explainers", "test_explainers"):
            fitted = {n for n, each in getattr(self, group).items() if each.uses_training_data}
            for key in [key for key in state if key.startswith(f"{group}.")]:
                if key not in own and key.split(".")[1] not in fitted:
                    del state[key]
            for key in [key for key in own if key.startswith(f"{group}.")]:
                state.setdefault(key, own[key])

    def on_validation_start(self) -> None:
        """Fit missing baselines, if the data module has them."""
        super().on_validation_start()
        fit_references(self)

    def on_test_start(self) -> None:
        """Fit missing baselines, if the data module has them."""
        super().on_test_start()
        fit_references(self)

    def on_predict_start(self) -> None:
        """Fit missing baselines, if the data module has them."""
        super().on_predict_start()
        fit_references(self)

    # --- training ---------------------------------------------------------------------------

    @property
    def needs_embeddings(self) -> bool:
        """Whether token ids are replaced by their embeddings, which have gradients."""
        return self.objective.loss.needs_floating_inputs

    def training_loss(self, batch: Any) -> dict[str, Tensor]:
        """Return ``L = (1 − λ) CE + λ C`` and its parts.

        Args:
            batch: A batch in any form that :meth:`batch_of` reads.

        Returns:
            ``loss``, ``task_loss`` and, with λ > 0, ``consensus`` and ``ratio``.
        """
        return self.terms(self.objective, self.batch_of(batch)).named("consensus")

    def current_consensus_weight(self) -> float:
        """Return λ at this step, which rises linearly to the constructor's value in the warm-up."""
        return self.objective.weight_at(self.objective.epochs(self.attached_trainer))

    # --- evaluation -------------------------------------------------------------------------

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Log task metrics and the agreement between the validation explainers.

        Args:
            batch: A batch in any form that :meth:`batch_of` reads.
            batch_idx: Index of the batch.
            dataloader_idx: Index of the data loader.
        """
        batch = self.batch_of(batch)
        explained = self._embedded(self.explained(batch), self.validation_explainers)
        logits, saliency, present = self._explain(explained, self.validation_explainers)
        self.log_task("val", batch, logits, dataloader_idx)
        matrix = self.of_loader("val_agreement", dataloader_idx)
        matrix.update(saliency, logits=logits, present=self._present(saliency, present))
        if present is not None and bool(present.all()):
            present = None
        consensus = self.consensus.terms(*saliency.values(), present=present).loss.mean()
        self.log("val_consensus", consensus, batch_size=len(batch), sync_dist=True)
        task_loss = self.task_loss(logits, batch.labels)
        objective = self.objective.weighted(task_loss, consensus, self.consensus_weight)
        self.log("val_objective", objective, batch_size=len(batch), sync_dist=True)
        # rows of constant attributions (dead units, for example) count as correlation 0
        stacked = torch.stack([*saliency.values()]).flatten(2)
        compared = stacked if present is None else filled_with_first(stacked, present)
        constant = constant_rows(compared).sum().float()
        self.log("val_constant_rows", constant, reduce_fx="sum", sync_dist=True)
        saturated = saturated_rows(stacked).any(dim=0).sum()
        self.log("val_saturated_rows", saturated.float(), reduce_fx="sum", sync_dist=True)

    def on_validation_epoch_start(self) -> None:
        """Reset the agreement matrices."""
        self._reset_agreement("val")

    def on_validation_epoch_end(self) -> None:
        """Log the agreements, averaged over the pairs of validation explainers."""
        super().on_validation_epoch_end()
        for number, suffix in enumerate(self.loader_suffixes("val")):
            self._log_agreement("val", self.of_loader("val_agreement", number), suffix)

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Log task metrics and update the agreement matrix of the test explainers.

        Args:
            batch: A batch in any form that :meth:`batch_of` reads.
            batch_idx: Index of the batch.
            dataloader_idx: Index of the data loader.
        """
        batch = self.batch_of(batch)
        self.log_task("test", batch, self.run_backbone(batch), dataloader_idx)
        done = self._rows_explained.get(dataloader_idx, 0)
        left = len(batch) if self.test_rows is None else self.test_rows - done
        if left <= 0 or not len(batch):
            return
        explained = self.explained(batch.rows(slice(left)))
        self._rows_explained[dataloader_idx] = done + len(explained)
        explained = self._embedded(explained, self.test_explainers)
        logits, saliency, present = self._explain(explained, self.test_explainers)
        stochastic: dict[str, Any] = {
            name: each for name, each in self.test_explainers.items() if each.stochastic
        }
        repeats = self._explain(explained, stochastic)[1]
        matrix = self.of_loader("test_agreement", dataloader_idx)
        present = self._present(saliency, present)
        matrix.update(saliency, repeats=repeats, logits=logits, present=present)

    def on_test_epoch_start(self) -> None:
        """Reset the agreement matrices."""
        self._reset_agreement("test")
        self._rows_explained: dict[int, int] = {}

    def on_test_epoch_end(self) -> None:
        """Log the agreements, averaged over trained pairs, untrained pairs and all pairs.

        Pairs with :class:`~pear_lightning.explainers.RandomAttributions` are left out.
        """
        super().on_test_epoch_end()
        for number, suffix in enumerate(self.loader_suffixes("test")):
            self._log_agreement("test", self.of_loader("test_agreement", number), suffix)

    def trained_pairs(self) -> list[tuple[str, str]]:
        """Return the pairs of test explainers whose names are those of trained explainers."""
        trained = [name for name in self.test_explainers if name in self.explainers]
        return list(combinations(trained, 2))

    def untrained_pairs(self) -> list[tuple[str, str]]:
        """Return all other pairs of test explainers, without random attributions."""
        names = [
            name
            for name, explainer in self.test_explainers.items()
            if not isinstance(explainer, RandomAttributions)
        ]
        trained = self.trained_pairs()
        return [pair for pair in combinations(names, 2) if pair not in trained]

    def compared_pairs(self, stage: Literal["val", "test"]) -> dict[str, list[tuple[str, str]]]:
        """Return the pairs of explainers whose mean agreements are logged, by prefix of the names.

        Args:
            stage: ``"val"``, all pairs of validation explainers, with the prefix ``""``; or
                ``"test"``, trained and untrained pairs, ``"trained_"`` and ``"untrained_"``.
        """
        groups = {"": list(combinations(self.validation_explainers, 2))}
        if stage == "test":
            groups = {"trained_": self.trained_pairs(), "untrained_": self.untrained_pairs()}
        return {group: pairs for group, pairs in groups.items() if pairs}

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Return predictions and their explanations by the validation explainers.

        Args:
            batch: A batch in any form that :meth:`batch_of` reads; the target is not used.
            batch_idx: Index of the batch.
            dataloader_idx: Index of the data loader.

        Returns:
            ``logits`` ``(B, C)``, ``prediction`` (the class ``(B,)``, or the value for regression)
            and ``attributions`` of the prediction by name of the explainer, ``(B, *S)``, or
            ``(B, n)`` pooled to the features of the masker.
        """
        batch = self.batch_of(batch, labelled=False)
        prediction = self.prediction(logits := self.run_backbone(batch))
        explained = self.explained(batch.explaining(prediction))
        explained = self._embedded(explained, self.validation_explainers)
        _, attributions, _ = self._explain(explained, self.validation_explainers)
        return {"logits": logits, "prediction": prediction, "attributions": attributions}

    def _embedded(self, batch: Batch, explainers: nn.ModuleDict) -> Batch:
        """Return embeddings if any explainer needs them: all explain one batch, as in training."""
        given: Iterable[Any] = explainers.values()
        needed = any(each.needs_floating_inputs for each in given)
        return embedded(batch, self.backbone) if needed else batch

    def _explain(
        self, batch: Batch, explainers: Mapping[str, Explainer] | nn.ModuleDict
    ) -> tuple[Tensor, dict[str, Tensor], Tensor | None]:
        """Return logits; attributions by name, pooled if there is a masker; present features."""
        logits, attributions = explain_batch(
            self.backbone,
            batch,
            list(explainers.values()),  # type: ignore[arg-type]  # a ModuleDict holds explainers
            output=self.consensus.output,
            points_per_pass=self.objective.points_per_pass,
        )
        masker, present = self.consensus.masker, None
        if masker is not None:
            bound = masker.bind(batch.inputs, batch.sample_data, validate=False)
            attributions = [bound.pool(each) for each in attributions]
            present = bound.present
        return logits, dict(zip(explainers, attributions, strict=True)), present

    def _present(self, saliency: Mapping[str, Tensor], present: Tensor | None) -> Tensor | None:
        """Return the features, which limit a top k that was not chosen, ``(B, n)``."""
        if present is None and self.top_k is None:
            return all_present(next(iter(saliency.values())))
        return present

    def _reset_agreement(self, stage: Literal["val", "test"]) -> None:
        for number in range(len(self.loader_suffixes(stage))):
            self.of_loader(f"{stage}_agreement", number).reset()

    def _log_agreement(
        self, stage: Literal["val", "test"], matrix: AgreementMatrix, suffix: str
    ) -> None:
        # all processes have the same means, of all rows
        how: dict[str, Any] = {"sync_dist": True, "add_dataloader_idx": False}
        for group, pairs in self.compared_pairs(stage).items():
            for metric in matrix.metric_names:
                mean = matrix.mean_over_pairs(metric, pairs)
                self.log(f"{stage}_{group}{metric}{suffix}", mean, **how)
                if stage == "val" and metric == "pairwise_rank_agreement":
                    short = f"agreement{suffix}"
                    self.log(short, mean, prog_bar=True, logger=False, **how)
        share = matrix.common_share()
        if share is not None:
            self.log(f"{stage}_common_share{suffix}", share, **how)
