"""A pass over a data set that explains its samples and scores the explanations."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from torch import Tensor
from typing_extensions import override

from pear_lightning.explainers import Explainer, RandomAttributions
from pear_lightning.functional.validation import check_choice
from pear_lightning.masking import Masker
from pear_lightning.metrics import FaithfulnessSuite
from pear_lightning.reports.default_explanations import default_explainers, default_masker
from pear_lightning.reports.explained_samples import ExplainedSamples, Target, explain_samples
from pear_lightning.reports.explanations import Explanations
from pear_lightning.reports.picture_style import PictureStyle
from pear_lightning.reports.row_ids import first_loader, gathered, row_ids
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.embedding import embedded
from pear_lightning.scoring.outputs import OutputName
from pear_lightning.training.reference_data import reference_data_of


class ExplanationRun(LightningModule):
    """Explains and scores samples while a trainer predicts, and reports when it is done.

    Args:
        model: The explained module; its ``forward`` maps inputs to logits.
        data: Its data module, or the module itself if it has data loaders.
        report: Called in the first process with the explanations of all processes, and the style
            of the pictures with masker and names.
        explainers: Explainers by name; ``None`` for those of
            :func:`~pear_lightning.reports.default_explanations.default_explainers`.
        masker: Defines the features; ``None`` for that of
            :func:`~pear_lightning.reports.default_explanations.default_masker`.
        style: Style of the pictures.
        target: Class that is explained: ``"predicted"`` or ``"label"``.
        output: Scalar that is explained.
        rows: Number of samples, the first of the data set; ``None`` for all.
        pictures: Number of samples that are kept for pictures.
        control: Whether to add :class:`~pear_lightning.explainers.RandomAttributions`.
        suite: Settings of the :class:`~pear_lightning.metrics.FaithfulnessSuite`; ``None`` to score
            nothing.
        points_per_pass: Bound on the query points of each sample in one pass.

    Raises:
        ValueError: If a number or a choice is out of range.
    """

    def __init__(
        self,
        model: LightningModule,
        data: Any,
        report: Callable[[Explanations, PictureStyle], None],
        *,
        explainers: Mapping[str, Explainer] | None = None,
        masker: Masker | None = None,
        style: PictureStyle | None = None,
        target: Target = "predicted",
        output: OutputName = "centered_logit",
        rows: int | None = None,
        pictures: int = 0,
        control: bool = False,
        suite: Mapping[str, Any] | None = None,
        points_per_pass: int | None = None,
    ) -> None:
        super().__init__()
        check_choice("target", target, ("predicted", "label"))
        if rows is not None and rows < 1:
            raise ValueError(f"rows must be at least 1, got {rows}")
        if pictures < 0:
            raise ValueError(f"pictures must be at least 0, got {pictures}")
        self.model = model
        self.strict_loading = model.strict_loading
        self.data = data
        self.report = report
        self.explainers = None if explainers is None else dict(explainers)
        self.style = replace(style or PictureStyle(), masker=masker)
        self.target: Target = target
        self.output: OutputName = output
        self.rows, self.pictures = rows, pictures
        self.control = control
        self.points_per_pass = points_per_pass
        self._suite_settings = suite
        self._suite: FaithfulnessSuite | None = None
        self._prepared = False
        self._found = Explanations()
        self._seen = 0

    @override
    def configure_model(self) -> None:
        """Create what the explained module creates late."""
        self.model.configure_model()

    @override
    def setup(self, stage: str) -> None:
        """Set up the explained module."""
        self.model.setup(stage)

    # The checkpoint is that of the explained module and its data.

    @override
    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Load the weights of the explained module."""
        return self.model.load_state_dict(*args, **kwargs)

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Call the hook of the explained module, and load the state of its data module.

        Lightning looks for the state of the data module that the trainer has, which is a
        :class:`~pear_lightning.reports.split_data.SplitData`; the state is under the name of the
        class of its source.
        """
        self.model.on_load_checkpoint(checkpoint)
        if isinstance(self.data, LightningDataModule):
            state = checkpoint.get(type(self.data).__qualname__)
            if state:
                self.data.load_state_dict(state)

    @override
    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> int:
        """Explain and score samples of the batch, and return their number."""
        if dataloader_idx:
            return 0
        read = Batch.of(batch)
        loader = first_loader(self.trainer.predict_dataloaders)
        ids = row_ids(loader, self._seen, len(read))
        self._seen += len(read)
        wanted = [row for row, n in enumerate(ids) if self.rows is None or n < self.rows]
        if wanted:
            chosen = read.rows(torch.tensor(wanted, device=read.inputs.device))
            self._explain(chosen, [ids[row] for row in wanted])
        return len(wanted)

    @override
    def on_predict_epoch_end(self) -> None:
        """Report the explanations of all processes."""
        found = Explanations()
        for each in gathered(self.trainer, self._found):
            found.add(each)
        if self.trainer.is_global_zero:
            if not found.rows:
                raise ValueError("data must hold at least one sample to explain, got none")
            self.report(found, self.style)

    @torch.no_grad()
    def _explain(self, batch: Batch, ids: list[int]) -> None:
        if not self._prepared:
            self._prepare(batch)
        explainers = self.explainers or {}
        samples = explain_samples(
            self.model,
            batch,
            ids,
            explainers,
            target=self.target,
            output=self.output,
            points_per_pass=self.points_per_pass,
            embedder=getattr(self.model, "backbone", self.model),
        )
        self._keep(samples, self._scores(samples))

    def _prepare(self, batch: Batch) -> None:
        """Choose what was not given, by the first samples, and fit reference data."""
        style = self.style.with_names_of(self.data)
        masker = style.masker or default_masker(batch, style, self.data)
        # names of features depend on the masker, which may be chosen here
        given = self.style.feature_names
        style = replace(style, masker=masker, feature_names=given)
        self.style = style.with_names_of(self.data)
        if self.explainers is None:
            embedder = getattr(self.model, "backbone", self.model)
            by_gradient = embedded(batch, embedder).inputs.is_floating_point()
            self.explainers = default_explainers(masker, self.data, by_gradient=by_gradient)
        if self.control:
            self.explainers.setdefault("random", RandomAttributions(seed=0, per_sample=True))
        mean = getattr(self.data, "training_mean", None)
        if mean is not None and masker.baseline.from_training_data:
            masker.fit(mean)
        awaiting = [each for each in self.explainers.values() if each.awaits_training_data]
        if mean is not None and awaiting:
            mean, rows = reference_data_of(self.data, awaiting)
            for explainer in awaiting:
                explainer.fit_reference(mean, rows)
        for explainer in self.explainers.values():
            explainer.to(self.device)
        self._prepared = True

    def _scores(self, samples: ExplainedSamples) -> Tensor | None:
        """Return the scores of samples, ``(M, E, B)``."""
        if self._suite_settings is None or self.style.masker is None:
            return None
        if self._suite is None:
            one_output = samples.logits.shape[1] == 1
            self._suite = FaithfulnessSuite(
                self.style.masker,
                list(samples.attributions),
                output="logit" if one_output else "prob",
                **self._suite_settings,
            ).to(self.device)
            self._found.directions = self._suite.directions
        scores = self._suite.score(
            self.model,
            samples.batch.inputs,
            samples.attributions,
            samples.batch.classes,
            forward_kwargs=samples.batch.forward_kwargs,
            masker_kwargs=samples.batch.masker_kwargs,
        )
        return torch.stack(list(scores.values())).cpu()

    def _keep(self, samples: ExplainedSamples, scores: Tensor | None) -> None:
        found = self._found
        found.explainers = list(samples.attributions)
        pooled, present = self.style.pooled(samples)
        saliency = torch.stack(list(pooled.values()), dim=1).masked_fill(
            ~present[:, None], float("nan")
        )
        found.kind = self.style.kind_of(samples.batch)
        tokens = self.style.tokens(samples) if found.kind == "tokens" else None
        for row, number in enumerate(samples.ids):
            found.rows[number] = {
                "predicted": samples.predicted[row].item(),
                "label": None if samples.labels is None else samples.labels[row].item(),
            }
            if tokens is not None:
                found.rows[number]["tokens"] = [token.text for token in tokens[row][0]]
            found.saliency[number] = saliency[row].cpu()
            if scores is not None:
                found.scores[number] = scores[:, :, row]
        pictured = [row for row, number in enumerate(samples.ids) if number < self.pictures]
        if pictured:
            found.pictured += [samples.rows([row]).cpu() for row in pictured]
