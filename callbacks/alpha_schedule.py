"""A callback that lowers the weight of a loss once it has settled."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor
from typing_extensions import override

from pear_lightning.figures import check_plot_extra, draw_alpha, log_figure
from pear_lightning.functional.alpha_schedule import AlphaStart, AlphaState, next_alpha
from pear_lightning.functional.validation import check_choice, check_count, check_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Unit = Literal["epoch", "iteration"]


class AlphaSchedule(Callback):
    r"""Lower the weight of a loss once its variance is small: Algorithm 1 of DeepFaith.

    The weight α begins at 1. Once the variance σ² of the monitored loss over the last e steps is
    below ε, it decays, :math:`α = 1 - 1 / (1 + \exp(-(t - t_0) / C))`, which begins at 1/2; it is
    reset to 1 when the variance exceeds C ε. See
    :func:`~pear_lightning.functional.alpha_schedule.next_alpha`.

    The callback sets an attribute of the module, ``alpha`` of
    :class:`~pear_lightning.modules.DeepFaith` or any other number that the module reads in each
    step. It reads the loss from the result of ``training_step`` or, if it is not there, from the
    logged metrics. The loss is averaged over all ranks (and the batches of an epoch), so α is the
    same on every rank. α and σ² are logged as ``alpha`` and ``alpha_variance``. Without this
    callback the weight stays constant.

    Args:
        window: e, number of steps of the variance, at least 2.
        threshold: ε, above 0. The variance is that of the loss as the module returns it: with
            ``PatternConsistencyLoss(half=True)``, as in the authors' code, it is a quarter of that
            of the paper's loss.
        factor: C, at least 1: ratio of both thresholds, and time constant of the decay in steps.
        unit: Unit of a step: ``"epoch"``, as in the authors' code, or ``"iteration"``, as in the
            paper.
        start: ``"paper"``, or ``"continuous"`` for a decay that begins at 1.
        monitor: Name of the loss in the result of ``training_step`` or among the logged metrics.
        attribute: Name of the weight in the module.
        figure: File for a figure of α, the loss and its variance, written after training; ``None``
            for no file. Requires the ``plot`` extra.
        log_figure: Whether to log the figure with the loggers of the trainer after training.

    Raises:
        ValueError: If an argument is out of range; in training, if the loss is missing or not
            finite.
        TypeError: If the module has no such weight.
        ImportError: If a figure is requested and matplotlib is missing.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from pear_lightning.masking import ColumnMasker
        >>> from pear_lightning.modules import DeepFaith
        >>> from pear_lightning.nn import MLP, ExplainerMLP
        >>> inputs = torch.randn(64, 4)
        >>> data = [{"inputs": x, "supervision": s} for x, s in zip(inputs, 2 * inputs)]
        >>> schedule = AlphaSchedule(window=2, threshold=1.0)
        >>> model = DeepFaith(MLP(4), ExplainerMLP(4), ColumnMasker(4))
        >>> trainer = Trainer(max_epochs=4, accelerator="cpu", logger=False, callbacks=[schedule],
        ...                   enable_checkpointing=False, enable_progress_bar=False,
        ...                   enable_model_summary=False)
        >>> trainer.fit(model, torch.utils.data.DataLoader(data, batch_size=32))
        >>> [round(alpha, 3) for alpha in schedule.history["alpha"]]
        [1.0, 0.5, 0.475, 0.45]

    References:
        Guo et al., *Learning for Highly Faithful Explainability* (DeepFaith), ICLR 2026,
        algorithm 1.
    """

    def __init__(
        self,
        window: int = 5,
        threshold: float = 1e-5,
        factor: float = 10.0,
        *,
        unit: Unit = "epoch",
        start: AlphaStart = "paper",
        monitor: str = "pattern_consistency_loss",
        attribute: str = "alpha",
        figure: str | None = None,
        log_figure: bool = False,
    ) -> None:
        check_count("window", window, least=2)
        check_number("threshold", threshold)
        if not threshold:
            raise ValueError("threshold must be above 0, got 0")
        check_number("factor", factor, least=1)
        check_choice("unit", unit, ("epoch", "iteration"))
        check_choice("start", start, ("paper", "continuous"))
        self.window, self.threshold, self.factor = window, threshold, factor
        self.unit: Unit = unit
        self.start: AlphaStart = start
        self.monitor, self.attribute = monitor, attribute
        self.figure, self.log_figure = figure, log_figure
        self._resumed = False
        self._clear()

    def _clear(self) -> None:
        self._state = AlphaState()
        self._sum, self._count = 0.0, 0
        self._history: dict[str, list[Any]] = {"alpha": [], "loss": [], "variance": []}

    @property
    def alpha(self) -> float:
        """α of the next step."""
        return self._state.alpha

    @property
    def history(self) -> dict[str, list[Any]]:
        """``alpha``, ``loss`` and ``variance`` after each step; ``None`` before it is known."""
        return {name: list(values) for name, values in self._history.items()}

    # --- state --------------------------------------------------------------------------------

    @property
    @override
    def state_key(self) -> str:
        return f"AlphaSchedule(attribute={self.attribute!r}, monitor={self.monitor!r})"

    @override
    def state_dict(self) -> dict[str, Any]:
        """Return the state of the algorithm, the losses of an unfinished epoch, and the history."""
        state = {**self._state._asdict(), "window": list(self._state.window)}
        return {"state": state, "sum": self._sum, "count": self._count, "history": self.history}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        state = dict(state_dict["state"])
        self._state = AlphaState(**{**state, "window": tuple(state["window"])})
        self._sum, self._count = state_dict["sum"], state_dict["count"]
        self._history = {name: list(each) for name, each in state_dict["history"].items()}
        self._resumed = True

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the losses that the other ranks have seen of an unfinished epoch."""
        total, count = _over_ranks(trainer, pl_module, self._sum, self._count)
        checkpoint["callbacks"][self.state_key] |= {"sum": total, "count": count}

    # --- training -----------------------------------------------------------------------------

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check the module, and set α: 1, or that of a checkpoint."""
        weight = getattr(pl_module, self.attribute, None)
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise TypeError(
                f"the module must have a number {self.attribute!r}, the weight that is changed, "
                f"got {type(weight).__name__} in {type(pl_module).__name__}; give "
                "AlphaSchedule(attribute=...)"
            )
        if self.figure is not None or self.log_figure:
            check_plot_extra()
        # the state of a checkpoint is restored for a test of it, too
        if trainer.ckpt_path is None or not self._resumed:
            self._clear()
        self._resumed = False
        if trainer.global_rank:  # a checkpoint has the sums over all ranks
            self._sum, self._count = 0.0, 0
        setattr(pl_module, self.attribute, self.alpha)

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Read the loss, and set α after each iteration or after the last batch of an epoch."""
        loss = float(self._loss(trainer, outputs))
        if self.unit == "iteration":
            self._step(trainer, pl_module, loss, 1)
            return
        self._sum += loss
        self._count += 1
        # not in on_train_epoch_end: a checkpoint may be saved in the validation before it
        if trainer.is_last_batch:
            total, count = self._sum, self._count
            self._sum, self._count = 0.0, 0
            self._step(trainer, pl_module, total, count)

    def _loss(self, trainer: Trainer, outputs: Any) -> Tensor:
        loss = outputs.get(self.monitor) if isinstance(outputs, Mapping) else None
        if loss is None:
            loss = trainer.callback_metrics.get(self.monitor)
        if loss is None:
            known = sorted(outputs) if isinstance(outputs, Mapping) else []
            raise ValueError(
                f"monitor must be a part of the training loss or a logged metric, got "
                f"{self.monitor!r} and parts {known}; DeepFaith has it if batches have supervision"
            )
        return torch.as_tensor(loss).detach()

    def _step(self, trainer: Trainer, pl_module: LightningModule, total: float, count: int) -> None:
        total, count = _over_ranks(trainer, pl_module, total, count)
        loss = total / count
        if not math.isfinite(loss):
            raise ValueError(f"{self.monitor} must be finite, got {loss}")
        self._state = next_alpha(
            self._state,
            loss,
            window=self.window,
            threshold=self.threshold,
            factor=self.factor,
            start=self.start,
        )
        setattr(pl_module, self.attribute, self.alpha)
        for name, value in (
            ("alpha", self.alpha),
            ("loss", loss),
            ("variance", self._state.variance),
        ):
            self._history[name].append(value)
        pl_module.log(self.attribute, self.alpha, prog_bar=True)
        if self._state.variance is not None:
            pl_module.log(f"{self.attribute}_variance", self._state.variance)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write and log the figure."""
        if self._history["alpha"] and (self.figure is not None or self.log_figure):
            self._show(trainer)

    def draw(self) -> "Figure":
        """Return a figure of α, the loss and its variance over training.

        Raises:
            ImportError: If matplotlib is missing.
        """
        history = self._history
        reset = self.factor * self.threshold
        return draw_alpha(
            history["alpha"],
            history["loss"],
            history["variance"],
            self.threshold,
            reset,
            self.unit,
        )

    @rank_zero_only
    def _show(self, trainer: Trainer) -> None:
        figure = self.draw()
        if self.figure is not None:
            figure.savefig(self.figure, dpi=150)
        if self.log_figure:
            log_figure(trainer.loggers, self.attribute, figure, trainer.global_step)


def _over_ranks(
    trainer: Trainer, pl_module: LightningModule, total: float, count: int
) -> tuple[float, int]:
    """Add up a sum of losses, and their number, over all ranks."""
    if trainer.world_size == 1:
        return total, count
    dtype = torch.float32 if pl_module.device.type == "mps" else torch.float64
    sums = torch.tensor([total, count], dtype=dtype, device=pl_module.device)
    reduced = trainer.strategy.reduce(sums, reduce_op="sum").tolist()
    return reduced[0], int(reduced[1])
