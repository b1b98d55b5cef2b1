"""Every form of batch that a loader yields, through every module and every callback.

A mask, keyword arguments and whatever else a batch holds are used or left alone, never a reason to
fail.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import DataLoader, Dataset

from pear_lightning.callbacks import (
    AgreementMonitor,
    AgreementTable,
    AttributionPictures,
    ExplanationRegularizer,
    FaithfulnessMonitor,
    PredictionWriter,
    ScoresLogger,
)
from pear_lightning.datamodules import DecoyDigits
from pear_lightning.explainers import Gradient, InputXGradient, IntegratedGradients
from pear_lightning.losses import ConsensusLoss, DeepLassoLoss, HINTLoss, RightReasonsLoss
from pear_lightning.masking import ColumnMasker, TokenMasker
from pear_lightning.metrics import rank_explainers
from pear_lightning.modules import (
    PEAR,
    DeepLasso,
    FindAnotherExplanation,
    RightForTheRightReasons,
    ScoresActivationModule,
)
from pear_lightning.nn import MLP, TransformersClassifier
from pear_lightning.scoring import Batch
from tests.modules.helpers import quiet_trainer, weights

N = 12
X, Y = torch.randn(N, 6), torch.arange(N) % 2
MASK = F.one_hot(torch.arange(N) % 6, 6)
SCALE = torch.ones(N)
PAIR = {"gradient": Gradient(), "contribution": InputXGradient()}


class Scaled(MLP):
    """A network that takes something besides its inputs."""

    def forward(self, inputs: Tensor, scale: Tensor | None = None) -> Tensor:
        logits = super().forward(inputs)
        return logits if scale is None else logits * scale[:, None]


class Rows(Dataset[Any]):
    def __init__(self, row: Callable[[int], Any]) -> None:
        self.row = row

    def __len__(self) -> int:
        return N

    def __getitem__(self, index: int) -> Any:
        return self.row(index)


FORMS: dict[str, Callable[[int], Any]] = {
    "(x, y)": lambda i: (X[i], Y[i]),
    "[x, y]": lambda i: [X[i], Y[i]],
    "(x, y, mask)": lambda i: (X[i], Y[i], MASK[i]),
    "(x, y, mask, kwargs)": lambda i: (X[i], Y[i], MASK[i], {"scale": SCALE[i]}),
    "(x, y, mask, kwargs, for maskers)": lambda i: (X[i], Y[i], MASK[i], {}, {"segments": MASK[i]}),
    "names of the contracts": lambda i: {"inputs": X[i], "target": Y[i], "mask": MASK[i]},
    "with keyword arguments": lambda i: {"inputs": X[i], "target": Y[i], "scale": SCALE[i]},
    "names of Hugging Face": lambda i: {"inputs_embeds": X[i], "labels": Y[i], "text": "a text"},
}
MODULES: dict[str, Callable[[], LightningModule]] = {
    "PEAR": lambda: PEAR(Scaled(6), explainers=PAIR, test_explainers=PAIR, top_k=3),
    "RightForTheRightReasons": lambda: RightForTheRightReasons(Scaled(6)),
    "FindAnotherExplanation": lambda: FindAnotherExplanation(
        Scaled(6), max_models=2, epochs_per_model=1, max_accuracy_drop=1, max_similarity=1
    ),
    "DeepLasso": lambda: DeepLasso(Scaled(6)),
    "ScoresActivationModule": lambda: ScoresActivationModule(Scaled(6)),
}


class Foreign(LightningModule):
    """Somebody's module, which reads its batches by itself."""

    scores = torch.ones(6)

    def __init__(self) -> None:
        super().__init__()
        self.net = Scaled(6)

    def forward(self, x: Tensor, **kwargs: Tensor) -> Tensor:
        logits: Tensor = self.net(x, **kwargs)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        read = Batch.of(batch)
        return F.cross_entropy(self(read.inputs, **read.forward_kwargs), read.labels)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", self.training_step(batch, batch_idx))

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self.log("test_loss", self.training_step(batch, batch_idx))

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        read = Batch.of(batch)
        return {"logits": self(read.inputs, **read.forward_kwargs)}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


