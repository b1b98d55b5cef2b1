"""DeepFaith, trained and asked for explanations."""

import copy
import hashlib
import math
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from benchmarks.deepfaith.made_up_rows import made_up_rows
from benchmarks.deepfaith.methods import Method
from benchmarks.deepfaith.problem import Part, Problem, with_predictions
from benchmarks.deepfaith.rows import Rows, as_mapping, shuffled
from benchmarks.deepfaith.supervision import labels_of, scored_priors
from benchmarks.shared.image_cnn import ImageCNN
from benchmarks.shared.quiet_trainer import quiet_trainer, silence_lightning
from benchmarks.shared.text_cnn import ConvolvedWords, TextCNN
from benchmarks.shared.watched import Watched
from pear_lightning.callbacks import AlphaSchedule
from pear_lightning.explainers import AmortizedExplainer
from pear_lightning.explainers.amortized_explainer import of_class
from pear_lightning.losses import LocalCorrelationLoss, PatternConsistencyLoss
from pear_lightning.masking import ColumnMasker
from pear_lightning.modules import DeepFaith
from pear_lightning.nn import (
    BackboneTokens,
    ExplainerMLP,
    ExplainerTransformer,
    PatchTokens,
    TextTokens,
)
from pear_lightning.nn.explainer_tokens import ExplainerTokens
from pear_lightning.nn.score_scale import ScoreScale
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.outputs import resolve_output
from pear_lightning.scoring.removals import Removals
from pear_lightning.scoring.scorer import Scorer
from pear_lightning.scoring.side_inputs import side_inputs

SUBSETS = {"table": 128, "image": 64, "text": 64}
"""Subsets of each term and sample; all of those of seven columns."""

RATES = {"table": 3e-3, "image": 3e-3, "text": 1e-3}
"""Learning rates of AdamW, falling to 0 along a half cosine."""

ALPHA = {"window": 5, "threshold": 1e-4, "factor": 10.0}
"""Algorithm 1, in epochs. With the threshold of the authors' code, 1e-5, it does not leave its
first phase within the epochs of these runs."""


@dataclass(frozen=True)
class Trained:
    """A trained explainer.

    Attributes:
        explainer: The explainer.
        record: What its training took.
        curves: Losses and weight by epoch.
    """

    explainer: AmortizedExplainer
    record: dict[str, Any]
    curves: dict[str, list[float]] = field(default_factory=dict)


class _Curves(Callback):
    """Keeps the means of the parts of the loss over the batches of each epoch."""

    def __init__(self) -> None:
        self.curves: dict[str, list[float]] = {}
        self._batches: list[dict[str, float]] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any
    ) -> None:
        parts = {name: float(each) for name, each in outputs.items()}
        self._batches.append(parts | {"alpha": float(pl_module.alpha)})  # type: ignore[arg-type]

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for name in self._batches[0]:
            values = [each[name] for each in self._batches if name in each]
            mean = float(f"{sum(values) / len(values):.5g}")
            self.curves.setdefault(name, []).append(mean)
        self._batches = []


def train(
    problem: Problem,
    method: Method,
    cache: Path,
    *,
    samples: int | None = None,
    held_out: tuple[str, ...] = (),
) -> Trained:
    """Train an explainer, or take it from the cache.

    Args:
        problem: What is explained.
        method: How.
        cache: Folder of the supervision and of trained explainers.
        samples: Number of training samples; ``None`` for all.
        held_out: Metrics that do not select the supervision.
    """
    known = f"{method} {samples} {held_out} {problem.terms}"
    path = cache / f"trained-{hashlib.sha256(known.encode()).hexdigest()[:16]}.pt"
    if not path.exists():
        made = _train(problem, method, cache, samples, held_out)
        saved = {"weights": made.explainer.state_dict(), "record": made.record}
        torch.save(saved | {"curves": made.curves}, path)
    saved = torch.load(path)
    explainer = AmortizedExplainer(
        network_of(problem, method),
        problem.masker,
        explained="all" if method.all_classes else "predicted",
        side=method.side,
        zero_rule=method.zero_rule,
    )
    explainer.load_state_dict(saved["weights"])
    return Trained(explainer.eval(), saved["record"], saved["curves"])


