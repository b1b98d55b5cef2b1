"""A callback that logs the faithfulness of explanations during training."""

from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from pear_lightning.explainers import Explainer, IntegratedGradients
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.masking import Masker
from pear_lightning.metrics import FaithfulnessSuite
from pear_lightning.scoring.batch import Batch, form_of
from pear_lightning.scoring.embedding import embedded
from pear_lightning.scoring.outputs import OutputName

Stage = Literal["val", "test"]


class FaithfulnessMonitor(Callback):
    """Log the faithfulness of explanations in validation and test, for any LightningModule.

    The first rows of each validation (test) are explained and scored with a
    :class:`~pear_lightning.metrics.FaithfulnessSuite`; the means are logged as
    ``val_<explainer>/<metric>``. The module does not have to be changed, but its ``forward`` must
    map inputs to logits. Batches have labels and any form that
    :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads.

    Args:
        masker: Masker that defines the features and the values that replace removed features.
        explainers: Explainers by name; None is integrated gradients from zero.
        metrics: Names of the metrics of the suite that are logged; None logs all ten.
        rows: Number of rows that each process explains in an evaluation.
        every_n_epochs: Validations of a fit are explained in every n-th epoch; tests always.
        output: The scalar that is explained and evaluated: ``"prob"``, ``"logit"``, ``"log_prob"``
            or ``"margin"``.
        n_steps: Number of steps of removal curves; see the suite.
        n_subsets: Number of random subsets; see the suite.
        subset_size: Size of random subsets; see the suite.
        samples_per_pass: Bound on the perturbed samples in one forward pass.

    Raises:
        ValueError: If a number is not positive, ``explainers`` is empty, or a metric is unknown.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from pear_lightning.masking import ColumnMasker
        >>> monitor = FaithfulnessMonitor(ColumnMasker(30), metrics=["deletion", "insertion"])
        >>> trainer = Trainer(accelerator="cpu", logger=False, callbacks=[monitor])
    """

    def __init__(
        self,
        masker: Masker,
        explainers: dict[str, Explainer] | None = None,
        *,
        metrics: list[str] | None = None,
        rows: int = 128,
        every_n_epochs: int = 1,
        output: OutputName = "prob",
        n_steps: int | None = 20,
        n_subsets: int = 50,
        subset_size: int | float | Literal["bernoulli", "uniform"] = 0.1,
        samples_per_pass: int | None = None,
    ) -> None:
        for name, number in (("rows", rows), ("every_n_epochs", every_n_epochs)):
            if number < 1:
                raise ValueError(f"{name} must be at least 1, got {number}")
        if explainers is not None and not explainers:
            raise ValueError("explainers must hold at least one explainer or be None, got {}")
        self.masker = masker
        self.explainers = explainers or {"integrated_gradients": IntegratedGradients()}
        self.rows = rows
        self.every_n_epochs = every_n_epochs
        self.output = output
        settings: dict[str, Any] = {
            "n_steps": n_steps,
            "n_subsets": n_subsets,
            "subset_size": subset_size,
            "output": output,
            "samples_per_pass": samples_per_pass,
        }
        suite = FaithfulnessSuite(masker, list(self.explainers), **settings)
        if metrics is not None:
            if unknown := set(metrics) - set(suite.metrics):
                raise ValueError(
                    f"metrics must be names among {list(suite.metrics)}, got {sorted(unknown)}"
                )
            chosen = {name: suite.metrics[name] for name in metrics}
            suite = FaithfulnessSuite(masker, list(self.explainers), chosen, **settings)
        self.suite = suite
        self._wanted = self._left = 0

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Fit masker and explainers to the training data of the data module, if they need them."""
        datamodule: Any = trainer.datamodule  # type: ignore[attr-defined]
        if not (hasattr(datamodule, "training_mean") and hasattr(datamodule, "training_rows")):
            return
        if self.masker.baseline.from_training_data:
            self.masker.fit(datamodule.training_mean)
        for explainer in self.explainers.values():
            if explainer.awaits_training_data:
                explainer.fit_reference(datamodule.training_mean, datamodule.training_rows(1024))

    @override
    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start to explain, unless this validation is skipped."""
        skipped = trainer.sanity_checking or (
            trainer.state.fn == "fit" and (trainer.current_epoch + 1) % self.every_n_epochs
        )
        self._start(pl_module, 0 if skipped else self.rows)

    @override
    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start to explain."""
        self._start(pl_module, self.rows)

    @override
    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Explain and score rows of the batch until ``rows`` is reached."""
        self._take(pl_module, batch)

    @override
    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Explain and score rows of the batch until ``rows`` is reached."""
        self._take(pl_module, batch)

    @override
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the means."""
        self._log(pl_module, "val")

    @override
    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the means."""
        self._log(pl_module, "test")

    def _start(self, module: LightningModule, rows: int) -> None:
        self.suite.to(module.device)
        for explainer in self.explainers.values():
            explainer.to(module.device)
        self.suite.reset()
        self._wanted = self._left = rows

    def _take(self, module: LightningModule, batch: Any) -> None:
        if self._left <= 0:
            return
        read = self._read(module, batch).rows(slice(self._left))
        _, attributions = explain_batch(
            module, read, list(self.explainers.values()), output=self.output
        )
        self.suite.update(
            module,
            read.inputs,
            {n: a.detach() for n, a in zip(self.explainers, attributions, strict=True)},
            read.classes,
            forward_kwargs=read.forward_kwargs,
            masker_kwargs=read.masker_kwargs,
        )
        self._left -= len(read)

    def _read(self, module: LightningModule, batch: Any) -> Batch:
        """Read a batch; its labels are the explained classes."""
        read = Batch.of(batch)
        if read.target is None:
            raise TypeError(
                "batch must have inputs (B, *S) and target (B,) for FaithfulnessMonitor, got "
                f"{form_of(batch)}"
            )
        if read.target.is_floating_point():
            raise TypeError(
                "target must hold integers, the explained classes, for FaithfulnessMonitor, got "
                f"{read.target.dtype}"
            )
        read = read.explaining(read.target.flatten())
        if any(each.needs_floating_inputs for each in self.explainers.values()):
            read = embedded(read, getattr(module, "backbone", module))
        return read

    def _log(self, module: LightningModule, stage: Stage) -> None:
        if not self._wanted:
            return
        means = {f"{stage}_{name}": value for name, value in self.suite.compute().items()}
        module.log_dict(means)  # the means over all processes
