"""A trainer that explains and ranks, for the command line."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console

from pear_lightning.explainers import AmortizedExplainer, Explainer, RandomAttributions
from pear_lightning.explainers.explainer_sets import Explainers, named_explainers
from pear_lightning.figures import check_plot_extra
from pear_lightning.functional.validation import check_choice
from pear_lightning.masking import Masker
from pear_lightning.metrics import ExplainerRanking
from pear_lightning.reports.explained_samples import Target
from pear_lightning.reports.explanation_run import ExplanationRun
from pear_lightning.reports.explanations import Explanations
from pear_lightning.reports.picture_style import PictureStyle
from pear_lightning.reports.report_files import (
    TableFormat,
    write_attributions,
    write_faithfulness,
    write_pictures,
    write_ranking,
)
from pear_lightning.reports.split_data import Split, SplitData
from pear_lightning.scoring.outputs import OutputName


class ReportingTrainer(Trainer):
    """A trainer that also explains a model on data, and ranks explainers on it.

    Both run as a prediction does: on the devices and with the precision of the trainer, with the
    weights of a checkpoint. Callbacks other than progress bars are left out.
    """

    def explain(
        self,
        model: LightningModule,
        datamodule: LightningDataModule | None = None,
        output: str = "explanations",
        explainers: Explainers | None = None,
        masker: Masker | None = None,
        split: Split = "test",
        rows: int | None = 256,
        pictures: int = 16,
        format: TableFormat = "csv",
        faithfulness: bool = True,
        target: Target = "predicted",
        explained_output: OutputName = "centered_logit",
        style: PictureStyle | None = None,
        n_steps: int | None = 20,
        n_subsets: int = 50,
        points_per_pass: int | None = None,
        ckpt_path: str | None = None,
        weights_only: bool | None = None,
    ) -> None:
        """Explain a model on data: pictures, a file of attributions and a table of faithfulness.

        Args:
            model: The module; its ``forward`` maps inputs to logits.
            datamodule: Its data; ``None`` for the data loaders of the module.
            output: Folder for the files: ``pictures/``, ``attributions.csv`` (or ``.arrow``),
                ``faithfulness.txt`` and ``faithfulness.csv``.
            explainers: Explainers by name, or a list. ``None`` is gradient, input x gradient,
                integrated gradients and SmoothGrad; or LIME, KernelSHAP and occlusion for token ids
                of models that cannot embed them.
            masker: Defines the features. ``None`` is the columns of a table (the data module's
                groups of columns are single features), 14 x 14 patches of an image, or tokens.
            split: Data that are explained: ``"test"``, ``"val"``, ``"train"`` or ``"predict"``.
            rows: Number of samples, the first of the split; ``None`` for all.
            pictures: Number of samples of which pictures are written, the first ones.
            format: Format of the file of attributions: ``"csv"`` or ``"arrow"``.
            faithfulness: Whether to measure faithfulness, which takes most of the time.
            target: Class that is explained: the ``"predicted"`` one, or the ``"label"``.
            explained_output: Scalar that is explained.
            style: How pictures are drawn: names, tokenizer, mean and standard deviation of images.
            n_steps: Number of steps of removal curves; ``None`` for one feature at a time.
            n_subsets: Number of random subsets of features.
            points_per_pass: Bound on the query points of each sample in one pass.
            ckpt_path: Checkpoint with the weights.
            weights_only: Whether to read plain values and tensors only from the checkpoint; see
                ``Trainer.predict``.

        Raises:
            ImportError: If matplotlib is missing and pictures are requested.
            TypeError: If the module is an explainer.
            ValueError: If an argument is out of range.
        """
        check_choice("format", format, ("csv", "arrow"))
        if pictures:
            check_plot_extra()

        def report(found: Explanations, with_names: PictureStyle) -> None:
            folder = Path(output)
            if pictures:
                write_pictures(folder, found, with_names)
            write_attributions(folder, found, with_names, format)
            if faithfulness:
                self._say(write_faithfulness(folder, found))
            self._say(f"explanations of {len(found.rows)} samples: {folder.resolve()}")

        self._run_report(
            model,
            datamodule,
            split,
            ckpt_path,
            weights_only,
            report,
            explainers=explainers,
            masker=masker,
            style=style,
            target=target,
            output=explained_output,
            rows=rows,
            pictures=pictures,
            suite={"n_steps": n_steps, "n_subsets": n_subsets} if faithfulness else None,
            points_per_pass=points_per_pass,
        )

    def rank(
        self,
        model: LightningModule,
        datamodule: LightningDataModule | None = None,
        output: str = "ranking",
        explainers: Explainers | None = None,
        masker: Masker | None = None,
        split: Split = "test",
        rows: int | None = 256,
        target: Target = "predicted",
        explained_output: OutputName = "centered_logit",
        control: bool = True,
        n_steps: int | None = 50,
        n_subsets: int = 100,
        n_resamples: int = 2000,
        confidence_level: float = 0.95,
        points_per_pass: int | None = None,
        ckpt_path: str | None = None,
        weights_only: bool | None = None,
    ) -> None:
        """Rank explainers on a model and data by ten metrics of faithfulness.

        The settings of the metrics and the ranking are those of
        :func:`~pear_lightning.metrics.rank_explainers`.

        Args:
            model: The module; its ``forward`` maps inputs to logits.
            datamodule: Its data; ``None`` for the data loaders of the module.
            output: Folder for ``ranking.txt``, ``ranking.csv`` and ``ranking.png``.
            explainers: Explainers by name, or a list. ``None`` is gradient, input x gradient,
                integrated gradients and SmoothGrad; or LIME, KernelSHAP and occlusion for token ids
                of models that cannot embed them.
            masker: Defines the features. ``None`` is the columns of a table (the data module's
                groups of columns are single features), 14 x 14 patches of an image, or tokens.
            split: Data that are explained: ``"test"``, ``"val"``, ``"train"`` or ``"predict"``.
            rows: Number of samples, the first of the split; ``None`` for all.
            target: Class that is explained: the ``"predicted"`` one, or the ``"label"``.
            explained_output: Scalar that is explained.
            control: Whether to add random attributions; an explainer that does not beat them is not
                faithful by these metrics.
            n_steps: Number of steps of removal curves; ``None`` for one feature at a time.
            n_subsets: Number of random subsets of features.
            n_resamples: Number of draws of the bootstrap.
            confidence_level: Confidence level of the intervals, between 0 and 1.
            points_per_pass: Bound on the query points of each sample in one pass.
            ckpt_path: Checkpoint with the weights.
            weights_only: Whether to read plain values and tensors only from the checkpoint; see
                ``Trainer.predict``.

        Raises:
            ImportError: If matplotlib is missing.
            TypeError: If the module is an explainer.
            ValueError: If an argument is out of range.
        """
        check_plot_extra()

        def report(found: Explanations, with_names: PictureStyle) -> None:
            ranking = ExplainerRanking.from_scores(
                found.stacked_scores(),
                found.explainers,
                found.directions,
                n_resamples=n_resamples,
                confidence_level=confidence_level,
            )
            self._say(write_ranking(Path(output), ranking, controls))
            self._say(f"ranking on {ranking.n_samples} samples: {Path(output).resolve()}")

        given = None if explainers is None else named_explainers("explainers", explainers)
        controls = ["random"] if control else []
        controls += [n for n, e in (given or {}).items() if isinstance(e, RandomAttributions)]
        self._run_report(
            model,
            datamodule,
            split,
            ckpt_path,
            weights_only,
            report,
            explainers=explainers,
            masker=masker,
            target=target,
            output=explained_output,
            rows=rows,
            control=control,
            suite={"n_steps": n_steps, "n_subsets": n_subsets},
            points_per_pass=points_per_pass,
        )

    def _run_report(
        self,
        model: LightningModule,
        datamodule: LightningDataModule | None,
        split: Split,
        ckpt_path: str | None,
        weights_only: bool | None,
        report: Callable[[Explanations, PictureStyle], None],
        *,
        explainers: Explainers | None,
        **settings: Any,
    ) -> None:
        _refuse_explainer(model)
        named: Mapping[str, Explainer] | None = None
        if explainers is not None:
            named = named_explainers("explainers", explainers)
        source = model if datamodule is None else datamodule
        run = ExplanationRun(model, source, report, explainers=named, **settings)
        callbacks: list[Any] = self.callbacks  # type: ignore[has-type]
        limit: Any = self.limit_predict_batches
        # the others were written for the module that is explained
        self.callbacks = [each for each in callbacks if isinstance(each, ProgressBar)]
        with warnings.catch_warnings():
            # states of the callbacks that are left out are not needed
            warnings.filterwarnings("ignore", message="Be aware that when using `ckpt_path`")
            try:
                self.predict(
                    run,
                    datamodule=SplitData(source, split, settings["rows"]),
                    return_predictions=False,
                    ckpt_path=ckpt_path,
                    weights_only=weights_only,
                )
            finally:
                self.callbacks, self.limit_predict_batches = callbacks, limit

    def _say(self, text: str) -> None:
        bar = self.progress_bar_callback
        if bar is not None:
            # a progress bar that is still live would be drawn again below the text
            bar.teardown(self, self.lightning_module, stage="predict")
        Console(soft_wrap=True).print(text, markup=False, highlight=False)


def _refuse_explainer(model: LightningModule) -> None:
    """Raise for a module whose outputs are attributions, not logits that could be explained."""
    if isinstance(getattr(model, "backbone", None), AmortizedExplainer):
        raise TypeError(
            "model must map inputs to logits, got an explainer of another model, "
            f"{type(model).__name__}; compare it with other explainers by `pear-lightning test` "
            "(callback ExplainerComparison) or with rank_explainers"
        )
