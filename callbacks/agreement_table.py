"""A callback that prints a table of results at the end of a run."""

from collections.abc import Mapping
from typing import Literal

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info, rank_zero_only
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import Tensor
from typing_extensions import override

from pear_lightning.callbacks.agreement_monitor import AgreementMonitor
from pear_lightning.callbacks.last_epoch import about_the_last_epoch
from pear_lightning.callbacks.plain_training import PlainTraining
from pear_lightning.callbacks.table_of_agreements import MONITORED, caption, table_of_agreements
from pear_lightning.metrics import AgreementMatrix

Stage = Literal["train", "val", "test"]


class AgreementTable(Callback):
    """Print accuracy and explainer agreement side by side at the end of fit, validate and test.

    The callback uses the metrics logged by the module and an
    :class:`~pear_lightning.metrics.AgreementMatrix`: that of the module (``val_agreement``,
    ``test_agreement``), which :class:`~pear_lightning.modules.PEAR` has, and those of an
    :class:`~pear_lightning.callbacks.AgreementMonitor` of the trainer, which measures any module.
    Below the agreements stand the pairs of explainers and the number of features. A test also
    prints the matrix of one metric, with self-agreement on the diagonal. The values at the end of a
    fit are those of the last epoch; if ``EarlyStopping`` ended the fit, or ``ModelCheckpoint`` kept
    the best epoch, a line below says so and names the checkpoint.

    Args:
        matrix_metric: Metric whose matrix a test prints; ``None`` prints no matrix.
        compare: Whether a fit of :class:`~pear_lightning.modules.PEAR` also trains the same network
            without PEAR, from the same initial weights, and prints both. The additional training
            takes a fraction of the time, because it explains in validation only. A fit that resumes
            or uses several devices is not compared.

    Raises:
        TypeError: When a fit starts with ``compare=True``, if the module is not a PEAR module.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> trainer = Trainer(accelerator="cpu", logger=False, callbacks=[AgreementTable()])
    """

    def __init__(
        self, matrix_metric: str | None = "pairwise_rank_agreement", compare: bool = False
    ) -> None:
        self.matrix_metric = matrix_metric
        self.compare = compare
        self._plain: PlainTraining | None = None
        self._validated = 0  # epoch of the last validation

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Copy the untrained module, if it is trained without PEAR as well."""
        if not self.compare or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        if trainer.world_size > 1 or trainer.ckpt_path is not None:
            rank_zero_info(
                "AgreementTable(compare=True) compares fits on one device that start from the "
                "beginning; train once more with consensus_weight=0 to compare this one"
            )
            return
        self._plain = PlainTraining(trainer, pl_module)

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the table of the last validation; without validation, the last training losses."""
        plain = {} if self._plain is None else self._plain.results(trainer)
        self._plain = None
        if any(name.startswith("val_") for name in trainer.callback_metrics):
            note = about_the_last_epoch(trainer, self._validated)
            self._print_summary("val", "Validation", trainer, pl_module, plain, note)
        else:
            note = about_the_last_epoch(trainer, trainer.current_epoch - 1)
            self._print_summary("train", "Training", trainer, pl_module, plain, note)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the table of ``trainer.validate``; validations within fit print none."""
        self._validated = trainer.current_epoch
        if trainer.state.fn == "validate":
            self._print_summary("val", "Validation", trainer, pl_module, {})

    @override
    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the table of the test, and the matrix."""
        self._print_summary("test", "Test", trainer, pl_module, {})
        if self.matrix_metric is not None:
            for loader in range(len(trainer.num_test_batches)):
                for matrix in _matrices(trainer, pl_module, "test", loader).values():
                    self._print_matrix(matrix, self.matrix_metric)

    @rank_zero_only
    def _print_summary(
        self,
        stage: Stage,
        title: str,
        trainer: Trainer,
        pl_module: LightningModule,
        plain: Mapping[str, Tensor],
        note: str | None = None,
    ) -> None:
        of_loaders = _by_loader(stage, trainer.callback_metrics)
        if not of_loaders:
            return
        if trainer.progress_bar_callback is not None:
            # a progress bar that is still live would be drawn again below the table
            trainer.progress_bar_callback.teardown(trainer, pl_module, stage=stage)
        of_plain = _by_loader(stage, plain)
        name = type(pl_module).__name__
        console = Console()  # no attribute: its lock cannot be pickled, as ddp_spawn does
        for loader, (logged, agreements) in sorted(of_loaders.items()):
            others, other_agreements = of_plain.get(loader, ({}, {}))
            if logged:
                console.print(_results(f"{title}: {name}{_of(loader)}", name, logged, others))
            for groups, matrix in _matrices(trainer, pl_module, stage, int(loader or 0)).items():
                if any(group + matrix.metric_names[0] in agreements for group in groups):
                    console.print(
                        table_of_agreements(agreements, other_agreements, groups, name, matrix)
                    )
                    console.print(Text(caption(stage, groups, pl_module, matrix)))
        if note is not None:
            console.print(Text(note), soft_wrap=True)  # a path is not wrapped

    @rank_zero_only
    def _print_matrix(self, matrix: AgreementMatrix, metric: str) -> None:
        values = matrix.compute()[metric]
        table = Table(title=metric.replace("_", " ") + " (diagonal: with itself)")
        table.add_column("explainer")
        for number in range(1, len(matrix.names) + 1):
            table.add_column(str(number), justify="right")
        for number, (name, row) in enumerate(zip(matrix.names, values, strict=True), start=1):
            shown = Text(f"{number} {name.replace('_', ' ')}")  # square brackets are no markup
            table.add_row(shown, *(f"{value:.3f}" for value in row))
        Console().print(table)


