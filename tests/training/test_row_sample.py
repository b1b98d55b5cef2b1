"""Random rows and steps of an explanation loss."""

import pytest
import torch

from pear_lightning.callbacks import ExplanationRegularizer
from pear_lightning.explainers import Gradient, Occlusion
from pear_lightning.losses import ConsensusLoss, RightReasonsLoss
from pear_lightning.modules import PEAR
from pear_lightning.nn import MLP
from pear_lightning.scoring.batch import Batch
from pear_lightning.training.objective import Objective
from pear_lightning.training.row_sample import sample_rows
from tests.modules.helpers import loader, quiet_trainer, weights

FIRST = {"step": 0, "rank": 0}


def annotated_batch():
    mask = torch.zeros(12, 3)
    mask[:5, 1] = 1
    return Batch(torch.rand(12, 3), torch.randint(2, (12,)), mask)


def estimates(batch, loss, rows, steps=400):
    network = MLP(3, hidden_features=(4,))
    for step in range(steps):
        sample = sample_rows(batch, loss, rows, step=step, rank=0)
        yield sample.scale * loss.of_model(network, sample.batch)[1].item()


@pytest.mark.parametrize("rows", [0.4, 2])
@pytest.mark.parametrize("reduction", ["mean", "sum", "mask"])
def test_estimates_are_unbiased(reduction, rows):
    torch.manual_seed(0)
    batch, loss = annotated_batch(), RightReasonsLoss(reduction=reduction)
    found = torch.tensor(list(estimates(batch, loss, rows)))
    torch.manual_seed(0)
    annotated_batch()
    network = MLP(3, hidden_features=(4,))
    whole = loss.of_model(network, batch)[1].item()
    assert found.std() > 0.01 * whole
    error = found.std() / len(found) ** 0.5
    assert abs(found.mean() - whole) < 4 * error


def test_only_annotated_rows_are_drawn_and_the_share_is_of_them():
    batch = annotated_batch()
    sample = sample_rows(batch, RightReasonsLoss(), 0.4, **FIRST)
    assert sample.batch.mask.sum(dim=1).tolist() == [1, 1]
    assert len(sample_rows(batch, ConsensusLoss(), 0.25, **FIRST).batch) == 3
    assert len(sample_rows(batch, RightReasonsLoss(), 0.01, **FIRST).batch) == 1
    assert sample_rows(batch, RightReasonsLoss(), 5, **FIRST) is None
    assert sample_rows(batch, RightReasonsLoss(), 1.0, **FIRST) is None


def test_draws_depend_on_step_and_rank_alone():
    batch = Batch(torch.rand(64, 3), torch.randint(2, (64,)))

    def drawn(step, rank=0):
        return sample_rows(batch, ConsensusLoss(), 8, step=step, rank=rank).batch.inputs

    torch.manual_seed(1)
    first = drawn(step=3)
    torch.manual_seed(2)
    assert torch.equal(first, drawn(step=3))
    assert not torch.equal(first, drawn(step=4))
    assert not torch.equal(first, drawn(step=3, rank=1))


def small_pear(**arguments):
    torch.manual_seed(0)
    explainers = {"gradient": Gradient(), "occlusion": Occlusion()}
    return PEAR(MLP(3, hidden_features=(8,)), explainers=explainers, top_k=2, **arguments)


def fit(model, ckpt_path=None, **arguments):
    trainer = quiet_trainer(**arguments)  # two epochs of four steps
    trainer.fit(model, loader(64, features=3), ckpt_path=ckpt_path)
    return trainer


def test_every_fourth_step():
    model, computed = small_pear(every=4), []
    of_model = model.objective.of_model
    model.objective.of_model = lambda *args: computed.append(1) or of_model(*args)
    fit(model)
    assert len(computed) == 2


def test_weight_makes_up_for_steps_without_the_loss():
    model, losses = small_pear(every=4, consensus_weight=0.5), []
    training_loss = model.training_loss
    model.training_loss = lambda batch: losses.append(training_loss(batch)) or losses[-1]
    fit(model, max_epochs=1)
    first, second, *_ = losses
    torch.testing.assert_close(
        first["loss"], 0.5 * first["task_loss"] + 4 * 0.5 * first["consensus"]
    )
    torch.testing.assert_close(second["loss"], 0.5 * second["task_loss"])
    assert second["consensus"] == first["consensus"]  # for the log


def test_a_resumed_fit_draws_the_same_rows(tmp_path):
    whole = small_pear(rows=0.25, every=2)
    fit(whole)
    trainer = fit(small_pear(rows=0.25, every=2), max_epochs=1)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    resumed = small_pear(rows=0.25, every=2)
    fit(resumed, ckpt_path=tmp_path / "half.ckpt")
    for one, other in zip(weights(whole), weights(resumed), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"rows": 0.0}, ValueError, r"rows must lie in \(0, 1\] as a share, got 0.0"),
        ({"rows": 0}, ValueError, "rows must be at least 1, got 0"),
        ({"rows": "half"}, TypeError, "rows must be an integer, got 'half'"),
        ({"every": 0}, ValueError, "every must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        Objective(ConsensusLoss(), 0.5, **arguments)


@pytest.mark.parametrize("arguments", [{"rows": 0.25}, {"every": 3}, {"rows": 4, "every": 2}])
def test_module_and_callback_train_the_same(arguments):
    module = small_pear(**arguments)
    fit(module)
    plain = small_pear(consensus_weight=0.0)
    explainers = {"gradient": Gradient(), "occlusion": Occlusion()}
    loss = ConsensusLoss().explain_with(explainers)
    callback = ExplanationRegularizer(loss, model="backbone", **arguments)
    trainer = fit(plain, callbacks=[callback])
    for one, other in zip(weights(module), weights(plain), strict=True):
        torch.testing.assert_close(one, other)
    assert "train_explanation_loss_common_share" in trainer.callback_metrics
    assert "train_explanation_loss_ratio" in trainer.callback_metrics
