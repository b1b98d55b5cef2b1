import logging
import warnings

import pytest
import torch
from lightning.pytorch import seed_everything
from torch.utils.data import DataLoader, TensorDataset

from pear_lightning.modules import RightForTheRightReasons
from pear_lightning.nn import MLP
from pear_lightning.training import LateStart, MatchedMagnitude
from pear_lightning.training.objective import weight_schedule
from tests.ddp import run_distributed
from tests.modules.helpers import quiet_trainer


def fast(parameters):
    return torch.optim.Adam(parameters, lr=2e-3)


def test_it_is_off_before_its_start():
    weight = LateStart(3.0, start_epoch=1.5)
    assert [weight(epochs) for epochs in (0.0, 1.4, 1.5, 7.0)] == [0.0, 0.0, 3.0, 3.0]
    assert not weight.listens(1.0)


def test_it_matches_magnitudes_at_the_end_of_the_warm_up():
    weight, trainer = MatchedMagnitude(0.5, start_epoch=2), quiet_trainer()
    listening = [weight.listens(epochs) for epochs in (0.0, 1.4, 1.5, 2.0)]
    assert listening == [False, False, True, True]
    assert weight(5.0) == 0.0  # nothing is known yet
    for task, penalty, epochs in ((2.0, 0.0, 1.5), (1.0, 8.0, 1.7), (1.0, 8.0, 2.0)):
        weight.observe(epochs, torch.tensor(task), torch.tensor(penalty), trainer)
    assert weight(2.1) == 0.1875  # 0.5 · 2 / (16 / 3)
    assert not weight.listens(2.1)
    again = MatchedMagnitude(0.5, start_epoch=2)
    again.load_state_dict(weight.state_dict())
    assert again(2.1) == 0.1875


def test_what_was_measured_is_in_the_state(tmp_path):
    def built():
        return MatchedMagnitude(0.5, start_epoch=2)

    def measure(weight, steps):
        for task, penalty, epochs in steps:
            heard = torch.tensor(penalty) if weight.listens(epochs) else None
            weight.observe(epochs, torch.tensor(task), heard, quiet_trainer())

    steps = [(9.0, 1.0, 0.5), (2.0, 3.0, 1.5), (1.5, 8.0, 1.7), (1.0, 8.0, 2.0)]
    whole = built()
    measure(whole, steps)
    assert whole(2.1) == pytest.approx(0.5 * 9 / (19 / 3))
    for stop in range(len(steps) + 1):
        half = built()
        measure(half, steps[:stop])
        torch.save(half.state_dict(), tmp_path / "half.pt")
        resumed = built()
        resumed.load_state_dict(torch.load(tmp_path / "half.pt"))
        measure(resumed, steps[stop:])
        assert resumed(2.1) == whole(2.1)
        assert torch.equal(resumed.get_extra_state(), whole.get_extra_state())
        resumed.load_state_dict(built().state_dict())  # as if nothing had been
        assert not resumed.is_matched
    half.bfloat16()
    assert half.get_extra_state().dtype == torch.float32


def sums_of_rank(rank, world_size):
    class Strategy:
        def reduce(self, tensor, reduce_op):
            torch.distributed.all_reduce(tensor)
            return tensor.div_(world_size) if reduce_op == "mean" else tensor

    trainer = type("Trainer", (), {"strategy": Strategy()})()
    weight = MatchedMagnitude(1.0, start_epoch=2)
    task_loss = torch.tensor(1.0 + rank)
    weight.observe(1.5, task_loss, torch.tensor(4.0), trainer)
    assert task_loss == 1.0 + rank
    return weight.get_extra_state().tolist()


@pytest.mark.ddp
def test_the_state_of_each_rank_is_that_of_all():
    """A checkpoint holds the state of the first rank alone."""
    assert run_distributed(sums_of_rank) == [[3.0, 8.0, 2.0, 1.5]] * 2


def test_the_other_rank_counts():
    others = {"mean": torch.tensor(2.0), "sum": torch.tensor([2.0, 4.0, 1.0])}

    class Strategy:
        def reduce(self, tensor, reduce_op):
            return (tensor + others[reduce_op]) / (2 if reduce_op == "mean" else 1)

    trainer = type("Trainer", (), {"strategy": Strategy()})()
    weight = MatchedMagnitude(1.0, start_epoch=2)
    weight.observe(1.5, torch.tensor(1.0), torch.tensor(4.0), trainer)
    assert weight.get_extra_state().tolist() == [3.0, 8.0, 2.0, 1.5]


def test_it_waits_for_an_annotated_row():
    weight, trainer = MatchedMagnitude(1.0, start_epoch=1), quiet_trainer()
    weight.observe(0.0, torch.tensor(9.0), None, trainer)
    for penalty, known in ((0.0, False), (0.0, False), (4.0, True)):
        weight.observe(1.0, torch.tensor(1.0), torch.tensor(penalty), trainer)
        assert weight.is_matched == known
    assert weight(1.0) == 9 / (4 / 3)


def test_a_loss_of_0_has_other_causes_than_missing_annotations():
    weight, trainer = MatchedMagnitude(1.0, start_epoch=1), quiet_trainer()
    assert weight.why_idle == "training ended before start_epoch=1"
    weight.observe(1.0, torch.tensor(1.0), torch.tensor(0.0), trainer)
    assert weight.why_idle.endswith("compared, or the explanation loss was 0 there")


