import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pear_lightning.losses import CoRMLoss, CounterexamplesLoss, PGDExLoss
from pear_lightning.losses.annotated_rows_loss import annotated
from pear_lightning.losses.masks import aligned_mask
from pear_lightning.modules import RightForTheRightReasons
from pear_lightning.nn import MLP
from pear_lightning.scoring import Batch
from tests.modules.helpers import quiet_trainer, sgd
from tests.modules.test_right_reasons import masked_loader
from tests.reference import right_reasons as reference

LOSSES = [CounterexamplesLoss(), CoRMLoss(0.5), PGDExLoss(0.5, 3)]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)


def annotated_batch(x, y, mask):
    return annotated(Batch(x, y), aligned_mask(mask, x))


def network():
    return MLP(5, 3, (8, 8), activation="softplus")


def rows(n=6):
    mask = torch.zeros(n, 5)
    mask[: n // 2, 2:] = 1
    return torch.rand(n, 5), torch.randint(3, (n,)), mask


@every_loss
def test_cross_entropy_of_the_changed_rows_over_all_rows(loss):
    model, (x, y, mask) = network(), rows()
    torch.manual_seed(1)
    value = loss.of_model(model, (x, y, mask))
    torch.manual_seed(1)
    changed = loss.perturb(model, annotated_batch(x, y, mask), torch.float32)
    assert value[0] is None
    torch.testing.assert_close(
        value[1], F.cross_entropy(model(changed), y[:3], reduction="sum") / 6
    )
    assert torch.equal(changed[:, :2], x[:3, :2])  # only what is irrelevant
    assert (changed[:, 2:] != x[:3, 2:]).any()
    value[1].backward()
    assert all(p.grad.any() for p in model.parameters())


@every_loss
def test_without_annotations_nothing_is_evaluated(loss):
    x, y, mask = rows()
    for none in (None, torch.zeros_like(mask)):
        logits, value = loss.of_model(nn.Identity(), (x, y, none))
        assert (logits, value.item(), value.requires_grad) == (None, 0.0, False)


@every_loss
def test_it_trains_in_any_precision_and_validates_in_inference_mode(loss):
    for precision in ("32-true", "bf16-mixed", "bf16-true"):
        model = RightForTheRightReasons(network_of_two(), 1.0, loss, optimizer=sgd)
        trainer = quiet_trainer(max_epochs=1, precision=precision)
        trainer.fit(model, masked_loader(), masked_loader())
        trainer.validate(model, masked_loader(), verbose=False)
        assert 0.2 < trainer.callback_metrics["val_reasons"] < 2


def network_of_two():
    return MLP(6, 2, (8,))


def test_counterexamples_are_uniform_and_whole_if_asked():
    x = torch.full((4000, 2), 0.5)
    batch = annotated_batch(x, torch.zeros(4000).long(), torch.tensor([[1, 0]]).expand(4000, 2))
    drawn = CounterexamplesLoss(-1.0, 3.0).perturb(None, batch, torch.float32)[:, 0]
    assert drawn.min() >= -1
    assert drawn.max() <= 3
    assert drawn.mean().item() == pytest.approx(1, abs=0.1)
    assert len(drawn.unique()) > 3000
    whole = CounterexamplesLoss(0, 255, integers=True).perturb(None, batch, torch.float32)[:, 0]
    assert torch.equal(whole, whole.round())
    assert len(whole.unique()) == 256
    with pytest.raises(ValueError, match="high must be above low"):
        CounterexamplesLoss(1.0, 1.0)
    for low, high, name in ((0.5, 3, "low"), (0, 2.5, "high"), (-0.5, 3, "low")):
        with pytest.raises(ValueError, match=f"{name} must be a whole number with integers=True"):
            CounterexamplesLoss(low, high, integers=True)


def test_noise_has_the_standard_deviation_eps():
    x = torch.zeros(4000, 2)
    batch = annotated_batch(x, torch.zeros(4000).long(), torch.tensor([[1, 0]]).expand(4000, 2))
    noise = CoRMLoss(0.3).perturb(None, batch, torch.float32)
    assert noise[:, 0].std().item() == pytest.approx(0.3, abs=0.02)
    assert not noise[:, 1].any()
    with pytest.raises(ValueError, match="eps must be at least 0"):
        CoRMLoss(-1.0)


@pytest.mark.parametrize(("steps", "wanted"), [(1, 0.4), (2, 0.0), (3, 0.4 / 3), (5, 0.08)])
def test_steps_of_the_adversary_have_the_size_of_eps_divided_by_their_number(steps, wanted):
    """Where a maximum lies inside the box, the adversary steps to and fro around it."""

    def model(x):
        closeness = -(x[:, 0] - 0.1).square()  # the loss of class 0 is largest at 0.1
        return torch.stack([torch.zeros_like(closeness), closeness], dim=1)

    batch = annotated_batch(torch.zeros(1, 1), torch.zeros(1).long(), torch.ones(1, 1))
    changed = PGDExLoss(0.4, steps).perturb(model, batch, torch.float32)
    assert changed.item() == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("steps", [1, 4])
def test_the_adversary_is_the_plain_transcription(steps):
    model, (x, y, mask) = network(), rows()
    changed = PGDExLoss(0.4, steps).perturb(model, annotated_batch(x, y, mask), torch.float32)
    wanted = reference.pgd(model, x[:3], y[:3], mask[:3], 0.4, steps)
    torch.testing.assert_close(changed, wanted)
    before = F.cross_entropy(model(x[:3]), y[:3])
    assert F.cross_entropy(model(changed), y[:3]) > before
    with pytest.raises(ValueError, match="n_steps must be at least 1"):
        PGDExLoss(n_steps=0)


@every_loss
def test_statistics_of_a_batch_are_those_of_the_whole_batch(loss):
    """A single annotated row has no statistics, and is not what the model is trained on."""
    model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    x, y, mask = rows(16)
    x, mask = 5 + x, F.pad(mask[:1], (0, 0, 3, 12))  # only the fourth row
    wanted = copy.deepcopy(model)
    torch.manual_seed(1)
    logits, value = loss.of_model(model, (x, y, mask))
    torch.manual_seed(1)
    changed = x.clone()
    changed[3:4] = loss.perturb(wanted, annotated_batch(x, y, mask), torch.float32)
    expected = F.cross_entropy(wanted(changed)[3:4], y[3:4], reduction="sum") / 16
    assert logits is None
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(model.state_dict(), wanted.state_dict())
    torch.manual_seed(1)
    alone = loss.of_model(model.eval(), (x, y, mask))[1]  # the annotated row alone
    torch.testing.assert_close(
        alone, F.cross_entropy(model(changed[3:4]), y[3:4], reduction="sum") / 16
    )


def test_only_annotated_rows_are_evaluated_without_statistics_of_a_batch():
    sizes = []
    model = network()
    model.register_forward_hook(lambda _, inputs, __: sizes.append(len(inputs[0])))
    CounterexamplesLoss().of_model(model, rows(8))
    model.norm = nn.InstanceNorm1d(4)  # of each row by itself
    CounterexamplesLoss().of_model(model, rows(8))
    model.norm = nn.BatchNorm1d(4, track_running_stats=False)  # in eval mode, too
    CounterexamplesLoss().of_model(model.eval(), rows(8))
    assert sizes == [4, 4, 8]


class OfAllRanks(nn.SyncBatchNorm):
    """Counts its passes; the real layer, whose passes wait for the other ranks, needs a GPU."""

    passes = 0

    def forward(self, inputs):
        self.passes += 1
        result = inputs * self.weight
        result.register_hook(self.count)
        return result

    def count(self, gradient):
        self.passes += 1


@every_loss
def test_a_rank_without_annotations_runs_layers_that_wait_for_it(loss):
    x, y, _ = rows(8)
    norm = OfAllRanks(5)
    model = nn.Sequential(norm, nn.Linear(5, 3))
    _, value = loss.of_model(model, (x, y, torch.zeros(8, 5)))
    value.backward()
    assert value == 0
    assert norm.passes == 2
    assert not norm.weight.grad.any()
    loss.of_model(model.eval(), (x, y, torch.zeros(8, 5)))
    assert norm.passes == 2


@every_loss
def test_bad_input(loss):
    x, y, mask = rows()
    with pytest.raises(ValueError, match="mask must have the shape of the inputs"):
        loss.of_model(network(), (x, y, mask[:, :3]))
    with pytest.raises(ValueError, match="zeros and ones only"):
        loss.of_model(network(), (x, y, mask / 2))
    with pytest.raises(ValueError, match=r"target must lie in 0\.\.2"):
        loss.of_model(network(), (x, y + 3, mask))


@every_loss
def test_few_irrelevant_features_lose_their_influence(loss):
    torch.manual_seed(0)
    x, y = torch.rand(256, 2), torch.arange(256) % 2
    x[:, 0] = 0.9 * y + 0.1 * torch.rand(256)  # what gives the answer away
    x[:, 1] = 0.5 * y + 0.5 * torch.rand(256)
    mask = torch.tensor([[1.0, 0.0]]).expand(256, 2)
    importance = []
    for weight in (0.0, 1.0):
        torch.manual_seed(0)
        model = nn.Linear(2, 2)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        for _ in range(150):
            optimizer.zero_grad()
            total = F.cross_entropy(model(x), y) + weight * loss.of_model(model, (x, y, mask))[1]
            total.backward()
            optimizer.step()
        slope = (model.weight[1] - model.weight[0]).abs()
        importance.append((slope[0] / slope[1]).item())
    assert importance[1] < 0.6 * importance[0]