CALLBACKS: dict[str, Callable[[], Callback]] = {
    "ExplanationRegularizer, right reasons": lambda: ExplanationRegularizer(RightReasonsLoss()),
    "ExplanationRegularizer, consensus": lambda: ExplanationRegularizer(
        ConsensusLoss().explain_with(PAIR)
    ),
    "ExplanationRegularizer, deep lasso": lambda: ExplanationRegularizer(DeepLassoLoss()),
    "FaithfulnessMonitor": lambda: FaithfulnessMonitor(ColumnMasker(6), rows=4, n_steps=3),
    "AgreementMonitor": lambda: AgreementMonitor(explainers=PAIR, top_k=3, rows=8),
    "AttributionPictures": lambda: AttributionPictures(samples=[7]),
    "AgreementTable": AgreementTable,
    "ScoresLogger": lambda: ScoresLogger(table=False),
}

pytestmark = [
    pytest.mark.filterwarnings("ignore:RightReasonsLoss had no part"),  # of batches without masks
    pytest.mark.filterwarnings("ignore:the inputs of a feature gate are not standardised"),
    pytest.mark.filterwarnings("ignore:max_epochs=.* ends before"),
    pytest.mark.filterwarnings("ignore:Trying to infer the `batch_size`"),  # of somebody's log
]


def loader(form: str) -> DataLoader[Any]:
    return DataLoader(Rows(FORMS[form]), batch_size=6)


def run(module: LightningModule, data: Any, *callbacks: Callback) -> list[Any]:
    trainer = quiet_trainer(max_epochs=2, callbacks=list(callbacks))
    trainer.fit(module, data, data)
    trainer.validate(module, data, verbose=False)
    trainer.test(module, data, verbose=False)
    assert all(weight.isfinite().all() for weight in weights(module))
    predictions: list[Any] = trainer.predict(module, data)
    return predictions


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("form", FORMS)
def test_modules(form: str, module: str) -> None:
    predictions = run(MODULES[module](), loader(form))
    assert sum(len(each["logits"]) for each in predictions) == N


@pytest.mark.parametrize("callback", CALLBACKS)
@pytest.mark.parametrize("form", FORMS)
def test_callbacks(form: str, callback: str) -> None:
    run(Foreign(), loader(form), CALLBACKS[callback]())


@pytest.mark.parametrize("form", FORMS)
def test_predictions_are_written(form: str, tmp_path: Any) -> None:
    module = PEAR(Scaled(6), explainers=PAIR)
    trainer = quiet_trainer(callbacks=[PredictionWriter(tmp_path)])
    trainer.predict(module, loader(form))
    saved = torch.load(tmp_path / "predictions.pt")
    assert saved["attributions"]["gradient"].shape == (N, 6)


@pytest.mark.parametrize("form", FORMS)
def test_rank_explainers(form: str) -> None:
    network = Scaled(6)
    ranking = rank_explainers(network, loader(form), PAIR, ColumnMasker(6), progress=False)
    assert ranking.n_samples == N


@pytest.mark.parametrize("module", MODULES)
def test_what_a_module_does_not_use_changes_nothing(module: str) -> None:
    """The same rows, with and without what the method leaves alone."""
    trained = []
    first = MODULES[module]()
    forms = ["(x, y)", "names of Hugging Face"]
    if module not in ("RightForTheRightReasons", "FindAnotherExplanation"):
        forms.append("(x, y, mask)")
    for form in forms:
        each = copy.deepcopy(first)
        trainer = quiet_trainer(max_epochs=1)
        torch.manual_seed(0)
        trainer.fit(each, loader(form))
        trained.append(weights(each))
    for other in trained[1:]:
        torch.testing.assert_close(trained[0], other, rtol=0, atol=0)


