"""A callback that logs the faithfulness of explanations during training."""

from collections.abc import Callable
from typing import Any, Literal

from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from typing_extensions import override

from pear_lightning.callbacks.explanation_monitor import ExplanationMonitor, Stage
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.explainers.explainer_sets import Explainers
from pear_lightning.masking import Masker
from pear_lightning.metrics import FaithfulnessSuite
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.embedding import embedded
from pear_lightning.scoring.evaluation import copies_that_fit
from pear_lightning.scoring.outputs import OutputFunction, OutputName
from pear_lightning.scoring.scorer import Forward, logits_of
from pear_lightning.training.per_loader import PerLoader


class FaithfulnessMonitor(ExplanationMonitor):
    """Log the faithfulness of explanations in validation and test, for any LightningModule.

    The first rows of each validation (test) are explained and scored with a
    :class:`~pear_lightning.metrics.FaithfulnessSuite`; the means are logged as
    ``val_<explainer>/<metric>``. The module does not have to be changed, but its ``forward`` must
    map inputs to logits. Batches have labels, unless the network has one output, and any form that
    :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads.

    Args:
        masker: Masker that defines the features and the values that replace removed features.
        explainers: Explainers by name, or a list, which are named after their classes; None is
            integrated gradients from zero.
        metrics: Names of the metrics of the suite that are logged; None logs all ten.
        rows: Number of rows that each process explains of each data loader.
        every_n_epochs: Validations of a fit are explained in every n-th epoch; tests always.
        output: The scalar that is explained and evaluated: ``"prob"``, ``"logit"``, ``"log_prob"``
            or ``"margin"``; for a network with one output, ``"logit"``, or a function such as
            ``lambda logits, target: logits[:, 0].sigmoid()``.
        n_steps: Number of steps of removal curves; see the suite.
        n_subsets: Number of random subsets; see the suite.
        subset_size: Size of random subsets; see the suite.
        samples_per_pass: Bound on the perturbed samples in one forward pass.
        model: Name of the submodule or method of the module that is explained, such as ``"net"``;
            None is the module's ``forward``.
        batch_to_inputs: Extracts from a batch inputs and target, in a form that ``Batch.of`` reads;
            None if it reads the batch itself.

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
        explainers: Explainers | None = None,
        *,
        metrics: list[str] | None = None,
        rows: int = 128,
        every_n_epochs: int = 1,
        output: OutputName | OutputFunction = "prob",
        n_steps: int | None = 20,
        n_subsets: int = 50,
        subset_size: int | float | Literal["bernoulli", "uniform"] = 0.1,
        samples_per_pass: int | None = None,
        model: str | None = None,
        batch_to_inputs: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__(
            explainers,
            rows=rows,
            every_n_epochs=every_n_epochs,
            masker=masker,
            output=output,
            model=model,
            batch_to_inputs=batch_to_inputs,
        )
        self.suite = FaithfulnessSuite(
            masker,
            list(self.explainers),
            metrics,
            n_steps=n_steps,
            n_subsets=n_subsets,
            subset_size=subset_size,
            output=output,
            samples_per_pass=samples_per_pass,
            progress=False,  # the trainer shows its own
        )
        self.suites = [self.suite]
        self._copies = PerLoader()

    @override
    def start(self, module: LightningModule, n_loaders: int) -> None:
        """Reset the suite of each data loader."""
        self.suites = [self._copies.of("suite", self.suite, n) for n in range(n_loaders)]
        for suite in self.suites:
            suite.to(module.device)
            suite.reset()

    @override
    def measure(self, module: LightningModule, batch: Batch, stage: Stage, loader: int) -> None:
        """Explain and score rows."""
        network = self.network(module)
        read = batch
        if any(each.needs_floating_inputs for each in self.explainers.values()):
            read = embedded(read, self.embedder(module))
        read = read.explaining(self._explained_class(network, read))
        _, attributions = explain_batch(
            network,
            read,
            list(self.explainers.values()),
            output=self.output,
            points_per_pass=copies_that_fit(read.inputs),
        )
        self.suites[loader].update(
            network,
            read.inputs,
            {n: a.detach() for n, a in zip(self.explainers, attributions, strict=True)},
            read.classes,
            forward_kwargs=read.forward_kwargs,
            masker_kwargs=read.masker_kwargs,
        )

    def _explained_class(self, network: Forward, batch: Batch) -> Tensor | None:
        """Return the labels, or ``None`` for a network with one output, which needs none."""
        target = batch.target
        if logits_of(network, batch.rows(slice(1))).shape[1] == 1:
            return None
        if target is None:
            raise TypeError(
                "batch must have inputs (B, *S) and target (B,) for FaithfulnessMonitor, got no "
                "target"
            )
        if target.is_floating_point():
            raise TypeError(
                "target must hold integers, the explained classes, for FaithfulnessMonitor, got "
                f"{target.dtype}"
            )
        return target.flatten()

    @override
    def log_values(
        self, trainer: Trainer, module: LightningModule, stage: Stage, loader: int, suffix: str
    ) -> None:
        """Log the means over all processes."""
        means = self.suites[loader].compute()
        named = {f"{stage}_{name}{suffix}": value for name, value in means.items()}
        # all processes have the same means
        module.log_dict(named, sync_dist=True, add_dataloader_idx=False)