def test_a_model_that_has_hardly_learned_is_warned_of():
    trainer = quiet_trainer()
    for first, warned in ((2.5, False), (1.1, True)):
        weight = MatchedMagnitude(1.0, start_epoch=1)
        for task_loss in (first, 0.1):
            weight.observe(0.0, torch.tensor(task_loss), None, trainer)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            weight.observe(1.0, torch.tensor(1.0), torch.tensor(1e-4), trainer)
        assert bool(caught) == warned
    message = str(caught[0].message)
    assert "task loss has gone from 1.1 to 1; the weight of the explanation loss" in message
    assert "is 1.1e+04 from now on. A model that has hardly learned" in message


def confounded(n, seed, *, given_away):
    """Return rows whose first column gives the class away in training, and nothing elsewhere."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(2, (n,), generator=generator)
    x = torch.randn(n, 10, generator=generator)
    x[:, 1:5] += 0.5 * (2 * y[:, None] - 1)  # the honest features: 84 % accuracy
    shown = y if given_away else torch.randint(2, (n,), generator=generator)
    x[:, 0] = 2 * (2 * shown - 1) + 0.3 * torch.randn(n, generator=generator)
    mask = torch.zeros_like(x)
    mask[:, 0] = 1
    return TensorDataset(x, y, mask)


def test_it_acts_on_a_confound_that_makes_the_task_loss_vanish():
    """The task loss at the start epoch is nearly 0: a weight matched to it does nothing."""
    accuracies = {}
    for name, arguments in {
        "without": {"weight": 0.0},
        "early": {"match_magnitude": True, "start_epoch": 3},
        "late": {"match_magnitude": True, "start_epoch": 6},
    }.items():
        seed_everything(0, verbose=False)
        model = RightForTheRightReasons(MLP(10, 2, (32, 32)), optimizer=fast, **arguments)
        trainer = quiet_trainer(max_epochs=12)
        trainer.fit(model, DataLoader(confounded(512, 1, given_away=True), 32, shuffle=True))
        test = DataLoader(confounded(1000, 2, given_away=False), 500)
        accuracies[name] = trainer.test(model, test, verbose=False)[0]["test_accuracy"]
    assert accuracies["without"] < 0.6
    assert accuracies["early"] > 0.75
    assert accuracies["late"] > accuracies["without"] + 0.1


def test_the_weight_is_reported(caplog):
    weight, trainer = MatchedMagnitude(2.0, start_epoch=1), quiet_trainer()
    with caplog.at_level(logging.INFO, logger="lightning.pytorch.utilities.rank_zero"):
        for task, penalty, epochs in ((0.7, None, 0.0), (0.1, 7.0, 0.8), (0.1, 7.0, 1.0)):
            heard = None if penalty is None else torch.tensor(penalty)
            weight.observe(epochs, torch.tensor(task), heard, trainer)
    assert weight(1.0) == pytest.approx(0.2)
    assert "the weight of the explanation loss is 0.2 from now on" in caplog.text
    assert "try a larger weight than 2" in caplog.text


def test_the_first_step_is_no_time_to_match():
    with pytest.raises(ValueError, match="an untrained network predicts almost uniformly"):
        weight_schedule(1.0, match_magnitude=True)
    with pytest.raises(ValueError, match="start_epoch must be at least 0 and finite, got -1"):
        weight_schedule(1.0, start_epoch=-1)
    with pytest.raises(ValueError, match="weight must be at least 0 and finite, got inf"):
        weight_schedule(float("inf"))


@pytest.mark.parametrize(("after", "says"), [(0.06, "try weight=10"), (0.5, "gave up")])
def test_it_says_at_the_end_whether_the_weight_had_an_effect(after, says):
    weight, trainer = MatchedMagnitude(1.0, start_epoch=2), quiet_trainer()
    assert weight.outcome is None
    for task, epochs in ((0.7, 0.0), (0.05, 1.8), (0.05, 2.0)):
        weight.observe(epochs, torch.tensor(task), torch.tensor(0.5), trainer)
    assert weight.outcome is None  # nothing is known about the time after the match
    for _ in range(200):
        weight.observe(3.0, torch.tensor(after), torch.tensor(0.02), trainer)
    assert weight.outcome is not None
    assert f"from 0.5 to 0.02, and the task loss from 0.05 to {after}" in weight.outcome
    assert says in weight.outcome


def test_the_end_of_training_reports_it(caplog):
    target = torch.arange(64) % 2
    inputs = torch.randn(64, 4)
    inputs[:, 0] = 3 * (2 * target - 1)
    mask = torch.zeros_like(inputs)
    mask[:, 0] = 1
    data = DataLoader(TensorDataset(inputs, target, mask), batch_size=16)
    module = RightForTheRightReasons(
        MLP(4, hidden_features=(8,)),
        1e-3,
        match_magnitude=True,
        start_epoch=6,
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=2e-2),
    )
    with caplog.at_level(logging.INFO, logger="lightning.pytorch.utilities.rank_zero"):
        quiet_trainer(max_epochs=9).fit(module, data)
    assert "the explanation loss went from" in caplog.text
