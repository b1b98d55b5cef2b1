"""A callback that prints a table of results at the end of a run."""

from collections.abc import Iterable, Mapping

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only
from rich.console import Console
from rich.table import Table
from torch import Tensor
from typing_extensions import override

from pear_lightning.callbacks.agreement_monitor import AgreementMonitor
from pear_lightning.metrics import AgreementMatrix

_MONITORED = "agreement/"  # how AgreementMonitor begins its names


class AgreementTable(Callback):
    """Print accuracy and explainer agreement side by side at the end of fit, validate and test.

    The callback uses the metrics logged by the module and an
    :class:`~pear_lightning.metrics.AgreementMatrix`: that of the module (``val_agreement``,
    ``test_agreement``), which :class:`~pear_lightning.modules.PEAR` has, and those of an
    :class:`~pear_lightning.callbacks.AgreementMonitor` of the trainer, which measures any module. A
    test also prints the matrix of one metric, with self-agreement on the diagonal.

    Args:
        matrix_metric: Metric whose matrix a test prints; ``None`` prints no matrix.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> trainer = Trainer(accelerator="cpu", logger=False, callbacks=[AgreementTable()])
    """

    def __init__(self, matrix_metric: str | None = "pairwise_rank_agreement") -> None:
        self.matrix_metric = matrix_metric

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the table of the last validation; without validation, the last training losses."""
        validated = any(name.startswith("val_") for name in trainer.callback_metrics)
        if validated:
            self._print_summary("val", "Validation", trainer, pl_module)
        else:
            self._print_summary("train", "Training", trainer, pl_module)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the table of ``trainer.validate``; validations within fit print none."""
        if trainer.state.fn == "validate":
            self._print_summary("val", "Validation", trainer, pl_module)

    @override
    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the table of the test, and the matrix."""
        self._print_summary("test", "Test", trainer, pl_module)
        if self.matrix_metric is not None:
            for matrix in _matrices(trainer, pl_module, "test").values():
                self._print_matrix(matrix, self.matrix_metric)

    @rank_zero_only
    def _print_summary(
        self, stage: str, title: str, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        logged = {
            name.removeprefix(f"{stage}_"): value
            for name, value in trainer.callback_metrics.items()
            if name.startswith(f"{stage}_")
        }
        agreements = {
            name: logged.pop(name)
            for name in list(logged)
            if name.endswith(AgreementMatrix.metric_names) or name.startswith(_MONITORED)
        }
        if not logged:
            return
        if trainer.progress_bar_callback is not None:
            # a progress bar that is still live would be drawn again below the table
            trainer.progress_bar_callback.teardown(trainer, pl_module, stage=stage)
        results = Table(title=f"{title}: {type(pl_module).__name__}")
        for name in logged:
            results.add_column(name.replace("_", " "), justify="right")
        results.add_row(*(f"{value:.4f}" for value in logged.values()))
        console = Console()  # no attribute: its lock cannot be pickled, as ddp_spawn does
        console.print(results)
        for groups, matrix in _matrices(trainer, pl_module, stage).items():
            if any(group + matrix.metric_names[0] in agreements for group in groups):
                console.print(_agreements(agreements, groups, matrix))

    @rank_zero_only
    def _print_matrix(self, matrix: AgreementMatrix, metric: str) -> None:
        values = matrix.compute()[metric]
        table = Table(title=metric.replace("_", " ") + " (diagonal: with itself)")
        table.add_column("explainer")
        for number in range(1, len(matrix.names) + 1):
            table.add_column(str(number), justify="right")
        for number, (name, row) in enumerate(zip(matrix.names, values, strict=True), start=1):
            table.add_row(f"{number} {name.replace('_', ' ')}", *(f"{value:.3f}" for value in row))
        Console().print(table)


def _matrices(
    trainer: Trainer, module: LightningModule, stage: str
) -> dict[tuple[str, ...], AgreementMatrix]:
    """Return the matrices of an evaluation, by the prefixes under which their means are logged."""
    matrices: dict[tuple[str, ...], AgreementMatrix] = {}
    of_module = getattr(module, f"{stage}_agreement", None)
    if isinstance(of_module, AgreementMatrix):
        matrices["", "trained_", "untrained_"] = of_module
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    for callback in callbacks:
        if isinstance(callback, AgreementMonitor) and callback.matrix.update_called:
            matrices[_MONITORED,] = callback.matrix
    return matrices


def _agreements(
    logged: Mapping[str, Tensor], groups: Iterable[str], matrix: AgreementMatrix
) -> Table:
    """Return the table of the six agreement metrics, one column per group of pairs."""
    groups = [g for g in groups if f"{g}{matrix.metric_names[0]}" in logged]
    monitored = " (AgreementMonitor)" if _MONITORED in groups else ""
    table = Table(title=f"agreement of explainers{monitored}")
    table.add_column("metric")
    for group in groups:
        name = "" if group == _MONITORED else group.removesuffix("_")
        table.add_column(f"{name} pairs".strip(), justify="right")
    chance = matrix.chance() if len(matrix.feature_counts) == 1 else {}
    if chance:
        table.add_column("chance", justify="right")
    for metric in matrix.metric_names:
        values = (f"{logged[group + metric]:.3f}" for group in groups)
        last = [f"{chance[metric]:.3f}"] if chance else []
        table.add_row(metric.replace("_", " "), *values, *last)
    return table
