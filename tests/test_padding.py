"""Consensus and agreement of a text depend neither on its batch nor on the side of its padding."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from pear_lightning import metrics
from pear_lightning.explainers import Gradient, InputXGradient, IntegratedGradients
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.functional.agreement import AGREEMENT_NAMES
from pear_lightning.losses import ConsensusLoss
from pear_lightning.masking import BoundMasker, TokenMasker
from pear_lightning.metrics import AgreementMatrix
from pear_lightning.modules import PEAR
from pear_lightning.nn import RecurrentClassifier
from tests.modules.helpers import quiet_trainer

LENGTHS = (9, 4, 6, 2, 1)  # of words; [CLS] and [SEP] come in addition
LAYOUTS = [(side, width) for side in ("left", "right") for width in (11, 15)]
METRICS: list[tuple[type[Any], dict[str, Any]]] = [
    (metrics.FeatureAgreement, {"k": 3}),
    (metrics.RankAgreement, {"k": 3}),
    (metrics.SignAgreement, {"k": 0.5}),
    (metrics.SignedRankAgreement, {"k": 0.5, "chance_corrected": True}),
    (metrics.RankCorrelation, {}),
    (metrics.PairwiseRankAgreement, {}),
]


def explainers() -> dict[str, Any]:
    return {
        "gradient": Gradient(),
        "product": InputXGradient(),
        "integrated": IntegratedGradients(3, baseline=0.3),
    }


def texts() -> list[list[int]]:
    generator = torch.Generator().manual_seed(0)
    words = [torch.randint(4, 30, (length,), generator=generator).tolist() for length in LENGTHS]
    return [[2, *each, 3] for each in words]


def padded(rows: list[list[int]], side: str, width: int) -> dict[str, Tensor]:
    padding = [[0] * (width - len(row)) for row in rows]
    both = zip(rows, padding, strict=True)
    ids = torch.tensor([pad + row if side == "left" else row + pad for row, pad in both])
    labels = torch.tensor([row[1] % 2 for row in rows])
    return {"input_ids": ids, "attention_mask": (ids != 0).long(), "labels": labels}


def alone() -> list[dict[str, Tensor]]:
    return [padded([row], "right", len(row)) for row in texts()]


def module() -> PEAR:
    torch.manual_seed(0)
    network = RecurrentClassifier(30, embedding_size=8, hidden_size=6, bidirectional=True)
    masker = TokenMasker(1, special_token_ids=[2, 3], pad_token_id=0)
    return PEAR(network, explainers=explainers(), masker=masker, top_k=3).double()


def pooled(model: PEAR, rows: dict[str, Tensor]) -> tuple[dict[str, Tensor], BoundMasker]:
    batch = model.explained(model.batch_of(rows))
    named = explainers()
    _, found = explain_batch(model.backbone, batch, list(named.values()), output="centered_logit")
    assert model.consensus.masker is not None
    bound = model.consensus.masker.bind(batch.inputs, batch.sample_data)
    return {name: bound.pool(each) for name, each in zip(named, found, strict=True)}, bound


def loss_and_gradients(model: PEAR, rows: dict[str, Tensor]) -> list[Tensor]:
    batch = model.explained(model.batch_of(rows))
    loss = model.consensus.of_model(model.backbone, batch)[1]
    weights = [each for each in model.backbone.parameters() if each.requires_grad]
    return [loss, *torch.autograd.grad(loss, weights, materialize_grads=True)]


@pytest.mark.parametrize(("side", "width"), LAYOUTS)
def test_the_loss_is_the_mean_of_the_losses_of_the_texts_alone(side, width):
    model = module()
    together = loss_and_gradients(model, padded(texts(), side, width))
    each = [loss_and_gradients(model, rows) for rows in alone()]
    for found, expected in zip(together, zip(*each, strict=True), strict=True):
        torch.testing.assert_close(found, torch.stack(expected).mean(dim=0))
    assert any(gradient.abs().max() > 1e-4 for gradient in together[1:])


def test_padding_that_counts_would_change_the_loss():
    model = module()
    saliency, bound = pooled(model, padded(texts(), "right", 15))
    counted = model.consensus.terms(*saliency.values()).loss
    own = model.consensus.terms(*saliency.values(), present=bound.present).loss
    assert (counted[:4] - own[:4]).abs().min() > 0.01


def test_a_text_of_one_word_costs_one_half_and_has_no_gradient():
    found = loss_and_gradients(module(), alone()[4])
    assert found[0] == 0.5
    assert not any(gradient.any() for gradient in found[1:])


@pytest.mark.parametrize(("side", "width"), LAYOUTS)
@pytest.mark.parametrize(("metric", "options"), METRICS)
def test_agreement_is_the_mean_over_the_texts_alone(metric, options, side, width):
    model, together, expected = module(), metric(**options), metric(**options)
    for rows, measured in [
        (padded(texts(), side, width), together),
        *((each, expected) for each in alone()),
    ]:
        found, bound = pooled(model, rows)
        measured.update(found["gradient"], found["product"], bound.present)
    assert together.compute() == expected.compute()
    assert together.sem() == expected.sem()


@pytest.mark.parametrize(("side", "width"), LAYOUTS)
def test_the_matrix_is_that_of_the_texts_alone(side, width):
    model = module()
    together, expected = (AgreementMatrix(list(explainers()), 3) for _ in range(2))
    for rows, matrix in [
        (padded(texts(), side, width), together),
        *((each, expected) for each in alone()),
    ]:
        found, bound = pooled(model, rows)
        repeats = {"product": found["gradient"]}
        matrix.update(found, repeats=repeats, present=bound.present)
    for name in AGREEMENT_NAMES:
        torch.testing.assert_close(together.compute()[name], expected.compute()[name])
    assert together.feature_counts == [2, 9]  # the text of one word has no ranking
    assert together._state("count") == 4


@pytest.mark.parametrize("k", [5, 20, 0.5])
def test_a_top_k_of_more_features_than_a_text_has_is_all_of_them(k):
    """Also in a batch of texts that are all short, or of one word."""
    model = module()
    together, expected = (AgreementMatrix(list(explainers()), k) for _ in range(2))
    alone_metric, one_metric = (metrics.FeatureAgreement(k=k) for _ in range(2))
    for rows, matrix, metric in [
        (padded(texts(), "right", 11), together, one_metric),
        *((each, expected, alone_metric) for each in alone()),
    ]:
        found, bound = pooled(model, rows)
        matrix.update(found, present=bound.present)
        metric.update(found["gradient"], found["product"], present=bound.present)
    for name in AGREEMENT_NAMES:
        torch.testing.assert_close(together.compute()[name], expected.compute()[name])
    torch.testing.assert_close(alone_metric.compute(), one_metric.compute())
    assert together.feature_counts == expected.feature_counts == [2, 9]
    short = AgreementMatrix(["a", "b"], 5)
    short.update({"a": torch.randn(1, 3), "b": torch.randn(1, 3)}, present=torch.ones(1, 3).bool())
    assert short.chance()["feature_agreement"] == 1
    assert short.compute()["feature_agreement"][0, 1] == 1


@pytest.mark.parametrize("size", [5, 2, 1])
def test_pear_logs_the_same_for_any_size_of_batches(size):
    rows = texts()
    model = module()
    model.val_agreement = AgreementMatrix(list(explainers()), 5, num_classes=2)
    batches = [padded(rows[i : i + size], "right", 11) for i in range(0, 5, size)]
    trainer = quiet_trainer()
    trainer.validate(model, DataLoader(batches, batch_size=None), verbose=False)
    found = trainer.callback_metrics["val_feature_agreement"]
    whole = module()
    whole.val_agreement = AgreementMatrix(list(explainers()), 5, num_classes=2)
    trainer.validate(whole, DataLoader([padded(rows, "left", 12)], batch_size=None), verbose=False)
    torch.testing.assert_close(found, trainer.callback_metrics["val_feature_agreement"])


@pytest.mark.parametrize("stage", ["validate", "test"])
def test_pear_logs_the_same_for_any_padding(stage):
    logged = []
    for batches in ([padded(texts(), "left", 15)], [padded(texts(), "right", 11)], alone()):
        model = module()
        model.test_explainers = model.validation_explainers
        model.test_agreement = AgreementMatrix(list(explainers()), 3, num_classes=2)
        trainer = quiet_trainer()
        getattr(trainer, stage)(model, DataLoader(batches, batch_size=None), verbose=False)
        logged.append({name: float(value) for name, value in trainer.callback_metrics.items()})
    for other in logged[1:]:
        assert other == pytest.approx(logged[0])
    constant = "val_constant_rows"
    assert stage == "test" or logged[0][constant] == 3  # one word, three explainers


def test_an_explanation_is_the_same_with_and_without_a_mask_of_all_features():
    a, b = torch.randn(2, 5, 7).unbind()
    present = torch.ones(5, 7, dtype=torch.bool)
    loss = ConsensusLoss()
    for with_mask, without in zip(loss.terms(a, b, present=present), loss.terms(a, b), strict=True):
        torch.testing.assert_close(with_mask, without)


def test_a_wrong_mask_is_an_error():
    a, b = torch.randn(2, 2, 3).unbind()
    with pytest.raises(TypeError, match="present must be bool"):
        ConsensusLoss().terms(a, b, present=torch.ones(2, 3))
    with pytest.raises(ValueError, match="present and attributions must have the same shape"):
        metrics.RankCorrelation().update(a, b, torch.ones(2, 4, dtype=torch.bool))
