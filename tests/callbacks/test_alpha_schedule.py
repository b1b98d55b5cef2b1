"""AlphaSchedule: Algorithm 1, step by step, on two ranks, and after a resume."""

import math
import warnings
from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.strategies import DDPStrategy
from torch import nn
from torch.utils.data import DataLoader

from pear_lightning.callbacks import AlphaSchedule
from pear_lightning.functional.alpha_schedule import AlphaState, next_alpha
from pear_lightning.masking import ColumnMasker
from pear_lightning.modules import DeepFaith
from pear_lightning.nn import MLP, ExplainerMLP
from tests.modules.helpers import quiet_trainer
from tests.reference import deepfaith

# recorded losses: falling, flat, a jump that resets, flat again; with sigma^2 near both thresholds
RESETS = [0.9, 0.6, 0.4, 0.31, 0.3, 0.3, 0.3, 0.3, 0.3, 0.8, 0.75, 0.31, 0.3, 0.3, 0.3, 0.3, 0.3]
HYSTERESIS = [0.3, 0.3, 0.3, 0.301, 0.312, 0.3, 0.315, 0.3, 0.3, 0.3, 0.3]
NOISE = torch.rand(60, generator=torch.Generator().manual_seed(3)).mul(0.02).add(0.3).tolist()
SEQUENCES = {"resets": RESETS, "hysteresis": HYSTERESIS, "noise": NOISE, "short": [0.3]}
SETTINGS = [(3, 1e-5, 10.0), (2, 1e-4, 2.0), (5, 3e-5, 1.0)]


def states(losses, window, threshold, factor, **kwargs):
    state, found = AlphaState(), []
    for loss in losses:
        state = next_alpha(state, loss, window=window, threshold=threshold, factor=factor, **kwargs)
        found.append(state)
    return found


@pytest.mark.parametrize("setting", SETTINGS, ids=repr)
@pytest.mark.parametrize("name", SEQUENCES)
def test_equals_algorithm_1_line_by_line(name, setting):
    found = states(SEQUENCES[name], *setting)
    expected = deepfaith.algorithm_1(SEQUENCES[name], *setting)
    assert [state.alpha for state in found] == pytest.approx([alpha for alpha, _ in expected])
    for state, (_, variance) in zip(found, expected, strict=True):
        assert (state.variance is None) == (variance is None)
        assert variance is None or state.variance == pytest.approx(variance, abs=1e-15)


def test_the_reset_path_is_taken_and_alpha_decays_again():
    found = states(RESETS, 3, 1e-5, 10.0)
    assert [state.settled for state in found].count(True) == 6
    alphas = [state.alpha for state in found]
    assert alphas[6] == 0.5  # the third of three equal losses: 1 falls to 1/2 at once
    assert alphas[7] == pytest.approx(1 - 1 / (1 + math.exp(-0.1)))
    assert alphas[9:14] == [1.0] * 5  # the jump resets
    assert alphas[-3:] == pytest.approx([0.5, 0.475, 0.45], abs=1e-3)


def test_between_both_thresholds_nothing_changes():
    found = states([0.3] * 3 + [0.31], 3, 1e-5, 10.0)
    assert 1e-5 < found[-1].variance < 1e-4
    assert found[-1].settled
    assert found[-1].settled_at == 3
    assert states([0.3, 0.3, 0.31], 3, 1e-5, 10.0)[-1].alpha == 1.0


def test_continuous_start_begins_at_1_and_long_decays_reach_0():
    assert states([0.3] * 3, 3, 1e-5, 10.0, start="continuous")[-1].alpha == 1.0
    assert states([0.3] * 1000, 3, 1e-5, 1.0)[-1].alpha == pytest.approx(0, abs=1e-300)


class Scripted(LightningModule):
    """Returns recorded losses; records the weight of every step."""

    def __init__(self, losses, key="pattern_consistency_loss"):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.losses, self.key = losses, key
        self.alpha, self.seen = 0.25, []

    def training_step(self, batch, batch_idx):
        self.seen.append(self.alpha)
        value = torch.tensor(self.losses[self.trainer.global_step])
        return {"loss": self.weight.sum() + value, self.key: value}

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def steps(count):
    return DataLoader(torch.zeros(count, 1), batch_size=1)


def test_iterations():
    module, schedule = Scripted(RESETS), AlphaSchedule(3, unit="iteration")
    trainer = quiet_trainer(max_epochs=1, callbacks=[schedule])
    trainer.fit(module, steps(len(RESETS)))
    expected = [alpha for alpha, _ in deepfaith.algorithm_1(RESETS, 3, 1e-5, 10.0)]
    assert schedule.history["alpha"] == pytest.approx(expected)
    assert module.seen == pytest.approx([1.0, *expected[:-1]])
    assert trainer.callback_metrics["alpha"].item() == pytest.approx(expected[-1])
    assert trainer.callback_metrics["alpha_variance"].item() == pytest.approx(
        schedule.history["variance"][-1]
    )


