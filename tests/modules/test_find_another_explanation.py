import copy
import logging

import pytest
import torch
from lightning.pytorch import seed_everything
from lightning.pytorch.callbacks import (
    EMAWeightAveraging,
    ModelCheckpoint,
    StochasticWeightAveraging,
)
from lightning.pytorch.strategies import DDPStrategy
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils import parametrizations
from torch.utils.data import DataLoader, TensorDataset

from pear_lightning.callbacks import PredictionWriter
from pear_lightning.datamodules import ToyColors
from pear_lightning.losses import ConsensusLoss, RightReasonsLoss
from pear_lightning.losses.masks import largest_components
from pear_lightning.masking import ColumnMasker
from pear_lightning.modules import FindAnotherExplanation
from pear_lightning.modules.find_another_explanation import comparison
from pear_lightning.modules.find_another_explanation.fresh_weights import fresh_copy
from pear_lightning.nn import MLP
from tests.modules.helpers import quiet_trainer, weights
from tests.reference.right_reasons import input_gradient


def adam(params):
    return torch.optim.Adam(params, lr=0.01)


def sgd(params):
    """Its steps are as large as the features, so that the larger one is learned first."""
    return torch.optim.SGD(params, lr=0.1)


def redundant(rows=128, seed=0):
    """Two features that each tell the classes apart, the first one by more, and two of noise."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(rows) % 2
    x = torch.randn(rows, 4, generator=generator) * 0.2
    x[:, 0] += 3 * (2 * y - 1)
    x[:, 1] += 1 * (2 * y - 1)
    return TensorDataset(x, y)


def redundant_loader(rows=128, batch_size=32, shuffle=False, seed=0):
    return DataLoader(redundant(rows, seed), batch_size=batch_size, shuffle=shuffle)


def build(**kwargs):
    seed_everything(0, verbose=False)
    settings = {
        "weight": 1.0,
        "max_models": 4,
        "epochs_per_model": 20,
        "max_accuracy_drop": 0.2,
        "optimizer": sgd,
    }
    return FindAnotherExplanation(MLP(4, 2, ()), **settings | kwargs)


@pytest.fixture(scope="module")
def sequence():
    model = build()
    trainer = quiet_trainer(max_epochs=80)
    trainer.fit(model, redundant_loader(shuffle=True), redundant_loader(seed=1))
    return model, trainer


def test_the_second_model_is_right_for_another_reason_and_the_third_is_not(sequence):
    model, trainer = sequence
    x, y = redundant(seed=2).tensors
    assert len(model.trained) == 3
    assert len(model.accepted) == 2
    first, second = (model.explanation(each, x).float().mean(0) for each in model.accepted)
    assert first[0] > 0.95
    assert first[1:].max() < 0.2
    assert second[1] > 0.9
    assert second[0] < 0.05
    for each in model.accepted:
        assert (each(x).argmax(1) == y).float().mean() > 0.98
    assert trainer.current_epoch == 60
    assert (
        "accuracy of model 3 dropped" in model.stop_reason or "model 3 looks" in model.stop_reason
    )
    assert trainer.callback_metrics["model_accuracy"].item() == pytest.approx(model.accuracies[-1])
    assert [len(each) for each in model.similarities] == [0, 1, 2]
    assert model.similarities[1][0] < 0.1


def test_masks_are_those_that_would_have_been_stored(sequence):
    """A boolean OR over the models before, kept by row, in whatever order rows come."""
    model, _ = sequence
    x, _ = redundant().tensors
    stored = torch.zeros(128, 4, dtype=torch.bool)
    for each in model.sequence.before:
        for n in range(128):
            g = input_gradient(each, x[n], 0, "max_prob")
            stored[n] |= g.abs() > 0.67 * g.abs().max()
    order = torch.randperm(128)
    for rows in order.split(30):
        assert torch.equal(model.forbidden(x[rows]), stored[rows])


def test_similarities_are_those_of_each_sample_averaged(sequence):
    model, _ = sequence
    x, _ = redundant(seed=1).tensors  # the rows of validation
    sizes = [torch.stack([input_gradient(each, row, 0, "max_prob").abs() for row in x])
             for each in model.trained]  # fmt: skip
    for one, similarities in enumerate(model.similarities):
        for other, similarity in enumerate(similarities):
            pairs = zip(sizes[one], sizes[other], strict=True)
            wanted = [torch.corrcoef(torch.stack(pair))[0, 1].item() for pair in pairs]
            assert similarity == pytest.approx(sum(wanted) / len(wanted), abs=1e-4)


def test_a_model_that_looks_where_an_earlier_one_did_ends_the_sequence():
    model = build(weight=0.0)  # nothing keeps it from that
    trainer = quiet_trainer(max_epochs=80)
    with pytest.warns(UserWarning, match="predictions are those of model 1 alone"):
        trainer.fit(model, redundant_loader(), redundant_loader(seed=1))
    assert model.similarities[1][0] > 0.8
    assert model.stop_reason.startswith("model 2 looks where model 1 did: their similarity is 0.")
    assert "(the limit is max_similarity=0.350); a larger weight, or more epo" in model.stop_reason
    assert (len(model.trained), len(model.accepted)) == (2, 1)
    similarity = trainer.callback_metrics["model_similarity"].item()
    assert similarity == pytest.approx(model.similarities[1][0])
    model.sequence.max_similarity = 1.0
    assert model.refusal(1) is None


def confounded(rows=384, *, given_away=True, seed=0):
    """One column that gives the class away, or nothing, and four that tell it in 84 % of rows."""
    generator = torch.Generator().manual_seed(seed)
    y = (torch.rand(rows, generator=generator) < 0.6).long()
    x = torch.randn(rows, 8, generator=generator)
    x[:, 1:5] += 0.5 * (2 * y[:, None] - 1)
    shown = y if given_away else torch.randint(2, (rows,), generator=generator)
    x[:, 0] = 2 * (2 * shown - 1) + 0.3 * torch.randn(rows, generator=generator)
    return TensorDataset(x, y)


def of_confounded_rows(**kwargs):
    seed_everything(0, verbose=False)
    settings = {"max_models": 2, "epochs_per_model": 8} | kwargs
    model = FindAnotherExplanation(MLP(8, 2, (16,)), 10.0, optimizer=adam, **settings)
    loader = DataLoader(confounded(), batch_size=32, shuffle=True)
    quiet_trainer(max_epochs=16).fit(model, loader)
    return model


def test_an_honest_model_is_accepted_where_the_confound_is_strong(caplog):
    """It must be less accurate than the first model on rows with the confound."""
    with caplog.at_level(logging.INFO, logger="lightning.pytorch.utilities.rank_zero"):
        model = of_confounded_rows()
    assert model.accuracies[0] > 0.99
    assert model.accuracies[1] < 0.95
    assert len(model.accepted) == 2
    x, y = confounded(1000, given_away=False, seed=1).tensors
    first, second = model.accepted
    accuracy, other = ((each(x).argmax(1) == y).float().mean() for each in model.accepted)
    assert other > accuracy + 0.2
    share = confounded().tensors[1].float().mean().item()
    assert model.sequence.chance == pytest.approx(share)
    assert model.sequence.least_accuracy == pytest.approx((model.accuracies[0] + share) / 2)
    assert "model 1 of 2 is accepted; accuracy" in caplog.text
    assert "model 2 of 2 is accepted; accuracy 0.8" in caplog.text
    assert f"at least {model.sequence.least_accuracy:.3f} is accepted" in caplog.text
    x = confounded().tensors[0]
    differ = (first(x).argmax(1) != second(x).argmax(1)).float().mean()
    (closing,) = (each for each in caplog.messages if "ends" in each)
    assert f"predict different classes for {differ:.3f} of the training rows." in closing
    assert "all models are trained. 2 models are accepted, which" in closing
    assert "test_accuracy are those of their ensemble, which can hide" in closing
    assert "predictor=<number>, an argument and attribute of the module, uses one" in closing
    again = FindAnotherExplanation(MLP(8, 2, (16,)), max_models=2)
    again.load_state_dict(model.state_dict())
    assert again.sequence.least_accuracy == model.sequence.least_accuracy


def test_a_limit_that_refuses_every_other_model_is_warned_of():
    with pytest.warns(UserWarning, match="predictions are those of model 1 alone") as caught:
        model = of_confounded_rows(max_accuracy_drop=0.05)
    assert len(model.accepted) == 1
    message = next(str(each.message) for each in caught if "alone" in str(each.message))
    assert "accuracy of model 2 dropped to 0.8" in message
    assert f"the limit is {model.accuracies[0] - 0.05:.3f}, from max_accuracy_drop=0.05" in message
    assert "a smaller weight, or more epochs_per_model or a larger learning rate, may" in message


class RefusesTheThird(FindAnotherExplanation):
    def refusal(self, number):
        return "model 3 is refused" if number == 2 else None


@pytest.mark.parametrize(
    ("predictor", "says"),
    [
        (None, "Predictions and test_accuracy are those of their ensemble"),
        (2, "Predictions and test_accuracy are those of model 2 (predictor)"),
        (3, "None of them has the number predictor=3, so there are no predictions: set it to a "),
    ],
)
def test_the_end_says_which_of_the_accepted_models_predict(predictor, says, caplog):
    seed_everything(0, verbose=False)
    model = RefusesTheThird(
        MLP(4, 2, ()), max_models=4, epochs_per_model=1, predictor=predictor, optimizer=sgd
    )
    generator = torch.Generator().manual_seed(3)  # nothing to learn, so the models differ
    training, validation = (
        DataLoader(TensorDataset(x, torch.arange(64) % 2), batch_size=32)
        for x in torch.randn(2, 64, 4, generator=generator)
    )
    with caplog.at_level(logging.INFO, logger="lightning.pytorch.utilities.rank_zero"):
        quiet_trainer(max_epochs=4).fit(model, training, validation)
    x = validation.dataset.tensors[0]
    classes = torch.stack([each(x).argmax(1) for each in model.trained])
    differ, with_the_third = ((classes[:m] != classes[0]).any(0).float().mean() for m in (2, 3))
    assert differ < with_the_third
    (closing,) = (each for each in caplog.messages if "ends" in each)
    assert "ends: model 3 is refused. 2 models are accepted, which predict diff" in closing
    assert f"different classes for {differ:.3f} of the validation rows. {says}" in closing


def test_a_similarity_just_above_the_limit_is_told_apart_from_it():
    sequence = build(max_models=2).sequence
    sequence.accuracies, sequence.chance = [0.9, 0.9], 0.5
    sequence.similarities = [[], [0.352]]
    reason = sequence.refusal(1)
    assert "their similarity is 0.352 (the limit is max_similarity=0.350)" in reason


def test_a_model_near_chance_is_refused_by_default():
    model = of_confounded_rows()
    model.sequence.accuracies[1] = model.sequence.least_accuracy - 0.01
    reason = model.refusal(1)
    assert "max_accuracy_drop=None: halfway to 0.6" in reason
    model.sequence.accuracies[0] = model.sequence.chance - 0.1  # a first model below chance
    assert model.sequence.least_accuracy == model.sequence.accuracies[0]


def test_largest_components():
    g = torch.tensor([[[0.67, -1.0], [0.68, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    wanted = [[[False, True], [True, False]], [[False, False], [False, False]]]
    assert largest_components(g).tolist() == wanted  # strict, and nothing of a row of zeros
    with pytest.raises(ValueError, match="cutoff must lie in"):
        largest_components(g, 1.0)


def test_annotations_are_forbidden_to_the_first_model_too():
    model = build()
    x, y = redundant(8).tensors
    mask = torch.zeros(8, 4)
    mask[:3, 0] = 1
    assert torch.equal(model.forbidden((x, None, mask)), mask.bool())
    parts = model.training_loss((x, y, mask))
    _, wanted = RightReasonsLoss().of_model(model.backbone, (x, y, mask))
    torch.testing.assert_close(parts["reasons"], wanted)
    torch.testing.assert_close(parts["loss"], parts["task_loss"] + wanted)
    assert set(model.training_loss((x, y))) == {"loss", "task_loss"}


def test_annotations_may_be_masks_of_the_features_of_a_masker():
    groups = ColumnMasker(4, [[0, 1], [2], [3]])
    model = build(loss=RightReasonsLoss().with_masks_of(groups), epochs_per_model=1, max_models=2,
                  max_accuracy_drop=1.0, max_similarity=1.0)  # fmt: skip
    x, y = redundant(64).tensors
    mask = torch.zeros(64, 3)
    mask[:9, 0] = 1
    parts = model.training_loss((x, y, mask))
    wanted = RightReasonsLoss().of_model(model.backbone, (x, y, mask[:, [0, 0, 1, 2]]))[1]
    torch.testing.assert_close(parts["reasons"], wanted)
    data = DataLoader(TensorDataset(x, y, mask), batch_size=32)
    quiet_trainer(max_epochs=2).fit(model, data, data)
    assert len(model.trained) == 2


def test_each_model_may_have_a_weight_of_its_own():
    model = build(weight=[1.0, 5.0])
    x, y = redundant(8).tensors
    for number, weight in enumerate((1.0, 5.0, 5.0)):
        model.sequence.round = number
        parts = model.training_loss((x, y, torch.eye(8, 4)))
        total = parts["task_loss"] + weight * parts["reasons"]
        torch.testing.assert_close(parts["loss"], total)


def test_a_model_starts_afresh_with_optimiser_and_scheduler():
    def scheduler(optimizer):
        return torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)

    rates, steps = [], []

    class Watched(FindAnotherExplanation):
        def on_train_batch_start(self, batch, batch_idx):
            optimizer = self.optimizers(use_pl_optimizer=False)
            rates.append(optimizer.param_groups[0]["lr"])
            steps.append(len(optimizer.state))

    seed_everything(0, verbose=False)
    model = Watched(MLP(4, 2, (8,)), max_models=2, epochs_per_model=3, optimizer=adam,
                    lr_scheduler=scheduler, max_accuracy_drop=1.0, max_similarity=1.0)  # fmt: skip
    first = copy.deepcopy(model.sequence.models[1].state_dict())
    assert not torch.equal(first["layers.0.weight"], model.sequence.models[0].layers[0].weight)
    quiet_trainer(max_epochs=6).fit(model, redundant_loader(batch_size=128))
    assert rates == pytest.approx([0.01, 0.005, 0.0025] * 2)
    assert steps == [0, 4, 4] * 2
    # what the second model became, trained alone from the same weights
    torch.testing.assert_close(model.sequence.models[1].state_dict(), model.backbone.state_dict())


def test_it_ends_after_the_last_model():
    model = build(max_models=2, epochs_per_model=1, max_accuracy_drop=1.0, max_similarity=1.0)
    trainer = quiet_trainer(max_epochs=9)
    trainer.fit(model, redundant_loader())
    assert trainer.current_epoch == 2
    assert len(model.accepted) == 2
    assert model.stop_reason is None
    assert len(model.accuracies) == 2  # of training rows: there are no others
    with pytest.warns(UserWarning, match="max_epochs=1 ends before the 2 models"):
        quiet_trainer(max_epochs=1).fit(build(max_models=2, epochs_per_model=1), redundant_loader())


def test_a_finished_model_is_judged_where_there_is_no_validation():
    """After its last step: in one large batch an epoch, each step matters."""
    model = build(max_models=2, epochs_per_model=4, max_accuracy_drop=1.0, max_similarity=1.0)
    x, y = torch.randn(128, 4), torch.arange(128) % 2  # nothing to learn, so no model has them all
    quiet_trainer(max_epochs=8).fit(model, DataLoader(TensorDataset(x, y), batch_size=128))
    for accuracy, each in zip(model.accuracies, model.trained, strict=True):
        assert accuracy == pytest.approx((each(x).argmax(1) == y).float().mean().item())
    assert max(model.accuracies) < 1


@pytest.mark.parametrize(
    "intervals",
    [
        {"check_val_every_n_epoch": 2, "num_sanity_val_steps": 0},
        {"val_check_interval": 0.25},
        {"val_check_interval": 3},  # of four batches
        {"val_check_interval": 3, "check_val_every_n_epoch": None},
    ],
    ids=str,
)
def test_every_model_is_judged_on_the_validation_rows_after_its_last_step(intervals):
    model = build(
        max_models=3, epochs_per_model=1, max_accuracy_drop=1.0, max_similarity=1.0,
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.5),
    )  # fmt: skip
    generator = torch.Generator().manual_seed(3)  # nothing to learn, so every step matters
    sets = [
        TensorDataset(torch.randn(rows, 4, generator=generator), torch.arange(rows) % 2)
        for rows in (128, 96, 32)
    ]
    training, *validation = (DataLoader(each, batch_size=32) for each in sets)
    quiet_trainer(max_epochs=3, **intervals).fit(model, training, validation)
    x, y = (torch.cat([each[:][part] for each in sets[1:]]) for part in range(2))
    wanted = [(each(x).argmax(1) == y).double().mean().item() for each in model.trained]
    assert model.accuracies == pytest.approx(wanted)
    sizes = [model.gradient(each, x).abs() for each in model.trained]
    pairs = [(1, 0), (2, 0), (2, 1)]
    found = [model.similarities[a][b] for a, b in pairs]
    similarities = [comparison.similarity(sizes[a], sizes[b]).mean().item() for a, b in pairs]
    assert found == pytest.approx(similarities, abs=1e-5)


def test_a_sequence_that_something_else_ended_says_so():
    model = build(max_models=2, epochs_per_model=2)
    with pytest.warns(UserWarning, match="ended while model 1 of 2 was trained: 0 are complete"):
        quiet_trainer(max_epochs=4, max_steps=3).fit(model, redundant_loader())
    assert model.trained == []


def test_a_complete_sequence_is_not_trained_again():
    model = build(max_models=2, epochs_per_model=1, max_accuracy_drop=1.0, max_similarity=1.0)
    quiet_trainer(max_epochs=2).fit(model, redundant_loader())
    before = copy.deepcopy(model.state_dict())
    with pytest.warns(UserWarning, match="there is nothing to do"):
        quiet_trainer(max_epochs=2).fit(model, redundant_loader())
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize(
    "averaging", [StochasticWeightAveraging(swa_lrs=0.1), EMAWeightAveraging()], ids=["swa", "ema"]
)
def test_averaging_of_weights_over_several_models_is_refused(averaging):
    with pytest.raises(ValueError, match=r"callbacks must not average .*, got .*Averaging"):
        quiet_trainer(max_epochs=8, callbacks=[averaging]).fit(build(), redundant_loader())


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")
@pytest.mark.parametrize("checkpoint", ["of an epoch", "of a validation"])
def test_a_run_resumes_in_the_middle_of_the_sequence(tmp_path, checkpoint):
    def fit(epochs, callbacks=(), **kwargs):
        model = build(epochs_per_model=3, max_models=3, max_accuracy_drop=1.0, max_similarity=1.0)
        saving = {"callbacks": list(callbacks), "enable_checkpointing": bool(callbacks)}
        trainer = quiet_trainer(max_epochs=epochs, **saving)
        trainer.fit(model, redundant_loader(), redundant_loader(seed=1), **kwargs)
        return model

    whole = fit(9)
    saver = ModelCheckpoint(tmp_path, save_top_k=-1, filename="{epoch}",
                            save_on_train_epoch_end=checkpoint == "of an epoch")  # fmt: skip
    with pytest.warns(UserWarning, match="max_epochs=6"):
        fit(6, [saver])
    for epoch in (2, 4):  # the end of the first model, and the middle of the second
        resumed = fit(9, ckpt_path=tmp_path / f"epoch={epoch}.ckpt")
        assert len(resumed.trained) == 3
        for a, b in zip(
            weights(whole.sequence.models), weights(resumed.sequence.models), strict=True
        ):
            torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_test_and_predictions_of_each_model_and_of_all(sequence, tmp_path):
    model, _ = sequence
    data = redundant_loader(seed=3)
    results = quiet_trainer().test(model, data, verbose=False)[0]
    assert results["test_accuracy"] > 0.98
    assert results["test_accuracy_of_model_2"] > 0.98
    assert "test_accuracy_of_model_3" not in results
    quiet_trainer(callbacks=[PredictionWriter(tmp_path)]).predict(model, data)
    saved = torch.load(tmp_path / "predictions.pt")
    x = redundant(seed=3).tensors[0]
    each = torch.stack([F.softmax(m(x), 1) for m in model.accepted], 1)
    torch.testing.assert_close(saved["probabilities"], each.mean(1))
    assert torch.equal(saved["prediction"], each.mean(1).argmax(1))
    differ = (each[:, 0].argmax(1) != each[:, 1].argmax(1)).float()
    torch.testing.assert_close(saved["disagreement"], differ)
    assert results["test_disagreement"] == pytest.approx(differ.mean().item())
    assert saved["explanations"].shape == (128, 2, 4)
    conflict = torch.tensor([[3.0, -3.0, 0.0, 0.0], [3.0, 3.0, 0.0, 0.0]])
    out = model.predict_step(conflict, 0)
    assert out["disagreement"].tolist() == [1.0, 0.0]
    assert out["mutual_information"][0] > out["mutual_information"][1] + 0.1


def test_the_loss_of_confident_models_that_are_wrong_is_finite():
    model = build(max_models=2)
    with torch.no_grad():
        model.backbone.layers[-1].weight.copy_(torch.tensor([[-300.0], [300.0]]).expand(2, 4))
        model.backbone.layers[-1].bias.zero_()
    x, y = torch.ones(4, 4), torch.zeros(4, dtype=torch.long)  # of the other class
    for models in (1, 2):
        model.sequence.models[0].load_state_dict(model.backbone.state_dict())
        model.sequence.models[1].load_state_dict(model.backbone.state_dict())
        model.sequence.round, model.sequence.finished = models - 1, True
        assert len(model.accepted) == models
        data = DataLoader(TensorDataset(x, y), batch_size=4)
        results = quiet_trainer().test(model, data, verbose=False)[0]
        assert results["test_loss"] == pytest.approx(2400)


def test_one_of_the_models_can_predict(sequence):
    model, _ = sequence
    data, conflict = redundant_loader(seed=3), torch.tensor([[6.0, -6.0, 0.0, 0.0]])
    each = [member(conflict).softmax(1) for member in model.accepted]
    try:
        for number, probabilities in enumerate(each, start=1):
            model.predictor = number
            predicted = model.eval().predict_step((conflict,), 0)
            torch.testing.assert_close(predicted["probabilities"], probabilities)
            assert predicted["prediction"].item() == probabilities.argmax().item()
            assert predicted["mutual_information"].item() > 0  # still of all models
            results = quiet_trainer().test(model, data, verbose=False)[0]
            assert results["test_accuracy"] == results[f"test_accuracy_of_model_{number}"]
        model.predictor = 3
        with pytest.raises(ValueError, match="predictor must be the number of one of the 2 acce"):
            model.predict_step((conflict,), 0)
    finally:
        model.predictor = None
    with pytest.raises(ValueError, match="predictor must be at least 1, got 0"):
        build(predictor=0)


def test_all_models_are_in_the_checkpoint(sequence, tmp_path):
    model, trainer = sequence
    trainer.save_checkpoint(tmp_path / "all.ckpt")
    again = FindAnotherExplanation.load_from_checkpoint(
        tmp_path / "all.ckpt", backbone=MLP(4, 2, ())
    )
    x = redundant(8).tensors[0]
    assert len(again.accepted) == 2
    assert again.stop_reason == model.stop_reason
    wanted = model.eval().predict_step(x, 0)
    for name, value in again.eval().predict_step(x, 0).items():
        torch.testing.assert_close(value, wanted[name])


def test_before_training_there_is_one_model():
    model = build().eval()
    out = model.predict_step(redundant(8).tensors[0], 0)
    assert out["logits"].shape == (8, 1, 2)
    assert out["disagreement"].tolist() == [0.0] * 8


def test_confident_rows_still_have_an_explanation():
    model = build()
    with torch.no_grad():
        x = redundant(16).tensors[0]
        model.backbone.layers[-1].bias.zero_()
        model.backbone.layers[-1].weight.mul_(24 / model.backbone(x).diff(dim=1).abs().median())
    gap = model.backbone(x).diff(dim=1).abs().squeeze(1)
    confident = (gap > 17) & (gap < 33)  # the probability is 1 in float32
    assert confident.any()
    wanted = input_gradient(copy.deepcopy(model.backbone).double(), x[confident][0].double(), 0,
                            "max_log_prob")  # fmt: skip
    marked = model.explanation(model.backbone, x[confident])[0]
    assert torch.equal(marked, largest_components(wanted[None])[0])


def test_weights_that_cannot_be_drawn_anew_are_named():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(2))
            self.layers = nn.Sequential(nn.Linear(4, 2), nn.MultiheadAttention(4, 2))

    with pytest.raises(
        ValueError, match=r"layers of Odd must have reset_.*, got no new values for scale;"
    ):
        fresh_copy(Odd())
    other = fresh_copy(Odd(), lambda module: nn.init.zeros_(module.scale))
    assert other.scale.tolist() == [0, 0]
    assert fresh_copy(nn.TransformerEncoderLayer(8, 2)) is not None


@pytest.mark.parametrize(
    "parametrized",
    [
        lambda: parametrizations.weight_norm(nn.Linear(4, 3)),
        lambda: parametrizations.weight_norm(nn.LSTM(4, 3), "weight_hh_l0"),
        lambda: parametrizations.weight_norm(nn.MultiheadAttention(4, 2), "in_proj_weight"),
        lambda: parametrizations.spectral_norm(nn.Linear(4, 3)),
        lambda: parametrizations.orthogonal(nn.Linear(4, 4)),
        lambda: parametrizations.orthogonal(nn.Linear(3, 4)),
        lambda: parametrizations.orthogonal(nn.Linear(3, 4), use_trivialization=False),
    ],
)
def test_parametrized_weights_are_drawn_anew(parametrized):
    layer = parametrized()
    (name,) = layer.parametrizations
    other = fresh_copy(nn.Sequential(layer))[0]
    assert not (getattr(other, name) == getattr(layer, name)).any()
    assert all(weight.isfinite().all() for weight in other.parameters())
    assert [weight.requires_grad for weight in other.parameters()] == [
        weight.requires_grad for weight in layer.parameters()
    ]
    if "Orthogonal" in str(other):
        product = other.weight.T @ other.weight
        torch.testing.assert_close(product, torch.eye(len(product)), rtol=0, atol=1e-5)
    with torch.no_grad():  # the originals of both are apart
        for weight in other.parameters():
            weight.zero_()
    assert getattr(layer, name).any()


def test_a_parametrization_without_inverse_is_named():
    layer = parametrizations.orthogonal(
        nn.Linear(4, 4), orthogonal_map="cayley", use_trivialization=False
    )
    with pytest.raises(ValueError, match=r"no new values for parametrizations\.weight\.original"):
        fresh_copy(layer)


def test_weights_that_the_method_of_a_layer_leaves_out_are_named():
    class Heads(nn.Module):
        def __init__(self, draws_heads):
            super().__init__()
            self.scale = nn.Parameter(torch.empty(2))
            self.heads = nn.ParameterList(torch.randn(2, 2) for _ in range(2))
            self.draws_heads = draws_heads
            self.reset_parameters()

        def reset_parameters(self):
            nn.init.uniform_(self.scale)
            for head in self.heads if self.draws_heads else ():
                nn.init.uniform_(head)

    with pytest.raises(ValueError, match=r"no new values for 0\.heads\.0, 0\.heads\.1;"):
        fresh_copy(nn.Sequential(Heads(False)))
    heads = Heads(True)
    assert not any(
        (a == b).any() for a, b in zip(heads.heads, fresh_copy(heads).heads, strict=True)
    )


def test_bad_input():
    for message, wrong in (
        (r"weight must be at least 0", {"weight": [1.0, -1.0]}),
        (r"max_models must be an integer of at least 1, got 0", {"max_models": 0}),
        (r"cutoff must lie in \[0, 1\)", {"cutoff": 1.0}),
        (r"max_similarity must lie in \[0, 1\]", {"max_similarity": 2}),
        (r"loss must use masks", {"loss": ConsensusLoss()}),
    ):
        with pytest.raises(ValueError, match=message):
            build(**wrong)


def test_token_ids_are_refused_because_each_model_would_embed_them_differently():
    """What one model uses are components of its embeddings, which mean nothing to the others."""

    class Text(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(9, 4)
            self.classify = nn.Linear(4, 2)

        def forward(self, embeddings):
            return self.classify(embeddings.mean(dim=1))

    ids, y = torch.randint(9, (8, 5)), torch.arange(8) % 2
    model = FindAnotherExplanation(Text(), max_models=2, epochs_per_model=1)
    data = DataLoader(TensorDataset(ids, y), batch_size=4)
    with pytest.raises(TypeError, match=r"inputs must be floating point .*, got torch\.int64; .*"):
        quiet_trainer(max_epochs=2).fit(model, data)
    with pytest.raises(TypeError, match="embed the texts once, with one fixed table"):
        model.predict_step(ids, 0)
    with torch.no_grad():
        embeddings = Text().embed(ids)
    assert model.predict_step(embeddings, 0)["logits"].shape == (8, 1, 2)


def fit_on(**trainer):
    world = trainer.get("devices", 1)
    model = build(epochs_per_model=25)
    data = redundant_loader(128, 128 // world)
    trainer = quiet_trainer(max_epochs=100, **trainer)
    trainer.fit(model, data, redundant_loader(128, 128 // world, seed=1))
    return model


@pytest.mark.slow
@pytest.mark.ddp
@pytest.mark.filterwarnings("ignore:Using `DistributedSampler` with the dataloaders")
def test_two_ranks_find_what_one_finds():
    strategy = DDPStrategy(process_group_backend="gloo", start_method="spawn")
    alone, together = fit_on(), fit_on(devices=2, strategy=strategy)
    assert len(alone.accepted) == len(together.accepted) == 2
    assert alone.accuracies == pytest.approx(together.accuracies)
    for one, two in zip(alone.similarities, together.similarities, strict=True):
        assert one == pytest.approx(two, abs=1e-3)
    for a, b in zip(alone.accepted, together.accepted, strict=True):
        for left, right in zip(weights(a), weights(b), strict=True):
            torch.testing.assert_close(left, right, rtol=1e-2, atol=1e-3)


@pytest.mark.slow
def test_toy_colors_have_two_explanations():
    """The first model looks at the corners, the second one at the middle of the top row.

    The third one finds other values of the corners to look at, which is no other explanation.
    """
    data = ToyColors(scaling="unit", n_test=2000)
    seed_everything(0, verbose=False)
    model = FindAnotherExplanation(MLP(75, 2, (50, 30)), 10.0, max_models=4, epochs_per_model=20)
    quiet_trainer(max_epochs=80).fit(model, data)
    assert model.stop_reason.startswith("model 3 looks where model 1 did")
    assert model.similarities[1][0] < 0.1
    assert len(model.accepted) == 2
    x, y = data.rows("test").inputs, data.rows("test").target
    corners, top = (torch.zeros(5, 5, 3, dtype=torch.bool) for _ in range(2))
    corners[::4, ::4] = top[0, 1:4] = True
    shares = []
    for each in model.accepted:
        assert (each(x).argmax(1) == y).float().mean() > 0.95
        marked = model.explanation(each, x).view(-1, 5, 5, 3).float()
        inside = [(marked * where).sum() / marked.sum() for where in (corners, top)]
        shares.append([share.item() for share in inside])
    (first_corners, _), (second_corners, second_top) = shares
    assert first_corners > 0.9
    assert second_corners < 0.05
    assert second_top > 0.8
