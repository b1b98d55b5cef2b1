"""The history of feature scores over training."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import Tensor
from typing_extensions import override

from pear_lightning.figures import check_plot_extra, draw_scores, log_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ScoresLogger(Callback):
    """Record a module's feature scores over training, and show them as table, file and figure.

    The callback reads ``scores`` ``(n,)`` of the module, which
    :class:`~pear_lightning.modules.ScoresActivationModule` and
    :class:`~pear_lightning.modules.DeepLasso` have: before training, at the end of every
    ``every_n_epochs``-th epoch, and after training. Checkpoints contain the history.

    Args:
        every_n_epochs: Epochs from one reading to the next, at least 1.
        feature_names: Name of each feature; ``None`` for those of the module
            (``feature_names()``), which come from the datamodule.
        csv: File for the history, one row per reading; ``None`` for no file.
        figure: File for the figure, such as ``scores.png``; ``None`` for no file. Requires the
            ``plot`` extra.
        log_figure: Whether to log the figure with the loggers of the trainer after training; those
            that take no figures (``CSVLogger``) get a file, see
            :func:`~pear_lightning.figures.log_figure`. Requires the ``plot`` extra.
        table: Whether to print the scores after training, together with the module's
            ``effective_scores()`` if it has them.
        top: Number of features named in table and figure, those with the largest scores.

    Attributes:
        names: Names of the features, after training has started.
        epochs: Epoch of each reading; 0 is before training.

    Raises:
        ValueError: If a number is below 1, or the number of names is not that of the features.
        TypeError: If the module has no scores.
        ImportError: If a figure is requested and matplotlib is missing.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from pear_lightning.datamodules import BreastCancer
        >>> from pear_lightning.modules import ScoresActivationModule
        >>> from pear_lightning.nn import MLP
        >>> scores = ScoresLogger(table=False)
        >>> trainer = Trainer(max_epochs=2, accelerator="cpu", logger=False, callbacks=[scores],
        ...                   enable_checkpointing=False, enable_progress_bar=False,
        ...                   enable_model_summary=False)
        >>> trainer.fit(ScoresActivationModule(MLP(30)), BreastCancer(val_fraction=0.25))
        >>> scores.history.shape, scores.epochs, scores.names[0]
        (torch.Size([3, 30]), [0, 1, 2], 'mean radius')
    """

    def __init__(
        self,
        every_n_epochs: int = 1,
        *,
        feature_names: list[str] | None = None,
        csv: str | None = None,
        figure: str | None = None,
        log_figure: bool = False,
        table: bool = True,
        top: int = 15,
    ) -> None:
        for name, value in {"every_n_epochs": every_n_epochs, "top": top}.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        self.every_n_epochs = every_n_epochs
        self.feature_names = feature_names
        self.csv = csv
        self.figure = figure
        self.log_figure = log_figure
        self.table = table
        self.top = top
        self.names: list[str] = []
        self.epochs: list[int] = []
        self._scores: list[list[float]] = []
        self._resumed = False

    @property
    def history(self) -> Tensor:
        """Scores of each reading, ``(T, n)``."""
        return torch.tensor(self._scores)

    @property
    @override
    def state_key(self) -> str:
        return f"ScoresLogger(every_n_epochs={self.every_n_epochs}, csv={self.csv!r})"

    @override
    def state_dict(self) -> dict[str, Any]:
        """Return the history as plain values."""
        return {"names": self.names, "epochs": self.epochs, "scores": self._scores}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the history of a checkpoint."""
        self.names = list(state_dict["names"])
        self.epochs = list(state_dict["epochs"])
        self._scores = [list(scores) for scores in state_dict["scores"]]
        self._resumed = True

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Raise before training what would otherwise fail after it."""
        if not isinstance(getattr(pl_module, "scores", None), Tensor):
            raise TypeError(
                f"the module must have scores (n,), got {type(pl_module).__name__}; use "
                "ScoresActivationModule or DeepLasso, or give your module a property scores"
            )
        if stage == "fit" and (self.figure is not None or self.log_figure):
            check_plot_extra()

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start a history, unless it was restored from a checkpoint."""
        scores: Any = pl_module.scores
        names = self.feature_names
        if names is None and hasattr(pl_module, "feature_names"):
            named: Any = pl_module.feature_names
            names = named()
        if names is None:
            names = [f"feature_{number}" for number in range(len(scores))]
        if len(names) != len(scores):
            raise ValueError(
                f"feature_names must have a name for each of the {len(scores)} scores of the "
                f"module, got {len(names)}"
            )
        if not self._resumed:
            self.epochs, self._scores = [], []
            self._read(0, pl_module)
        self._resumed = False
        self.names = list(names)

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the scores of every n-th epoch."""
        if (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            self._read(trainer.current_epoch + 1, pl_module)

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the final scores, and show them."""
        self._read(trainer.current_epoch, pl_module)
        self._show(trainer, pl_module)

    def plot(self) -> "Figure":
        """Draw the scores over the epochs, and the last ones as bars.

        Returns:
            The figure, which is not registered with ``pyplot`` and needs no closing.

        Raises:
            ImportError: If matplotlib is missing.
            RuntimeError: If there are no scores yet.
        """
        if not self._scores:
            raise RuntimeError("there are no scores yet; train a module with this callback first")
        return draw_scores(self.names, self.epochs, self.history, self._order())

    def _order(self) -> list[int]:
        """Return the features with the largest last scores, largest first."""
        last = self.history[-1]
        order: list[int] = last.argsort(descending=True, stable=True)[: self.top].tolist()
        return order

    def _read(self, epoch: int, pl_module: LightningModule) -> None:
        if self.epochs and self.epochs[-1] == epoch:
            return
        scores: Any = pl_module.scores
        self.epochs.append(epoch)
        self._scores.append(scores.detach().float().cpu().tolist())

    @rank_zero_only
    def _show(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.csv is not None:
            _write_csv(Path(self.csv), self.names, self.epochs, self._scores)
        if self.table:
            if trainer.progress_bar_callback is not None:
                # a live progress bar would be drawn again below the table
                trainer.progress_bar_callback.teardown(trainer, pl_module, stage="fit")
            Console().print(self._table(pl_module))
        if self.figure is None and not self.log_figure:
            return
        figure = self.plot()
        if self.figure is not None:
            Path(self.figure).parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(self.figure, dpi=150)
        if self.log_figure:
            log_figure(trainer.loggers, "scores", figure, trainer.global_step)

    def _table(self, pl_module: LightningModule) -> Table:
        last, order = self._scores[-1], self._order()
        effective: Any = getattr(pl_module, "effective_scores", lambda: None)()
        largest = max(abs(score) for score in last) or 1.0
        table = Table(title=f"feature scores ({len(order)} of {len(last)})")
        table.add_column("")
        table.add_column("feature")
        table.add_column("score", justify="right")
        table.add_column("")
        if effective is not None:
            table.add_column("effective", justify="right")
        for rank, feature in enumerate(order, start=1):
            bar = "█" * max(0, round(12 * last[feature] / largest))
            name = Text(self.names[feature])  # square brackets are no markup
            values = [f"{last[feature]:.4f}", bar]
            if effective is not None:
                values.append(f"{effective[feature]:.4f}")
            table.add_row(str(rank), name, *values)
        return table


def _write_csv(
    path: Path, names: Sequence[str], epochs: Sequence[int], rows: Sequence[Sequence[float]]
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", *names])
        writer.writerows([epoch, *row] for epoch, row in zip(epochs, rows, strict=True))