@pytest.mark.parametrize("module", MODULES)
def test_data_with_masks_of_the_library(module: str) -> None:
    digits = DecoyDigits()
    model = MODULES[module]()
    kinds: dict[str, Any] = {"PEAR": {"explainers": PAIR, "test_explainers": PAIR}}
    kind: Any = type(model)
    model = kind(MLP(64, 10), num_classes=10, **kinds.get(module, {}))
    quiet_trainer(max_epochs=1, limit_train_batches=2, limit_val_batches=1).fit(model, digits)


# --- texts ------------------------------------------------------------------------------------

TINY = {
    "model_type": "bert", "vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1,
    "num_attention_heads": 2, "intermediate_size": 16, "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}  # fmt: skip
IDS = torch.randint(5, 20, (N, 5))
IDS[:, 0], IDS[:, -1] = 2, 3
PAIR_OF_TEXTS = {"gradient": Gradient(), "average": IntegratedGradients(2)}


def texts() -> Iterator[dict[str, Any]]:
    for part in torch.arange(N).split(6):
        yield {
            "input_ids": IDS[part],
            "attention_mask": torch.ones(6, 5, dtype=torch.long),
            "labels": Y[part],
            "mask": F.one_hot(part % 3 + 1, 5),
        }


OF_TEXTS: dict[str, Callable[[nn.Module], LightningModule]] = {
    "PEAR": lambda net: PEAR(
        net, explainers=PAIR_OF_TEXTS, test_explainers=PAIR_OF_TEXTS,
        masker=TokenMasker(special_token_ids=[2, 3]), top_k=2,
    ),
    "RightForTheRightReasons": RightForTheRightReasons,
    "HINT": lambda net: RightForTheRightReasons(
        net, loss=HINTLoss(TokenMasker(special_token_ids=[2, 3]))
    ),
    "DeepLasso": lambda net: DeepLasso(net, in_features=40),
}  # fmt: skip


@pytest.mark.parametrize("module", OF_TEXTS)
def test_batches_of_token_ids_as_hugging_face_collates_them(module: str) -> None:
    pytest.importorskip("transformers")
    model = OF_TEXTS[module](TransformersClassifier(TINY, num_classes=2))
    before = [weight.clone() for weight in weights(model)]
    run(model, DataLoader(list(texts()), batch_size=None))
    moved = [bool((a != b).any()) for a, b in zip(before, weights(model), strict=True)]
    assert all(moved[:3])  # the embeddings too


def test_a_ranking_of_gradient_explainers_on_token_ids() -> None:
    pytest.importorskip("transformers")
    model = TransformersClassifier(TINY, num_classes=2)
    masker = TokenMasker(special_token_ids=[2, 3])
    ranking = rank_explainers(model, texts(), PAIR_OF_TEXTS, masker, progress=False)
    assert ranking.n_samples == N
    kinds = (torch.arange(5) > 2).long().expand(6, 5)
    forms: dict[str, Any] = {
        "as a tokenizer returns them": lambda each: {**each, "token_type_ids": kinds},
        "embeddings and ids": lambda each: {
            **{name: value for name, value in each.items() if name != "input_ids"},
            "inputs_embeds": model.embed(each["input_ids"]).detach(),
            "input_ids": each["input_ids"],
        },
        "data for maskers": lambda each: (
            model.embed(each["input_ids"]).detach(),
            each["labels"],
            None,
            {"attention_mask": each["attention_mask"]},
            {"input_ids": each["input_ids"]},
        ),
    }
    for name, form in forms.items():
        given = [form(each) for each in texts()]
        other = rank_explainers(model, given, PAIR_OF_TEXTS, masker, progress=False)
        equal = torch.allclose(other.means, ranking.means, rtol=1e-4, atol=1e-6)
        assert equal == (name != "as a tokenizer returns them"), name
    nothing = [(model.embed(IDS).detach(), Y)]
    with pytest.raises(ValueError, match=r"got neither; give masker_kwargs=\{'input_ids': ids\}"):
        rank_explainers(model, nothing, PAIR_OF_TEXTS, masker, progress=False)
