"""Explanations of other methods, selected for their faithfulness, for a learned explainer."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor, nn

from pear_lightning.explainers.prior_sets import (
    Priors,
    PriorSet,
    explain_with_priors,
    named_priors,
    prior_set,
)
from pear_lightning.functional.explanation_selection import (
    KeptOfGroup,
    QuantilesOver,
    WithoutSurvivor,
    select_explanations,
)
from pear_lightning.functional.hashed_random import sample_seeds
from pear_lightning.functional.validation import check_choice
from pear_lightning.losses import LocalCorrelationLoss
from pear_lightning.masking import Masker
from pear_lightning.metrics import FaithfulnessSuite
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.counted_model import CountedModel
from pear_lightning.scoring.embedding import embedded
from pear_lightning.scoring.fingerprint import (
    described,
    fingerprint,
    leading_padding,
    model_fingerprint,
)
from pear_lightning.scoring.scorer import predicted_classes
from pear_lightning.training.reference_data import fit_references
from pear_lightning.training.supervision_report import SupervisionReport
from pear_lightning.training.target_model import TargetModel

SuiteCallable = Callable[[Masker, Sequence[str]], FaithfulnessSuite]


class PriorExplanations(LightningModule):
    r"""Explain samples with several methods, and select the faithful ones: DeepFaith's supervision.

    Run it with ``trainer.predict`` and a :class:`~pear_lightning.callbacks.SupervisionWriter`;
    :class:`~pear_lightning.datamodules.SupervisionDataModule` provides the samples, and later the
    explanations next to them. For each sample:

    1. All prior explainers explain the same class; explainers of the same scalar share a pass.
    2. Their saliency is scored by all metrics of a
       :class:`~pear_lightning.metrics.FaithfulnessSuite`, which evaluates copies that do not depend
       on the explanation once for all.
    3. Of explanations whose cosine is at least δ one is kept, the one with the best mean rank.
    4. An explanation survives if it reaches the p-quantile of every metric over those kept in 3
       (see :func:`~pear_lightning.functional.explanation_selection.above_quantiles`).

    A sample can end without survivor. By default the kept explanation with the best mean rank
    survives then; with ``without_survivor="drop"`` the sample has none. Both are counted in the
    :attr:`report`, as are undefined scores (which have the value 0).

    Args:
        target_model: The explained model f; maps inputs ``(N, *S)`` to logits ``(N, C)``.
        masker: Defines the features and their values when removed.
        explainers: Name of a set of
            :func:`~pear_lightning.explainers.prior_sets.prior_set`, or the prior explainers, by
            name or as a list: a :class:`~pear_lightning.explainers.Prior`, or an explainer, which
            then explains the centred logit. ``"default"`` needs a network, ``"model_free"`` any
            callable.
        explained: Class that is explained: the ``"predicted"`` or the ``"true"`` one.
        suite: Callable from a masker and the names of the explanations to the suite of metrics.
        selected_by: Names of the metrics that select; ``None`` for all. The others are only
            recorded, so that they can serve as held-out metrics.
        similarity: δ, the cosine at which explanations are duplicates, in (0, 1].
        quantile: p, in [0, 1].
        keep: Explanation kept of a group of duplicates: the ``"best"`` by mean rank, or the
            ``"first"`` in the order of the explainers, as in the paper.
        quantiles_over: Scores that define the quantiles: of the ``"deduplicated"`` explanations, or
            of ``"all"``, as in the authors' code.
        without_survivor: For samples without survivor: ``"best"`` keeps the one with the best mean
            rank, ``"drop"`` keeps none, as in the authors' code.
        removals: Loss whose subsets are evaluated and stored as well, so that training needs no
            evaluations of f; ``None`` to store none.
        seed: Seed of the stored subsets.
        points_per_pass: Largest number of query points of each sample in one pass of an explainer;
            ``None`` for as many as fit.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If there are no explainers, a name is unknown, a number is out of range, or the
            subsets of ``removals`` follow the order of an explanation.

    Shapes:
        - batch: any form that :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads; a mapping
          may also have ``ids`` ``(B,)`` long
        - predictions: see :meth:`predict_step`

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from pear_lightning.masking import ColumnMasker
        >>> from pear_lightning.nn import MLP
        >>> model = PriorExplanations(MLP(5), ColumnMasker(5), "model_free")
        >>> trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False)
        >>> loader = torch.utils.data.DataLoader(torch.rand(16, 5), batch_size=8)
        >>> predictions = trainer.predict(model, loader)
        >>> predictions[0]["saliency"].shape, predictions[0]["scores"].shape
        (torch.Size([8, 6, 5]), torch.Size([8, 6, 10]))
        >>> model.report.samples, bool(predictions[0]["survivors"].any(dim=1).all())
        (16, True)

    References:
        Guo et al., *Learning for Highly Faithful Explainability* (DeepFaith), ICLR 2026.

    Deviations from the paper:
        The default explainers, ``keep`` and ``without_survivor``; see there.
    """

    def __init__(
        self,
        target_model: nn.Module | Callable[..., Tensor],
        masker: Masker,
        explainers: PriorSet | Priors = "default",
        *,
        explained: Literal["predicted", "true"] = "predicted",
        suite: SuiteCallable = FaithfulnessSuite,
        selected_by: Sequence[str] | None = None,
        similarity: float = 0.9,
        quantile: float = 0.2,
        keep: KeptOfGroup = "best",
        quantiles_over: QuantilesOver = "deduplicated",
        without_survivor: WithoutSurvivor = "best",
        removals: LocalCorrelationLoss | None = None,
        seed: int = 0,
        points_per_pass: int | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(masker, Masker):
            raise TypeError(f"masker must be a Masker, such as ColumnMasker(30), got {masker!r}")
        check_choice("explained", explained, ("predicted", "true"))
        priors = (
            prior_set(explainers, masker)
            if isinstance(explainers, str)
            else named_priors("explainers", explainers)
        )
        if removals is not None and removals.follows_order:
            raise ValueError(
                "removals must not have laws that follow the order of an explanation, which do not "
                "fit another explanation, got such a law; leave it out"
            )
        self._target = TargetModel(target_model)
        self.masker = masker
        self.methods = tuple(priors)
        self._priors = priors
        self.explainers = nn.ModuleList(prior.explainer for prior in priors.values())
        self.explained = explained
        self.suite = suite(masker, list(priors))
        self.metrics = tuple(self.suite.metrics)
        unknown = [name for name in selected_by or () if name not in self.metrics]
        if unknown or (selected_by is not None and not selected_by):
            raise ValueError(
                f"selected_by must be names of metrics, {list(self.metrics)}, got {selected_by}"
            )
        self.selected_by = self.metrics if selected_by is None else tuple(selected_by)
        self.removals = removals
        self.seed = seed
        self.points_per_pass = points_per_pass
        self.rules: dict[str, Any] = {
            "similarity": similarity,
            "quantile": quantile,
            "keep": keep,
            "quantiles_over": quantiles_over,
            "without_survivor": without_survivor,
        }
        # raises for a rule out of range
        nothing = torch.zeros(1, len(priors), 1)
        select_explanations(nothing, nothing, torch.tensor([True]), **self.rules)
        self.report = SupervisionReport(self.methods, self.metrics)

    @property
    def settings(self) -> dict[str, Any]:
        """What determines the predictions, as plain values; stored with them.

        They are final once the given model and the reference data are ready.
        """
        loss = self.removals
        return {
            "target_model": model_fingerprint(self._target.forward),
            "masker": described(self.masker),
            "methods": list(self.methods),
            "explainers": [described(prior.explainer) for prior in self._priors.values()],
            "outputs": [prior.output for prior in self._priors.values()],
            "metrics": list(self.metrics),
            "probes": [described(each.probes) for each in self.suite.metrics.values()],
            "selected_by": list(self.selected_by),
            "explained": self.explained,
            **self.rules,
            "removals": None if loss is None else [repr(term) for term in loss.terms],
            "n_subsets": None if loss is None else [n for _, n in loss.laws],
            "seed": self.seed,
        }

    def on_predict_start(self) -> None:
        """Prepare the explained model, fit reference data, and begin a new report."""
        self._target.prepare(self.trainer, self.device)
        fit_references(self)
        self.report = SupervisionReport(self.methods, self.metrics)

    def on_predict_end(self) -> None:
        """Log the report of the first rank."""
        rank_zero_info(self.report.to_table())

    @torch.no_grad()
    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        """Explain, score and select.

        Args:
            batch: See the class.
            batch_idx: Not used.

        Returns:
            Tensors with B rows: ``ids`` (if the batch has them), ``target`` ``(B,)``, the explained
            class, ``saliency`` ``(B, K, n)``, ``scores`` and ``undefined`` ``(B, K, M)``,
            ``candidates`` and ``survivors`` ``(B, K)`` bool, ``without_survivor`` ``(B,)`` bool,
            ``fingerprint`` ``(B,)`` long, computed from the inputs, ``starts`` ``(B,)`` long, the
            padding before each text, and ``sizes`` ``(B,)`` long, the number of the last feature of
            each sample plus 1; ``removals``, the tensors of stored
            evaluations, if they are wanted; ``evaluations``, the number of rows at which f was
            evaluated, and ``seconds``, the time of each stage.
        """
        ids = None
        if isinstance(batch, Mapping):
            ids = batch.get("ids")
            batch = {name: value for name, value in batch.items() if name != "ids"}
        read = Batch.of(batch)
        seconds: dict[str, float] = {}
        forward = CountedModel(self._target.forward)
        with torch.autocast(self.device.type, enabled=False):
            found = self._predict(forward, read, seconds)
        found["fingerprint"] = fingerprint(read)
        if ids is not None:
            found["ids"] = ids
        self.report.add(
            found["candidates"], found["survivors"], found["undefined"], found["without_survivor"]
        )
        self.report.add_cost(forward.rows, seconds)
        return {**found, "evaluations": forward.rows, "seconds": seconds}

    def _predict(
        self, forward: CountedModel, read: Batch, seconds: dict[str, float]
    ) -> dict[str, Any]:
        if any(each.needs_floating_inputs for each in self.explainers):
            read = embedded(read, forward)
        if self.explained == "predicted":
            read = read.explaining(predicted_classes(forward, read))
        else:
            read = read.explaining(read.labels)
        with self._timed("explain", seconds), self._seeded(read):
            attributions = explain_with_priors(
                forward, read, self._priors, points_per_pass=self.points_per_pass
            )
        bound = self.masker.bind(read.inputs, read.sample_data)
        saliency = torch.stack([bound.pool(attributions[name]) for name in self.methods], dim=1)
        with self._timed("score", seconds):
            scored = self.suite.per_sample(
                forward,
                read.inputs,
                attributions,
                read.classes,
                forward_kwargs=read.forward_kwargs,
                masker_kwargs=read.masker_kwargs,
            )
        scores = torch.stack([scored[name].values.T for name in self.metrics], dim=2)
        chosen = [self.metrics.index(name) for name in self.selected_by]
        up = [self.suite.directions[name] for name in self.selected_by]
        selection = select_explanations(
            saliency,
            scores[:, :, chosen],
            torch.tensor(up, device=scores.device),
            **self.rules,
        )
        places = torch.arange(1, bound.n_features + 1, device=saliency.device)
        before = leading_padding(read)
        found: dict[str, Any] = {
            "target": read.labels,
            "saliency": saliency,
            "scores": scores,
            "undefined": torch.stack([scored[name].undefined.T for name in self.metrics], dim=2),
            "candidates": selection.candidates,
            "survivors": selection.survivors,
            "without_survivor": selection.without,
            "starts": torch.zeros_like(places[:1]).expand(len(read)) if before is None else before,
            "sizes": (places * bound.present).amax(dim=1),
        }
        if self.removals is not None:
            with self._timed("subsets", seconds):
                stored = self.removals.evaluate_bound(forward, read, bound, seed=self.seed)
            found["removals"] = stored.as_dict()
        return found

    @contextmanager
    def _seeded(self, read: Batch) -> Iterator[None]:
        """Give explainers that draw from the global generator numbers of this batch alone."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(int(sample_seeds(read.inputs).sum()) % 2**63)
            yield

    @contextmanager
    def _timed(self, stage: str, seconds: dict[str, float]) -> Iterator[None]:
        start = time.perf_counter()
        yield
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        seconds[stage] = time.perf_counter() - start