def _train(
    problem: Problem,
    method: Method,
    cache: Path,
    samples: int | None,
    held_out: tuple[str, ...],
) -> Trained:
    silence_lightning()
    model, start = Watched(problem.model).eval(), time.process_time()
    batch = problem.parts["train"]
    batch = batch.rows(slice(len(batch) if samples is None else min(samples, len(batch))))
    missing = (samples or problem.terms.train) - len(batch)
    if method.made_up and missing > 0 and problem.terms.kind == "table":
        made_up = made_up_rows(batch.inputs, problem.masker, missing)
        batch = with_predictions(problem.model, Batch(torch.cat([batch.inputs, made_up])))
    loss, record = LocalCorrelationLoss(method.terms), dict[str, Any]()
    tensors, stored = as_mapping(batch), None
    callbacks: list[Callback] = [curves := _Curves()]
    if method.supervision is not None:
        found = scored_priors(problem, cache)
        number, labels, counts = labels_of(found, method.supervision, held_out)
        tensors = {name: each[number] for name, each in tensors.items()} | {"supervision": labels}
        record |= counts
        for name in ("seconds", "evaluations"):
            record[f"supervision_{name}"] = round(found[name], 2)
    elif method.alpha == 0:
        loss = LocalCorrelationLoss(method.terms, n_subsets=SUBSETS[problem.terms.kind])
        stored = evaluated(problem, model, loss, batch)
    record["subsets_seconds"] = round(time.process_time() - start, 2)
    if method.alpha is None:
        callbacks.append(AlphaSchedule(**ALPHA))
    torch.manual_seed(problem.seed)
    rows = Rows(tensors, stored)
    terms = problem.terms
    epochs = math.ceil(terms.steps / math.ceil(len(rows) / terms.batch_size))
    module = DeepFaith(
        model,
        network_of(problem, method),
        problem.masker,
        1.0 if method.alpha is None else method.alpha,
        local_correlation=loss,
        pattern_consistency=PatternConsistencyLoss(half=True),
        explained="all" if method.all_classes else "predicted",
        side=method.side,
        zero_rule=method.zero_rule,
        optimizer=partial(torch.optim.AdamW, lr=RATES[terms.kind], weight_decay=1e-4),
        lr_scheduler=partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=epochs),
    )
    start = time.process_time()
    trainer = quiet_trainer(max_epochs=epochs, accelerator="cpu", callbacks=callbacks)
    trainer.fit(module, shuffled(rows, terms.batch_size, problem.seed))
    record |= {
        "training_seconds": round(time.process_time() - start, 2),
        "training_samples": len(rows),
        "epochs": epochs,
        "evaluations": model.samples,
        "parameters": sum(each.numel() for each in module.explainer.parameters()),
    }
    return Trained(module.explainer.eval(), record, curves.curves)


def evaluated(
    problem: Problem, model: nn.Module, loss: LocalCorrelationLoss, batch: Batch
) -> Removals:
    """Return evaluations of the explained model at the subsets of a loss.

    Args:
        problem: What is explained.
        model: The explained model.
        loss: The loss.
        batch: The samples.
    """
    parts = []
    for start in range(0, len(batch), 250):
        some = batch.rows(slice(start, start + 250))
        bound = problem.masker.bind(some.inputs, some.sample_data)
        parts.append(loss.evaluate_bound(model, some, bound).as_dict())
    joined = {name: torch.cat([each[name] for each in parts]) for name in parts[0]}
    return Removals(**joined)


def network_of(problem: Problem, method: Method) -> nn.Module:
    """Return an explainer network, untrained.

    Args:
        problem: What is explained.
        method: How.
    """
    inputs = problem.parts["train"].inputs
    scale: ScoreScale = "sigmoid" if method.sigmoid else "unbounded"
    options: dict[str, Any] = {"scale": scale, "side_channels": _side_channels(problem, method)}
    options["num_classes"] = problem.n_classes if method.given_class else None
    options["per_class"] = method.all_classes
    if problem.terms.kind == "table":
        assert isinstance(problem.masker, ColumnMasker)
        if method.times_inputs:
            options |= {"times_inputs": True, "groups": problem.masker.groups}
        return ExplainerMLP(inputs.shape[1], problem.n_features, **options)
    tokens: ExplainerTokens = PatchTokens(4, 28, in_channels=1, dim=64)
    if isinstance(problem.model, ImageCNN) and method.from_model:
        layers = copy.deepcopy(problem.model.features).requires_grad_(True)
        tokens = BackboneTokens(layers, problem.n_features, dim=32)
    if problem.terms.kind == "text":
        tokens = TextTokens(None, inputs.shape[2], n_tokens=inputs.shape[1], dim=64)
        if isinstance(problem.model, TextCNN) and method.from_model:
            tokens = BackboneTokens(ConvolvedWords(problem.model), inputs.shape[1], dim=64)
    return ExplainerTransformer(tokens, **options)


def _side_channels(problem: Problem, method: Method) -> int:
    if not method.side:
        return 0
    one = problem.parts["train"].rows(slice(1))
    scorer = Scorer(Watched(problem.model), one, resolve_output("centered_logit"))
    bound = problem.masker.bind(one.inputs, one.sample_data)
    return side_inputs(method.side, scorer, bound).shape[-1]


def saliency_of(problem: Problem, explainer: AmortizedExplainer, part: Part) -> Tensor:
    """Return the explanations of a part, ``(N, n)``.

    Args:
        problem: What is explained.
        explainer: The trained explainer.
        part: Which samples.
    """
    batch = problem.parts[part]
    with torch.no_grad():
        saliency = explainer.saliency(batch, forward=Watched(problem.model))
    return of_class(saliency, batch.classes) if saliency.ndim == 3 else saliency
