"""A callback that draws the attributions of chosen samples during training."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy, DeepSpeedStrategy, SingleDeviceStrategy
from lightning.pytorch.utilities import rank_zero_only, rank_zero_warn
from typing_extensions import override

from pear_lightning.callbacks.explaining_callback import ExplainingCallback
from pear_lightning.explainers.explainer_sets import Explainers
from pear_lightning.figures import check_plot_extra, log_figure, log_text
from pear_lightning.figures.attribution_scale import Scale
from pear_lightning.figures.image_attributions import Blend
from pear_lightning.functional.validation import check_choice
from pear_lightning.masking import Masker
from pear_lightning.reports import (
    ExplainedSamples,
    PictureStyle,
    draw_pictures,
    explain_samples,
)
from pear_lightning.reports.explained_samples import Target
from pear_lightning.reports.kept_samples import KeptSamples
from pear_lightning.reports.picture_kind import Kind
from pear_lightning.scoring.outputs import OutputName

Stage = Literal["val", "test"]


class AttributionPictures(ExplainingCallback):
    """Draw the attributions of chosen samples in validation and test, for any LightningModule.

    The samples are taken from the first evaluation and are the same in all later ones; the sanity
    check is skipped. Only they are explained, in one call of
    :func:`~pear_lightning.explainers.explain` for samples of one shape, and only the first process
    explains and draws. Stochastic explainers draw the same random numbers every time, and the
    random numbers of the training are unchanged.

    The kind of picture follows from the masker and the inputs: colours over images, coloured tokens
    (as a figure and as HTML), or bars for the columns of a table. The loggers of the trainer get it
    as ``val_<name>`` (``test_<name>``); see :func:`~pear_lightning.figures.log_figure` and
    :func:`~pear_lightning.figures.log_text`. A ``CSVLogger`` gets files in its folder.

    The module does not have to be changed, but its ``forward`` (or ``model``) must map inputs to
    logits. Batches have any form that :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads; of
    several data loaders, the first is used.

    Args:
        masker: Defines the features whose attributions are shown (patches, segments, tokens, groups
            of columns); ``None`` shows every pixel, token or column.
        explainers: Explainers by name, or a list, which are named after their classes; ``None`` is
            integrated gradients from zero.
        samples: Number of samples, the first of the data set, or their positions in the data set.
            The loader must read its data set in order. With several processes, all processes
            contribute their samples, if a ``DistributedSampler`` divides the data set among them.
        every_n_validations: Validations of a fit in which pictures are drawn: the n-th, the 2 n-th,
            and so on. Runs of ``trainer.validate`` and ``trainer.test`` always draw.
        target: Class that is explained: the ``"predicted"`` one, or the ``"label"``.
        output: Scalar that is explained; see :func:`~pear_lightning.explainers.explain`.
        kind: ``"image"``, ``"tokens"`` or ``"columns"``; ``None`` chooses.
        class_names: Names of the classes; ``None`` for ``class_names`` of the data module, if any.
        feature_names: Names of the columns; ``None`` for ``feature_names`` (or ``group_names``) of
            the data module, if any.
        tokenizer: Converts token ids to tokens: a tokenizer of transformers, its name or folder, a
            list of tokens, or a function from a list of ids to a list of tokens. ``None`` for
            ``tokenizer`` of the data module; without one, ids are shown.
        mean: Mean of each channel, if images are normalised with mean and standard deviation.
        std: Standard deviation of each channel.
        image_shape: Shape ``(C, H, W)`` of images that are given as rows ``(B, C·H·W)``.
        blend: On images, ``"alpha"`` (colours) or ``"contour"`` (lines).
        scale: What shares a scale of colours or bars: nothing (``"panel"``), the explanations of a
            sample (``"sample"``), or all samples of an explainer (``"explainer"``). Explainers
            measure different quantities, so the default compares patterns only.
        top: Largest number of columns of a table that a picture shows.
        points_per_pass: Bound on the query points of each sample in one pass.
        model: Name of the submodule or method of the module that is explained, such as ``"net"``;
            ``None`` is the module's ``forward``.
        batch_to_inputs: Extracts inputs and target from a batch; ``None`` if ``Batch.of`` reads it.
        name: Name of the pictures.

    Raises:
        TypeError: If an argument is of the wrong type, or a batch cannot be read.
        ValueError: If an argument is out of range.
        ImportError: If matplotlib is missing.
        RuntimeError: If the strategy shards the weights, because only one process explains.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> from lightning.pytorch.loggers import CSVLogger
        >>> from pear_lightning.datamodules import BreastCancer
        >>> from pear_lightning.modules import PEAR
        >>> from pear_lightning.nn import MLP
        >>> with TemporaryDirectory() as folder:
        ...     logger = CSVLogger(folder)
        ...     trainer = Trainer(accelerator="cpu", logger=logger, enable_progress_bar=False,
        ...                       callbacks=[AttributionPictures(samples=[3, 5])])
        ...     _ = trainer.validate(PEAR(MLP(30)), BreastCancer(val_fraction=0.25), verbose=False)
        ...     [path.name for path in Path(logger.log_dir, "figures").iterdir()]
        ['val_attributions-0.png']
    """

    def __init__(
        self,
        masker: Masker | None = None,
        explainers: Explainers | None = None,
        *,
        samples: int | list[int] = 8,
        every_n_validations: int = 1,
        target: Target = "predicted",
        output: OutputName = "centered_logit",
        kind: Kind | None = None,
        class_names: list[str] | None = None,
        feature_names: list[str] | None = None,
        tokenizer: Any = None,
        mean: list[float] | None = None,
        std: list[float] | None = None,
        image_shape: tuple[int, int, int] | None = None,
        blend: Blend = "alpha",
        scale: Scale = "panel",
        top: int = 10,
        points_per_pass: int | None = None,
        model: str | None = None,
        batch_to_inputs: Callable[[Any], Any] | None = None,
        name: str = "attributions",
    ) -> None:
        super().__init__(
            explainers, masker=masker, output=output, model=model, batch_to_inputs=batch_to_inputs
        )
        if every_n_validations < 1:
            raise ValueError(f"every_n_validations must be at least 1, got {every_n_validations}")
        check_choice("target", target, ("predicted", "label"))
        self.ids = list(range(samples)) if isinstance(samples, int) else list(samples)
        if not self.ids or min(self.ids) < 0 or len(set(self.ids)) < len(self.ids):
            raise ValueError(
                "samples must be a positive number or different positions, 0 or more, got "
                f"{samples}"
            )
        self.every_n_validations = every_n_validations
        self.target: Target = target
        self.style = PictureStyle(
            kind=kind,
            masker=masker,
            class_names=class_names,
            feature_names=feature_names,
            tokenizer=tokenizer,
            mean=mean,
            std=std,
            image_shape=image_shape,
            blend=blend,
            scale=scale,
            top=top,
        )
        self.points_per_pass = points_per_pass
        self.name = name
        self._validations = 0
        self._kept: dict[Stage, KeptSamples] = {}
        self._draws = False

    @property
    @override
    def state_key(self) -> str:
        return f"AttributionPictures(name={self.name!r})"

    @override
    def state_dict(self) -> dict[str, Any]:
        """Return the number of validations."""
        return {"validations": self._validations}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the number of validations."""
        self._validations = int(state_dict["validations"])

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Raise before training for what would fail later, and fit the masker."""
        super().setup(trainer, pl_module, stage)
        check_plot_extra()
        sharded = isinstance(trainer.strategy, DeepSpeedStrategy)  # a subclass of DDPStrategy
        if sharded or not isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy):
            raise RuntimeError(
                "strategy must keep whole weights on every device, because only the first process "
                f"explains, got {type(trainer.strategy).__name__}; use one device or strategy='ddp'"
            )
        self._kept = {}

    @override
    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start to look for the samples, unless this validation is skipped."""
        self._draws = not trainer.sanity_checking
        if self._draws and trainer.state.fn == "fit":
            self._validations += 1
            self._draws = self._validations % self.every_n_validations == 0

    @override
    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start to look for the samples."""
        self._draws = True

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
        """Keep the samples of the batch that are drawn."""
        if dataloader_idx == 0:
            self._look(trainer.val_dataloaders, "val", batch)

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
        """Keep the samples of the batch that are drawn."""
        if dataloader_idx == 0:
            self._look(trainer.test_dataloaders, "test", batch)

    @override
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Explain and draw the samples."""
        self._finish(trainer, pl_module, "val")

    @override
    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Explain and draw the samples."""
        self._finish(trainer, pl_module, "test")

    def _look(self, loaders: Any, stage: Stage, batch: Any) -> None:
        if self._draws:
            kept = self._kept.setdefault(stage, KeptSamples(self.ids))
            if kept.open:
                kept.look_at(loaders, self.read(batch))

    def _finish(self, trainer: Trainer, module: LightningModule, stage: Stage) -> None:
        if not self._draws:
            return
        kept = self._kept.setdefault(stage, KeptSamples(self.ids))
        if kept.open and (missing := kept.close(trainer)):
            rank_zero_warn(
                f"samples must be positions in the data set that this evaluation reads, got none "
                f"for {missing}, which are not drawn; give AttributionPictures(samples=[...])"
            )
        if kept.groups:
            self._draw(trainer, module, stage, kept)

    @rank_zero_only
    def _draw(
        self, trainer: Trainer, module: LightningModule, stage: Stage, kept: KeptSamples
    ) -> None:
        groups = self._explained(module, kept)
        style = self.style.with_names_of(trainer.datamodule)  # type: ignore[attr-defined]
        for number, picture in enumerate(draw_pictures(groups, style), start=1):
            name = f"{stage}_{self.name}" + (f"_{number}" if number > 1 else "")
            log_figure(trainer.loggers, name, picture.figure, trainer.global_step)
            if picture.html is not None:
                log_text(trainer.loggers, name, picture.html, trainer.global_step, html=True)

    def _explained(self, module: LightningModule, kept: KeptSamples) -> Sequence[ExplainedSamples]:
        self.randomness.restart()
        with self.randomness.on(module.device), torch.no_grad():
            return [
                explain_samples(
                    self.network(module),
                    batch.to(module.device),
                    ids,
                    self.explainers,
                    target=self.target,
                    output=self.output,
                    points_per_pass=self.points_per_pass,
                    embedder=self.embedder(module),
                )
                for ids, batch in kept.groups
            ]
