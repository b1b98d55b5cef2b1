"""A callback that logs the agreement of explainers during training."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor
from typing_extensions import override

from pear_lightning.callbacks.explanation_monitor import ExplanationMonitor, Stage
from pear_lightning.explainers import InputXGradient, IntegratedGradients, RandomAttributions
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.explainers.explainer_sets import Explainers
from pear_lightning.figures import blank_axes, check_plot_extra, log_figure, log_text
from pear_lightning.functional.agreement import AGREEMENT_NAMES, AgreementName, check_k
from pear_lightning.functional.unit_rows import saturated_rows
from pear_lightning.functional.validation import check_choice
from pear_lightning.masking import Masker
from pear_lightning.metrics import AgreementMatrix, CommonShare
from pear_lightning.metrics.agreement.comparable import DEFAULT_TOP_K, all_present
from pear_lightning.reports import explain_samples
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.evaluation import copies_that_fit
from pear_lightning.scoring.outputs import OutputName
from pear_lightning.training.per_loader import PerLoader


class AgreementMonitor(ExplanationMonitor):
    """Log the agreement of explainers in validation and test, for any LightningModule.

    The first rows of each validation (test) are explained by all explainers, and the six agreement
    metrics of every pair are measured with an :class:`~pear_lightning.metrics.AgreementMatrix`. The
    callback logs

    - ``val_agreement/<metric>``, the mean over the pairs without
      :class:`~pear_lightning.explainers.RandomAttributions`, and with more than one pair
      ``val_agreement/<metric>/<explainer>-<explainer>``;
    - ``val_agreement/common_share``, the variance of what all logits have in common
      (:class:`~pear_lightning.metrics.CommonShare`);
    - ``val_agreement/saturated_rows``, the number of rows of which an explanation vanishes (below
      1e-19 in float32), as that of the probability does where a network is certain.

    Several data loaders are measured separately. The module does not have to be changed, but its
    ``forward`` (or ``model``) must map inputs to logits.
    :class:`~pear_lightning.callbacks.AgreementTable` prints the values.

    The label is explained; the predicted class where a batch has no labels.

    Args:
        masker: Defines the features; attributions are pooled to its features (patches, tokens)
            before they are compared, and features that a sample lacks, such as padding, are left
            out. ``None`` compares element by element.
        explainers: Explainers by name, or a list, which are named after their classes; ``None`` is
            input x gradient and integrated gradients from zero.
        top_k: k of the top-k metrics: a number of features, or a share of them; ``None`` for 5, or
            all features if there are fewer. With a masker, a sample with fewer than k features has
            all of them in its top k.
        rows: Number of rows that each process explains of each data loader.
        every_n_epochs: Validations of a fit are explained in every n-th epoch; tests always.
        output: Scalar that is explained; see :func:`~pear_lightning.explainers.explain`.
        metric: Metric of the table and the figure.
        log_pairs: Whether to log the values of every pair.
        log_table: Whether to log the matrix of ``metric`` as a text; see
            :func:`~pear_lightning.figures.log_text`.
        log_figure: Whether to log the matrix of ``metric`` as a heat map; see
            :func:`~pear_lightning.figures.log_figure`. Requires the ``plot`` extra.
        points_per_pass: Bound on the query points of each sample in one pass.
        model: Name of the submodule or method of the module that is explained, such as ``"net"``;
            ``None`` is the module's ``forward``.
        batch_to_inputs: Extracts from a batch inputs and target, in a form that
            :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads; ``None`` if it reads the batch
            itself.

    Attributes:
        matrix: Matrix of the last evaluation, of its first data loader; :meth:`matrix_of` returns
            the others. Its diagonal holds the agreement of stochastic
            explainers with themselves after a test, and after validations with table or figure.

    Raises:
        TypeError: If an argument is of the wrong type, or a batch cannot be read.
        ValueError: If there are fewer than two explainers, or an argument is out of range.
        ImportError: If a figure is requested and matplotlib is missing.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from pear_lightning.datamodules import BreastCancer
        >>> from pear_lightning.explainers import Gradient
        >>> from pear_lightning.modules import ScoresActivationModule
        >>> from pear_lightning.nn import MLP
        >>> monitor = AgreementMonitor(explainers=[Gradient(), IntegratedGradients()])
        >>> trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False,
        ...                   enable_model_summary=False, callbacks=[monitor])
        >>> model, data = ScoresActivationModule(MLP(30)), BreastCancer(val_fraction=0.25)
        >>> logged = trainer.validate(model, data, verbose=False)[0]
        >>> "val_agreement/pairwise_rank_agreement" in logged
        True
    """

    def __init__(
        self,
        masker: Masker | None = None,
        explainers: Explainers | None = None,
        *,
        top_k: int | float | None = None,
        rows: int = 128,
        every_n_epochs: int = 1,
        output: OutputName = "centered_logit",
        metric: AgreementName = "pairwise_rank_agreement",
        log_pairs: bool = True,
        log_table: bool = False,
        log_figure: bool = False,
        points_per_pass: int | None = None,
        model: str | None = None,
        batch_to_inputs: Callable[[Any], Any] | None = None,
    ) -> None:
        if explainers is None:
            explainers = [InputXGradient(), IntegratedGradients()]
        super().__init__(
            explainers,
            least=2,
            rows=rows,
            every_n_epochs=every_n_epochs,
            masker=masker,
            output=output,
            model=model,
            batch_to_inputs=batch_to_inputs,
        )
        check_choice("metric", metric, AGREEMENT_NAMES)
        check_k("top_k", top_k)
        self.metric: AgreementName = metric
        self.log_pairs = log_pairs
        self.log_table = log_table
        self.log_figure = log_figure
        self.points_per_pass = points_per_pass
        self.top_k = top_k
        self.matrix = AgreementMatrix(list(self.explainers), top_k or DEFAULT_TOP_K)
        self._of_loaders = [_Measured(self.matrix)]
        self._copies = PerLoader()

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Fit the masker, and raise if matplotlib is needed and missing."""
        super().setup(trainer, pl_module, stage)
        if self.log_figure:
            check_plot_extra()

    def matrix_of(self, loader: int) -> AgreementMatrix | None:
        """Return the matrix of a data loader of the last evaluation; ``None`` if there is none.

        Args:
            loader: Index of the data loader.
        """
        return self._of_loaders[loader].matrix if loader < len(self._of_loaders) else None

    @override
    def start(self, module: LightningModule, n_loaders: int) -> None:
        """Reset the matrix of each data loader."""
        matrices = [self._copies.of("matrix", self.matrix, n) for n in range(n_loaders)]
        self._of_loaders = [_Measured(matrix) for matrix in matrices]
        for matrix in matrices:
            matrix.to(module.device)
            matrix.reset()

    @override
    def measure(self, module: LightningModule, batch: Batch, stage: Stage, loader: int) -> None:
        """Explain rows and compare their explanations."""
        samples = explain_samples(
            self.network(module),
            batch,
            range(len(batch)),
            self.explainers,
            target="label",
            output=self.output,
            points_per_pass=self.points_per_pass,
            embedder=self.embedder(module),
        )
        repeated = {}
        if stage == "test" or self.log_table or self.log_figure:
            repeated = {name: e for name, e in self.explainers.items() if e.stochastic}
        second: list[Tensor] = []
        if repeated:
            _, second = explain_batch(
                self.network(module),
                samples.batch,
                list(repeated.values()),
                output=self.output,
                points_per_pass=self.points_per_pass or copies_that_fit(samples.batch.inputs),
            )
        again = {name: each.detach() for name, each in zip(repeated, second, strict=True)}
        first = dict(samples.attributions)
        present = all_present(next(iter(first.values()))) if self.top_k is None else None
        if self.masker is not None:
            bound = self.masker.bind(samples.batch.inputs, samples.batch.sample_data)
            first, again = (
                {name: bound.pool(each) for name, each in explanations.items()}
                for explanations in (first, again)
            )
            present = bound.present
        measured = self._of_loaders[loader]
        measured.matrix.update(first, repeats=again, present=present)
        stacked = torch.stack([*first.values()]).flatten(2)
        measured.saturated_rows += saturated_rows(stacked).any(dim=0).sum().item()
        classes = samples.logits.shape[1]
        if classes > 1:
            if measured.share is None:
                measured.share = CommonShare(classes).to(module.device)
            measured.share.update(samples.logits)

    @override
    def log_values(
        self, trainer: Trainer, module: LightningModule, stage: Stage, loader: int, suffix: str
    ) -> None:
        """Log the agreements over all processes."""
        measured = self._of_loaders[loader]
        matrix = measured.matrix
        controls = [n for n, e in self.explainers.items() if isinstance(e, RandomAttributions)]
        pairs = list(combinations(self.explainers, 2))
        chosen = [pair for pair in pairs if not set(pair) & set(controls)] or pairs
        values: dict[str, Tensor] = {}
        matrices = matrix.compute()
        for metric in matrix.metric_names:
            values[metric] = matrix.mean_over_pairs(metric, chosen)
            if self.log_pairs and len(pairs) > 1:
                for (i, a), (j, b) in combinations(enumerate(self.explainers), 2):
                    values[f"{metric}/{a}-{b}"] = matrices[metric][i, j]
        share = _common_share(trainer, module, measured)
        if share is not None:
            values["common_share"] = share
        means = {f"{stage}_agreement/{name}{suffix}": value for name, value in values.items()}
        # all processes have the same means
        module.log_dict(means, sync_dist=True, add_dataloader_idx=False)
        saturated = f"{stage}_agreement/saturated_rows{suffix}"
        module.log(
            saturated,
            measured.saturated_rows,
            reduce_fx="sum",
            sync_dist=True,
            add_dataloader_idx=False,
        )
        self._show(trainer, f"{stage}_agreement{suffix}", matrix, share)

    @rank_zero_only
    def _show(
        self, trainer: Trainer, name: str, matrix: AgreementMatrix, share: Tensor | None
    ) -> None:
        if self.log_table:
            table = matrix.to_table(self.metric)
            if share is not None:
                table += f"\ncommon share of the logits: {float(share):.3f}"
            log_text(trainer.loggers, name, table, trainer.global_step)
        if self.log_figure:
            size = len(self.explainers)
            ax = blank_axes(2.5 + 0.75 * size, 2 + 0.7 * size)
            figure, _ = matrix.plot(self.metric, ax)
            log_figure(trainer.loggers, name, figure, trainer.global_step)


@dataclass
class _Measured:
    """What is measured of a data loader."""

    matrix: AgreementMatrix
    share: CommonShare | None = None
    saturated_rows: float = 0.0


def _common_share(trainer: Trainer, module: LightningModule, measured: _Measured) -> Tensor | None:
    """Return the share over all processes, some of which may have no rows."""
    classes = torch.tensor(0 if measured.share is None else measured.share.num_classes)
    most: Any = trainer.strategy.reduce(classes.to(module.device), reduce_op="max")
    if int(most) == 0:
        return None
    if measured.share is None:
        measured.share = CommonShare(int(most)).to(module.device)
    value: Tensor = measured.share.compute()
    return value
