"""The learned explainers, trained within a budget."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import nn
from torch.utils.data import DataLoader

from benchmarks.amortized.budget import Budget
from benchmarks.amortized.networks import network, predictor
from benchmarks.amortized.settings import Terms
from benchmarks.amortized.task import Rows, Table, Task, chosen
from benchmarks.shared.quiet_trainer import quiet_trainer
from benchmarks.shared.watched import Watched
from pear_lightning.explainers import (
    AmortizedExplainer,
    Explainer,
    KernelShap,
    PermutationShap,
    explain,
)
from pear_lightning.losses import CorrelationTerm, LocalCorrelationLoss
from pear_lightning.masking.bound_masker import BoundMasker
from pear_lightning.modules import (
    L2X,
    AmortizedModule,
    CXPlain,
    DeepFaith,
    DiET,
    EvalX,
    FastSHAP,
    LearnedOrder,
    RealX,
    StochasticAmortization,
    Surrogate,
)
from pear_lightning.scoring import Batch, ShapleyLaw, SingleRemovalLaw
from pear_lightning.scoring.removals import Removals, remove_subsets

_BLOCK = 256


def adam(params: Any, rate: float = 1e-3) -> torch.optim.Optimizer:
    """Return the optimiser of all methods."""
    return torch.optim.AdamW(params, lr=rate, weight_decay=1e-4)


class Fit:
    """The training of a method, with what is left of its budget.

    Args:
        task: The task.
        terms: Its terms.
        rows: The training rows.
        seed: Seed of the weights and of the order of the rows.
    """

    def __init__(self, task: Task, terms: Terms, rows: Rows, seed: int) -> None:
        self.task, self.terms, self.rows, self.seed = task, terms, rows, seed
        self.model = Watched(task.model).eval()
        self.start = time.process_time()
        self.steps: list[int] = []

    def left(self) -> tuple[float, float]:
        """Return the evaluations and the seconds that are left."""
        used = time.process_time() - self.start
        return self.terms.evaluations - self.model.samples, max(self.terms.seconds - used, 0.1)

    def train(
        self, module: LightningModule, rows: dict[str, Any] | None = None, share: float = 1.0
    ) -> None:
        """Train a module with a share of what is left.

        Args:
            module: The module.
            rows: Rows of the batches; ``None`` for the training rows.
            share: The share.
        """
        evaluations, seconds = self.left()
        budget = Budget(self.model, share * evaluations, share * seconds)
        loader = DataLoader(
            Table(self.rows if rows is None else rows),
            batch_size=min(self.terms.batch_size, len(self.rows["inputs"])),
            shuffle=True,
            drop_last=True,
            collate_fn=_unchanged,
        )
        trainer = quiet_trainer(max_epochs=100_000, accelerator="cpu", callbacks=[budget])
        trainer.fit(module, loader)
        self.steps.append(budget.steps)

    def surrogate(self, kind: Callable[..., Surrogate]) -> nn.Module:
        """Return a surrogate or a predictor of selections, trained with half of the budget."""
        module = kind(self.model, predictor(self.task), self.task.masker, optimizer=adam)
        self.train(module, share=0.5)
        backbone: nn.Module = module.backbone
        return backbone.eval()

    def labels(self, explainer: Explainer) -> dict[str, Any]:
        """Return training rows with explanations of their predicted class.

        Args:
            explainer: The explainer of the labels.

        Returns:
            As many rows as half of the budget suffices for.
        """
        found = []
        for block in self._blocks():
            batch = Batch.of(block)
            with torch.no_grad():
                target = self.task.model(batch.inputs, **batch.forward_kwargs).argmax(dim=1)
                _, (each,) = explain(
                    self.model,
                    batch.inputs,
                    target,
                    [explainer],
                    output="prob",
                    forward_kwargs=batch.forward_kwargs,
                )
            bound = self.task.masker.bind(batch.inputs, batch.sample_data)
            found.append(bound.pool(each))
        labels = torch.cat(found)
        return {**chosen(self.rows, slice(len(labels))), "supervision": labels}

    def removals(self) -> dict[str, Any]:
        """Return training rows with evaluations of the model without each feature."""
        return self._evaluated(
            lambda batch, bound: remove_subsets(self.model, batch, bound, [(SingleRemovalLaw(), 1)])
        )

    def subsets(self, loss: LocalCorrelationLoss) -> dict[str, Any]:
        """Return training rows with evaluations of the model at the subsets of a loss.

        Args:
            loss: The loss.
        """
        return self._evaluated(partial(loss.evaluate_bound, self.model))

    def _evaluated(self, evaluate: Callable[[Batch, BoundMasker], Removals]) -> dict[str, Any]:
        """Return as many training rows, evaluated, as the budget suffices for."""
        found = []
        for block in self._blocks():
            batch = Batch.of(block)
            bound = self.task.masker.bind(batch.inputs, batch.sample_data)
            found.append(evaluate(batch, bound).as_dict())
        joined = {name: torch.cat([each[name] for each in found]) for name in found[0]}
        return {**chosen(self.rows, slice(len(joined["keep"]))), "removals": joined}

    def _blocks(self) -> Iterator[dict[str, Any]]:
        """Yield blocks of rows while half of the seconds, and evaluations, are left."""
        for first in range(0, len(self.rows["inputs"]), _BLOCK):
            evaluations, seconds = self.left()
            if first and (evaluations <= 0 or seconds < self.terms.seconds / 2):
                break
            yield chosen(self.rows, slice(first, first + _BLOCK))

    def samples_of_a_label(self) -> int:
        """Return how many evaluations the label of a row gets: noisy, but for many rows.

        With fewer than a few per feature, the regression of KernelSHAP is nearly singular.
        """
        affordable = self.terms.evaluations // len(self.rows["inputs"])
        return max(min(affordable, 8 * self.task.n_features), 4 * self.task.n_features)


def _unchanged(batch: Any) -> Any:
    return batch


def _deepfaith(
    fit: Fit,
    terms: list[CorrelationTerm] | None = None,
    *,
    all_classes: bool = False,
    stored: bool = False,
) -> AmortizedModule:
    preset: Any = fit.terms.preset
    loss = LocalCorrelationLoss(terms or preset, n_subsets=64 if stored else None)
    rows = fit.subsets(loss) if stored else None
    module = DeepFaith(
        fit.model,
        network(fit.task, per_class=all_classes),
        fit.task.masker,
        local_correlation=loss,
        explained="all" if all_classes else "predicted",
        optimizer=adam,
    )
    fit.train(module, rows)
    return module


def _fastshap(fit: Fit, *, with_surrogate: bool = False) -> AmortizedModule:
    surrogate = fit.surrogate(Surrogate) if with_surrogate else None
    net = network(fit.task, per_class=True)
    module = FastSHAP(fit.model, net, fit.task.masker, surrogate, optimizer=adam)
    fit.train(module)
    return module


def _stochastic(fit: Fit, kind: Callable[..., Explainer]) -> AmortizedModule:
    rows = fit.labels(kind(fit.samples_of_a_label(), masker=fit.task.masker))
    module = StochasticAmortization(fit.model, network(fit.task), fit.task.masker, optimizer=adam)
    fit.train(module, rows)
    return module


def _cxplain(fit: Fit) -> AmortizedModule:
    rows = fit.removals()
    net = network(fit.task, "softmax")
    module = CXPlain(fit.model, net, fit.task.masker, explained="predicted", optimizer=adam)
    fit.train(module, rows)
    return module


def _l2x(fit: Fit) -> AmortizedModule:
    module = L2X(
        fit.model,
        network(fit.task),
        fit.task.masker,
        predictor(fit.task),
        fit.terms.selected,
        optimizer=adam,
    )
    fit.train(module)
    return module


def _realx(fit: Fit) -> AmortizedModule:
    q = fit.surrogate(EvalX)
    module = RealX(fit.model, network(fit.task), fit.task.masker, q, optimizer=adam)
    fit.train(module)
    return module


def _learned_order(fit: Fit) -> AmortizedModule:
    module = LearnedOrder(fit.model, network(fit.task), fit.task.masker, optimizer=adam)
    fit.train(module)
    return module


def _diet(fit: Fit) -> DiET:
    copy = predictor(fit.task)
    copy.load_state_dict(fit.task.model.state_dict())
    module = DiET(fit.model, copy, fit.task.masker, optimizer=partial(adam, rate=1e-4))
    fit.train(module)
    return module


_SHAPLEY = CorrelationTerm(ShapleyLaw(), output="prob", n_subsets=32)

METHODS: dict[str, Callable[[Fit], LightningModule]] = {
    "DeepFaith": _deepfaith,
    "DeepFaith, stored subsets": partial(_deepfaith, stored=True),
    "DeepFaith, stored subsets, all classes": partial(_deepfaith, stored=True, all_classes=True),
    "DeepFaith, Shapley kernel": partial(_deepfaith, terms=[_SHAPLEY]),
    "DeepFaith, all classes": partial(_deepfaith, all_classes=True),
    "DeepFaith, Shapley kernel, all classes": partial(
        _deepfaith, terms=[_SHAPLEY], all_classes=True
    ),
    "FastSHAP": _fastshap,
    "FastSHAP, surrogate": partial(_fastshap, with_surrogate=True),
    "StochasticAmortization, KernelSHAP": partial(_stochastic, kind=KernelShap),
    "StochasticAmortization, permutations": partial(_stochastic, kind=PermutationShap),
    "CXPlain": _cxplain,
    "L2X": _l2x,
    "RealX": _realx,
    "LearnedOrder": _learned_order,
    "DiET": _diet,
}


def explainer_of(module: LightningModule) -> Explainer:
    """Return what explains after the training.

    Args:
        module: A trained module.
    """
    found: Any = module.explainer
    assert isinstance(found, AmortizedExplainer | Explainer)
    return found.eval()
