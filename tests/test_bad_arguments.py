"""Mistakes of users, and what they are told: the argument, what it must be, and what it was."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from pear_lightning import metrics
from pear_lightning.callbacks import AgreementMonitor, ExplanationRegularizer
from pear_lightning.explainers import (
    ExpectedGradients,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    Lime,
    SmoothGrad,
    explain,
)
from pear_lightning.losses import ConsensusLoss
from pear_lightning.masking import ColumnMasker
from pear_lightning.metrics import AgreementMatrix, Deletion, FaithfulnessSuite, rank_explainers
from pear_lightning.modules import (
    PEAR,
    DeepLasso,
    RightForTheRightReasons,
    ScoresActivationModule,
)
from pear_lightning.nn import MLP, GatedBackbone, ScoresActivation
from tests.modules.helpers import loader, quiet_trainer
from tests.test_batch_forms import Foreign

MODEL, X, Y = MLP(6), torch.rand(4, 6), torch.tensor([0, 1, 1, 0])
PAIR = {"a": Gradient(), "b": InputXGradient()}
FRACTION = r"must be in \(0, 1\] as a fraction, got 1\.5"
TARGET = r"target must be labels \(B,\), one class index for all samples, or None, got "
CALLABLE = r"model must be a module or a function that maps inputs .* to logits \(N, C\), got "

CASES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "target='yes'": (lambda: explain(MODEL, X, "yes", [Gradient()]), TypeError, f"{TARGET}'yes'"),
    "target=1.5": (lambda: explain(MODEL, X, 1.5, [Gradient()]), TypeError, f"{TARGET}1.5"),
    "target of a metric": (
        lambda: Deletion(ColumnMasker(6)).update(MODEL, X, X, "yes"), TypeError, f"{TARGET}'yes'"
    ),
    "n_steps=0": (lambda: IntegratedGradients(0), ValueError, "n_steps must be at least 1, got 0"),
    "n_steps=2.5": (
        lambda: IntegratedGradients(2.5), TypeError, "n_steps must be an integer, got 2.5"
    ),
    **{
        f"n_samples of {kind.__name__}": (
            lambda kind=kind: kind(2.5), TypeError, "n_samples must be an integer, got 2.5"
        )
        for kind in (SmoothGrad, KernelShap, Lime, ExpectedGradients)
    },
    "place": (
        lambda: ScoresActivationModule(MLP(6), place="layers.77"),
        ValueError, r"place must be one of the backbone's modules .*, got 'layers\.77'",
    ),
    "place of a gate": (
        lambda: GatedBackbone(ScoresActivation(6), MLP(6), "layers.77"),
        ValueError, r"place must be one of the backbone's modules .*, got 'layers\.77'",
    ),
    "model=3": (lambda: explain(3, X, Y, [Gradient()]), TypeError, f"{CALLABLE}3"),
    "model=3 of a suite": (
        lambda: FaithfulnessSuite(ColumnMasker(6)).update(3, X, X), TypeError, f"{CALLABLE}3"
    ),
    "model=3 of a ranking": (
        lambda: rank_explainers(3, [X], PAIR, ColumnMasker(6), progress=False),
        TypeError, f"{CALLABLE}3",
    ),
    "model=None of a loss": (
        lambda: ConsensusLoss().explain_with(PAIR).of_model(None, (X, Y)),
        TypeError, f"{CALLABLE}None",
    ),
    "model=3 of the callback": (
        lambda: ExplanationRegularizer(ConsensusLoss(), model=3),
        TypeError, "model must be the name of a submodule or method .*, or None .*, got 3",
    ),
    "top_k=0": (lambda: PEAR(MODEL, top_k=0), ValueError, "top_k must be at least 1, got 0"),
    "top_k=1.5": (lambda: PEAR(MODEL, top_k=1.5), ValueError, f"top_k {FRACTION}"),
    "top_k='five'": (
        lambda: PEAR(MODEL, top_k="five"), TypeError, "top_k must be a number of features .*'five'"
    ),
    **{
        f"k={k} of {name}": (
            lambda name=name, k=k: getattr(metrics, name)(k=k), ValueError, f"^k {message}"
        )
        for name in ("FeatureAgreement", "RankAgreement", "SignAgreement", "SignedRankAgreement",
                     "TopKOverlap", "PrecisionAtK")
        for k, message in ((0, "must be at least 1, got 0"), (1.5, FRACTION))
    },
    "k=0 of a matrix": (
        lambda: AgreementMatrix(["a", "b"], k=0), ValueError, "k must be at least 1, got 0"
    ),
    "k=0 of stability": (
        lambda: metrics.ImportanceStability("jaccard_at_k", k=0),
        ValueError, "k must be at least 1, got 0",
    ),
    "explainers=None": (
        lambda: explain(MODEL, X, Y, None), TypeError, "explainers must be a sequence .* got None"
    ),
    "top_k=0 of the monitor": (
        lambda: AgreementMonitor(top_k=0), ValueError, "top_k must be at least 1, got 0"
    ),
    "a list of attributions": (
        lambda: AgreementMatrix(["a", "b"], k=2).update([X, X]),
        TypeError, r"attributions must be a mapping with the names \['a', 'b'\], got list; give",
    ),
    "a list of attributions of a suite": (
        lambda: FaithfulnessSuite(ColumnMasker(6), ["a", "b"]).update(MODEL, X, [X, X], 0),
        TypeError, r"attributions must be a mapping with the names \['a', 'b'\], got list; give",
    ),
    "no explainers": (
        lambda: explain(MODEL, X, Y, []), ValueError, "explainers must hold at least one .* none"
    ),
    "no explainers by name": (
        lambda: explain(MODEL, X, Y, {}), ValueError, "explainers must hold at least one .* none"
    ),
    "no explainers to rank": (
        lambda: rank_explainers(MODEL, [X], {}, ColumnMasker(6), progress=False),
        ValueError, "explainers must hold at least one explainer, got none",
    ),
    "an empty data set to rank": (
        lambda: rank_explainers(MODEL, [X[:0]], PAIR, ColumnMasker(6), progress=False),
        ValueError, "batches must hold at least one sample, got empty batches",
    ),
    "an empty data set to train": (
        lambda: quiet_trainer().fit(PEAR(MODEL), DataLoader(TensorDataset(X[:0], Y[:0]))),
        ValueError, "train_dataloader must hold at least one batch .*, got none; pass the baseline",
    ),
    "a batch that is one tensor": (
        lambda: quiet_trainer().fit(PEAR(MODEL, explainers=PAIR, test_explainers=PAIR),
                                    DataLoader(X, 2)),
        ValueError, r"batch must have a target .*, got none; give \(inputs, target\)",
    ),
    "columns": (
        lambda: ColumnMasker([[0], [1]]), TypeError, r"n_columns must be an integer, got \[\[0\]"
    ),
    "points_per_pass=1.5": (
        lambda: explain(MODEL, X, Y, [Gradient()], points_per_pass=1.5),
        TypeError, r"points_per_pass must be an integer, got 1\.5",
    ),
    "num_classes='two'": (
        lambda: PEAR(MODEL, num_classes="two"), TypeError, "num_classes must be an integer"
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Total length of .* across ranks is zero")
@pytest.mark.parametrize("mistake", CASES)
def test_mistakes_are_named(mistake: str) -> None:
    call, error, message = CASES[mistake]
    with pytest.raises(error, match=message):
        call()


def test_one_class_for_all_samples_may_be_an_integer_of_numpy() -> None:
    one = explain(MODEL, X, torch.ones(4).long().numpy()[0], [Gradient()])[1][0]
    torch.testing.assert_close(one, explain(MODEL, X, 1, [Gradient()])[1][0])


# --- models -----------------------------------------------------------------------------------


class Pair(MLP):
    """A model that returns more than its logits."""

    def forward(self, inputs: Tensor) -> Any:
        return super().forward(inputs), inputs


MODULES: dict[str, Callable[[nn.Module], Any]] = {
    "PEAR": lambda model: PEAR(model, explainers=PAIR, test_explainers=PAIR, top_k=2),
    "PEAR without weight": lambda model: PEAR(
        model, 0.0, explainers=PAIR, test_explainers=PAIR, top_k=2
    ),
    "RightForTheRightReasons": RightForTheRightReasons,
    "DeepLasso": DeepLasso,
    "ScoresActivationModule": lambda model: ScoresActivationModule(model, ScoresActivation(6)),
}


def foreign(model: nn.Module) -> Foreign:
    module = Foreign()
    module.net = model  # type: ignore[assignment]
    return module


@pytest.mark.parametrize("name", MODULES)
def test_a_model_that_returns_a_tuple(name: str) -> None:
    with pytest.raises(TypeError, match=r"forward must return a tensor of logits .*, got tuple"):
        quiet_trainer(max_epochs=1).fit(MODULES[name](Pair(6)), loader(rows=8))


@pytest.mark.parametrize("name", MODULES)
def test_a_float64_model(name: str) -> None:
    wanted = "inputs must have the dtype of the model's weights, torch.float64, got torch.float32"
    with pytest.raises(TypeError, match=wanted):
        quiet_trainer(max_epochs=1).fit(MODULES[name](MLP(6).double()), loader(rows=8))
    with pytest.raises(TypeError, match=wanted):
        explain(nn.Sequential(nn.Conv1d(6, 2, 1), nn.Flatten()).double(), X[..., None], 0, PAIR)
    with pytest.raises(TypeError, match=r"weights, torch\.float32, got torch\.float64"):
        FaithfulnessSuite(ColumnMasker(6)).update(MLP(6), X.double(), X)
    with pytest.raises(TypeError, match=wanted):
        rank_explainers(MLP(6).double(), [X], PAIR, ColumnMasker(6), progress=False)


@pytest.mark.filterwarnings("ignore:RightReasonsLoss had no part")
@pytest.mark.filterwarnings("ignore:the inputs of a feature gate are not standardised")
@pytest.mark.parametrize("name", MODULES)
def test_a_model_that_ends_in_a_softmax(name: str) -> None:
    softmax = nn.Sequential(MLP(6), nn.Softmax(dim=1))
    softmax.in_features = 6  # type: ignore[assignment]
    module = MODULES[name](softmax)
    with pytest.warns(UserWarning, match="backbone returns rows that sum to 1, probabilities") as w:
        quiet_trainer(max_epochs=2).fit(module, loader(rows=8))
    assert len([each for each in w if "sum to 1" in str(each.message)]) == 1
    log_softmax = nn.Sequential(MLP(6), nn.LogSoftmax(dim=1))
    log_softmax.in_features = 6  # type: ignore[assignment]
    quiet_trainer(max_epochs=1).fit(MODULES[name](log_softmax), loader(rows=8))


@pytest.mark.parametrize("call", [
    lambda model: explain(model, X, Y, [Gradient()]),
    lambda model: rank_explainers(model, [X], PAIR, ColumnMasker(6), progress=False),
    lambda model: FaithfulnessSuite(ColumnMasker(6)).update(model, X, X),
])  # fmt: skip
def test_an_explained_model_that_ends_in_a_softmax(call: Callable[[nn.Module], Any]) -> None:
    softmax = nn.Sequential(MLP(6), nn.Softmax(dim=1))
    with pytest.warns(UserWarning, match="Sequential returns rows that sum to 1"):
        call(softmax)
    call(softmax)  # warns once
    call(nn.Sequential(MLP(6), nn.LogSoftmax(dim=1)))


def test_a_model_that_ends_in_a_softmax_in_the_callback() -> None:
    regularizer = ExplanationRegularizer(ConsensusLoss().explain_with(PAIR))
    module = foreign(nn.Sequential(MLP(6), nn.Softmax(dim=1)))
    with pytest.warns(UserWarning, match="model returns rows that sum to 1, probabilities"):
        quiet_trainer(max_epochs=1, callbacks=[regularizer]).fit(module, loader(rows=8))
