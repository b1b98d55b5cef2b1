"""Every method on text backbones: one step of training and of validation."""

from typing import Any

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn

from pear_lightning.masking import TokenMasker
from pear_lightning.nn import (
    RecurrentClassifier,
    ScoresActivation,
    TransformersClassifier,
    TransformerTextClassifier,
)
from tests.matrix.cells import (
    CALLBACKS,
    CLASSES,
    METHODS,
    PRECISIONS,
    Plain,
    callback_of,
    check_gradients,
    check_logged,
    close,
    fit,
    gated,
    saliency_and_scores,
    trained_by,
)
from tests.training.test_objective import compiled_by

VOCABULARY, WIDTH, LENGTH = 30, 8, 9
BERT = {"model_type": "bert", "vocab_size": VOCABULARY, "hidden_size": WIDTH,
        "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
        "attention_probs_dropout_prob": 0.0}  # fmt: skip
GPT = {"model_type": "gpt2", "vocab_size": VOCABULARY, "n_embd": WIDTH, "n_layer": 1, "n_head": 2,
       "n_positions": 16, "attn_pdrop": 0.0, "pad_token_id": 0}  # fmt: skip
MODELS = ("lstm", "gru", "transformer", "bert", "gpt2")
MASKER = TokenMasker(1, special_token_ids=[2, 3], pad_token_id=0)
every_model = pytest.mark.parametrize("name", MODELS)
every_precision = pytest.mark.parametrize("precision", PRECISIONS)


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name in ("lstm", "gru"):
        options: dict[str, Any] = {"cell": name, "bidirectional": name == "gru"}
        return RecurrentClassifier(VOCABULARY, CLASSES, WIDTH, 6, **options)
    if name == "transformer":
        return TransformerTextClassifier(VOCABULARY, CLASSES, WIDTH, 1, 2, max_tokens=16)
    return TransformersClassifier(BERT if name == "bert" else GPT, num_classes=CLASSES)


def texts(side: str = "right", width: int = LENGTH) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    rows = [[2, *torch.randint(4, 30, (n,), generator=generator).tolist(), 3] for n in (7, 3, 5)]
    padded = [
        [0] * (width - len(row)) + row if side == "left" else row + [0] * (width - len(row))
        for row in rows
    ]
    ids = torch.tensor(padded)
    return {
        "input_ids": ids,
        "attention_mask": (ids != 0).long(),
        "labels": torch.tensor([0, 1, 2]),
    }


def with_masks(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Annotate the first word of each text."""
    mask = torch.zeros_like(batch["input_ids"], dtype=torch.float32)
    mask[:, 1] = 1
    return {**batch, "mask": mask}


@every_model
@every_precision
@pytest.mark.parametrize("method", METHODS)
def test_explanations_train_the_network(name, precision, method):
    batch = with_masks(texts()) if method == "right reasons" else texts()
    trainer, gradients = fit(trained_by(method, build(name), MASKER), batch, precision)
    check_gradients(gradients, "")
    check_logged(trainer)


@every_model
@every_precision
@pytest.mark.parametrize(("axis", "features"), [(1, LENGTH), (-1, WIDTH)])
def test_scores_of_positions_and_of_components(name, precision, axis, features):
    gate = ScoresActivation(features, axis=axis, check_scale=False)
    module = gated(build(name), gate)
    _, gradients = fit(module, texts(), precision)
    check_gradients(gradients, "gate")
    assert module.scores.shape == (features,)
    assert module.scores.max() > module.scores.min()


@every_model
@every_precision
@pytest.mark.parametrize("callback", CALLBACKS)
def test_callbacks(name, precision, callback, tmp_path):
    shown = callback_of(callback, MASKER)
    options = {"logger": CSVLogger(tmp_path)} if callback == "pictures" else {}
    trainer, gradients = fit(Plain(build(name)), texts(), precision, shown, **options)
    check_gradients(gradients, "")
    if callback == "pictures":
        assert len(list(tmp_path.rglob("val_attributions-*.png"))) == 1
    else:
        values = [v for n, v in trainer.callback_metrics.items() if n.startswith("val_")]
        assert len(values) > 5
        assert all(value.isfinite() for value in values)


@every_model
@every_precision
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_text_does_not_depend_on_its_batch_or_its_padding(name, precision, side):
    network = build(name).eval()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
        padded = texts(side, LENGTH + 2)
        saliency, scores = saliency_and_scores(network, padded, MASKER)
        for row, length in enumerate((9, 5, 7)):
            single = {key: value[row : row + 1, :length] for key, value in texts().items()
                      if key != "labels"}  # fmt: skip
            single["labels"] = padded["labels"][row : row + 1]
            alone = saliency_and_scores(network, single, MASKER)
            own = padded["attention_mask"][row].bool()
            for explainer, each in saliency.items():
                assert not each[row, ~own].any()
                close(alone[0][explainer][0], each[row, own], precision)
            if precision == "32-true":  # scores follow ranks, and ranks of rounded values have ties
                for metric, values in scores.items():
                    close(alone[1][metric][:, 0], values[:, row], precision)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit")  # torch's compiler calls what torch deprecated
@pytest.mark.filterwarnings("ignore:The .grad attribute")  # it looks at that of embeddings, too
def test_a_compiled_consensus_of_padded_texts_equals_the_eager_one(monkeypatch):
    compiled_by(monkeypatch)

    def gradients(compile: bool) -> list[Tensor]:
        module = trained_by("pear", build("transformer"), MASKER)
        module.objective.compile_loss = compile
        module.training_loss(texts())["loss"].backward()
        found = [each.grad for each in module.backbone.parameters()]
        return [each for each in found if each is not None and each.any()]

    torch.testing.assert_close(gradients(compile=True), gradients(compile=False))