def test_epochs_use_the_mean_of_their_batches():
    losses = [value + shift for value in RESETS for shift in (-0.1, 0.1)]
    module, schedule = Scripted(losses), AlphaSchedule(3)
    quiet_trainer(max_epochs=len(RESETS), callbacks=[schedule]).fit(module, steps(2))
    expected = [alpha for alpha, _ in deepfaith.algorithm_1(RESETS, 3, 1e-5, 10.0)]
    assert schedule.history["loss"] == pytest.approx(RESETS)
    assert schedule.history["alpha"] == pytest.approx(expected)


def test_any_module_and_any_weight():
    class Logged(Scripted):
        def training_step(self, batch, batch_idx):
            result = super().training_step(batch, batch_idx)
            self.log("train_penalty", result[self.key])
            self.share_seen = self.share
            return result["loss"]

    module = Logged([0.3] * 8)
    module.share = 0.7
    schedule = AlphaSchedule(3, unit="iteration", monitor="train_penalty", attribute="share")
    quiet_trainer(max_epochs=1, callbacks=[schedule]).fit(module, steps(8))
    assert module.share == schedule.alpha < 0.5
    assert module.alpha == 0.25


@pytest.mark.parametrize("unit", ["epoch", "iteration"])
@pytest.mark.parametrize("stop", [3, 6])
def test_a_resumed_run_continues_with_the_same_alpha_and_window(tmp_path, unit, stop):
    losses = [value for value in RESETS for _ in range(2)]
    whole, alone = Scripted(losses), AlphaSchedule(3, unit=unit)
    quiet_trainer(max_epochs=len(RESETS), callbacks=[alone]).fit(whole, steps(2))

    first, schedule = Scripted(losses), AlphaSchedule(3, unit=unit)
    trainer = quiet_trainer(max_epochs=stop, callbacks=[schedule])
    trainer.fit(first, steps(2))
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    torch.load(tmp_path / "half.ckpt", weights_only=True)  # plain values
    second, again = Scripted(losses), AlphaSchedule(3, unit=unit)
    quiet_trainer(max_epochs=len(RESETS), callbacks=[again]).fit(
        second, steps(2), ckpt_path=tmp_path / "half.ckpt"
    )
    assert first.seen + second.seen == whole.seen
    assert again.history == alone.history


def test_a_checkpoint_of_a_validation_holds_the_whole_epoch(tmp_path):
    """ModelCheckpoint saves in the validation, before on_train_epoch_end."""

    class Validated(Scripted):
        def validation_step(self, batch, batch_idx):
            self.log("val_loss", 1.0 / (1 + self.trainer.current_epoch))

    losses = [value for value in RESETS for _ in range(2)]

    def fit(schedule, folder, path=None):
        saver = ModelCheckpoint(
            folder, "{epoch}", monitor="val_loss", save_top_k=-1, save_on_train_epoch_end=False
        )
        trainer = quiet_trainer(
            max_epochs=len(RESETS), callbacks=[schedule, saver], enable_checkpointing=True
        )
        trainer.fit(Validated(losses), steps(2), steps(1), ckpt_path=path)

    alone, again = AlphaSchedule(3), AlphaSchedule(3)
    fit(alone, tmp_path / "whole")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The dirpath has changed")
        fit(again, tmp_path / "rest", tmp_path / "whole" / "epoch=6.ckpt")
    assert again.history == alone.history


def test_a_second_fit_starts_again():
    schedule = AlphaSchedule(3)
    for _ in range(2):
        quiet_trainer(max_epochs=4, callbacks=[schedule]).fit(Scripted([0.3] * 8), steps(1))
        assert len(schedule.history["alpha"]) == 4


def test_a_fit_after_a_test_of_a_checkpoint_starts_again(tmp_path):
    class Tested(Scripted):
        def test_step(self, batch, batch_idx):
            return self.weight.sum()

    schedule = AlphaSchedule(3, threshold=1.0)
    trainer = quiet_trainer(max_epochs=4, callbacks=[schedule])
    trainer.fit(Tested([0.3] * 8), steps(1))
    first = schedule.history["alpha"]
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    trainer.test(Tested([0.3] * 8), steps(1), ckpt_path=tmp_path / "model.ckpt", verbose=False)
    quiet_trainer(max_epochs=4, callbacks=[schedule]).fit(Tested([0.3] * 8), steps(1))
    assert schedule.history["alpha"] == first