def _by_loader(
    stage: Stage, metrics: Mapping[str, Tensor]
) -> dict[str, tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """Return the metrics of a stage for each data loader: agreements apart from the others."""
    found: dict[str, tuple[dict[str, Tensor], dict[str, Tensor]]] = {}
    for name, value in metrics.items():
        if name.startswith(f"{stage}_"):
            name, _, loader = name.removeprefix(f"{stage}_").partition("/dataloader_idx_")
            agrees = name.endswith(AgreementMatrix.metric_names) or name.startswith(MONITORED)
            found.setdefault(loader, ({}, {}))[agrees][name] = value
    return found


def _results(
    title: str, name: str, logged: Mapping[str, Tensor], plain: Mapping[str, Tensor]
) -> Table:
    """Return the table of all other metrics, a row for each, with those without PEAR if given."""
    table = Table(title=title)
    table.add_column("metric")
    table.add_column(name if plain else "value", justify="right")
    if plain:
        table.add_column(f"without {name}", justify="right")
    for metric, value in logged.items():
        cells = [f"{value:.4f}"]
        if plain:
            cells.append(f"{plain[metric]:.4f}" if metric in plain else "")
        table.add_row(Text(metric.replace("_", " ")), *cells)
    return table


def _of(loader: str) -> str:
    return f", data loader {loader}" if loader else ""


def _matrices(
    trainer: Trainer, module: LightningModule, stage: Stage, loader: int
) -> dict[tuple[str, ...], AgreementMatrix]:
    """Return the matrices of a data loader, by the prefixes under which their means are logged."""
    matrices: dict[tuple[str, ...], AgreementMatrix] = {}
    name = f"{stage}_agreement"
    of_module = getattr(module, name, None)
    of_loader = getattr(module, "of_loader", None)
    if isinstance(of_module, AgreementMatrix) and callable(of_loader):
        of_module = of_loader(name, loader)
    if isinstance(of_module, AgreementMatrix):
        matrices["", "trained_", "untrained_"] = of_module
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    for callback in callbacks:
        if isinstance(callback, AgreementMonitor):
            monitored = callback.matrix_of(loader)
            if monitored is not None and monitored.update_called:
                matrices[MONITORED,] = monitored
    return matrices