class OfRank(Scripted):
    """Each rank sees other losses; their mean is the recorded one."""

    def training_step(self, batch, batch_idx):
        result = super().training_step(batch, batch_idx)
        sign = 1 - 2 * self.trainer.global_rank
        result[self.key] = result[self.key] + sign * (0.05 * (self.trainer.global_step % 3))
        return result


@pytest.mark.ddp
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Using `DistributedSampler` with the dataloaders")
def test_two_ranks_resume_within_an_epoch(tmp_path):
    """The losses before the checkpoint are those of both ranks, counted once."""
    losses = [value for value in RESETS for _ in range(2)]

    def fit(folder, path=None):
        saver = ModelCheckpoint(folder, "{step}", every_n_train_steps=1, save_top_k=-1)
        trainer = quiet_trainer(
            max_epochs=len(RESETS),
            devices=2,
            strategy=DDPStrategy(process_group_backend="gloo", start_method="spawn"),
            callbacks=[Told(str(folder), "epoch"), saver],
            enable_checkpointing=True,
        )
        trainer.fit(OfRank(losses), steps(4), ckpt_path=path)
        return [torch.load(folder / f"{rank}.pt")["history"] for rank in (0, 1)]

    for folder in ("whole", "rest"):
        (tmp_path / folder).mkdir()
    whole = fit(tmp_path / "whole")
    rest = fit(tmp_path / "rest", tmp_path / "whole" / "step=5.ckpt")
    assert whole[0] == whole[1] == rest[0] == rest[1]


class Told(AlphaSchedule):
    """Writes the history of its rank to a file."""

    def __init__(self, folder, unit):
        super().__init__(3, unit=unit)
        self.folder = folder

    def on_train_end(self, trainer, pl_module):
        torch.save(
            {"history": self.history, "seen": pl_module.seen},
            Path(self.folder, f"{trainer.global_rank}.pt"),
        )


@pytest.mark.ddp
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Using `DistributedSampler` with the dataloaders")
@pytest.mark.parametrize("unit", ["epoch", "iteration"])
def test_two_ranks_have_the_same_alpha(tmp_path, unit):
    strategy = DDPStrategy(process_group_backend="gloo", start_method="spawn")
    trainer = quiet_trainer(
        max_epochs=len(RESETS), devices=2, strategy=strategy, callbacks=[Told(str(tmp_path), unit)]
    )
    trainer.fit(OfRank(RESETS), steps(2))
    ranks = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    assert ranks[0] == ranks[1]
    expected = [alpha for alpha, _ in deepfaith.algorithm_1(RESETS, 3, 1e-5, 10.0)]
    assert ranks[0]["history"]["alpha"] == pytest.approx(expected)


def test_deepfaith_with_a_schedule(tmp_path):
    pytest.importorskip("matplotlib")
    inputs = torch.randn(64, 4)
    data = [{"inputs": x, "supervision": s} for x, s in zip(inputs, 2 * inputs, strict=True)]
    model = DeepFaith(MLP(4), ExplainerMLP(4), ColumnMasker(4))
    schedule = AlphaSchedule(2, 0.1, figure=str(tmp_path / "alpha.png"), log_figure=True)
    trainer = quiet_trainer(
        max_epochs=4, callbacks=[schedule], logger=CSVLogger(tmp_path), log_every_n_steps=1
    )
    trainer.fit(model, DataLoader(data, batch_size=32))
    assert schedule.history["alpha"] == pytest.approx([1.0, 0.5, 0.475, 0.45], abs=1e-3)
    assert model.alpha == schedule.alpha
    assert (tmp_path / "alpha.png").exists()
    assert list(tmp_path.rglob("figures/alpha-*.png"))
    logged = (Path(trainer.logger.log_dir) / "metrics.csv").read_text()
    assert "alpha_variance" in logged


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"window": 1}, "window must be at least 2"),
        ({"threshold": 0}, "threshold must be above 0"),
        ({"factor": 0.5}, "factor must be at least 1"),
        ({"unit": "step"}, "unit must be one of"),
        ({"start": "late"}, "start must be one of"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        AlphaSchedule(**kwargs)


def test_modules_without_the_weight_or_the_loss_are_refused():
    trainer = quiet_trainer(callbacks=[AlphaSchedule(attribute="beta")])
    with pytest.raises(TypeError, match="must have a number 'beta'"):
        trainer.fit(Scripted([0.3] * 8), steps(2))
    trainer = quiet_trainer(callbacks=[AlphaSchedule(monitor="penalty")])
    with pytest.raises(ValueError, match="monitor must be a part of the training loss"):
        trainer.fit(Scripted([0.3] * 8), steps(2))
    trainer = quiet_trainer(callbacks=[AlphaSchedule(unit="iteration")])
    with pytest.raises(ValueError, match="must be finite"):
        trainer.fit(Scripted([float("nan")] * 8), steps(2))
