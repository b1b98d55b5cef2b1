"""Whether a model is the same function in train mode and in eval mode."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from pear_lightning.explainers import Gradient, InputXGradient
from pear_lightning.modules import PEAR, RightForTheRightReasons
from pear_lightning.nn import MLP, ScoresActivation
from pear_lightning.scoring import Batch
from pear_lightning.training.mode_independence import same_in_both_modes
from pear_lightning.training.random_states import RandomStates
from tests.modules.helpers import table

PAIR = {"gradient": Gradient(), "input_x_gradient": InputXGradient()}


class MovingMean(nn.Module):
    """State that train mode moves, without an effect on the outputs."""

    def __init__(self, where="buffer"):
        super().__init__()
        self.body, self.where = MLP(6), where
        self.register_buffer("mean", torch.full((6,), torch.nan))
        self.register_buffer("seen", torch.tensor(False))
        self.register_buffer("late", None)

    @torch.no_grad()
    def _remember(self, x):
        if self.where == "in place":
            self.mean.copy_(x.mean(dim=0))
        elif self.where == "replaced":
            self.mean = x.mean(dim=0)
        elif self.where == "flag":
            self.seen.fill_(True)

    def forward(self, x):
        if self.training:
            self._remember(x)
        return self.body(x)


def state_of(module):
    return {name: buffer.clone() for name, buffer in module.named_buffers()}


@pytest.mark.parametrize("where", ["in place", "replaced", "flag"])
def test_state_that_only_training_moves(where):
    model = MovingMean(where)
    before = state_of(model)
    assert not same_in_both_modes(model, Batch(table(8).tensors[0]))
    torch.testing.assert_close(state_of(model), before, equal_nan=True, rtol=0, atol=0)
    assert model.training
    assert same_in_both_modes(MovingMean("nowhere"), Batch(table(8).tensors[0]))


@pytest.mark.parametrize(
    "method",
    [
        lambda net: PEAR(net, explainers=PAIR),
        lambda net: RightForTheRightReasons(net),
    ],
)
@pytest.mark.filterwarnings("ignore:.*masks of a batch mark every feature")
def test_an_instance_wise_gate_is_run_in_training_mode(method):
    gate = ScoresActivation(6, instance_wise=True, check_scale=False)
    model = method(nn.Sequential(gate, MLP(6)))
    x, y = table(16).tensors
    for step in range(1, 4):
        model.training_loss((x, y, torch.ones_like(x)))
        assert gate.batches_seen == step


def draw(source):
    if isinstance(source, torch.Generator):
        return float(torch.rand((), generator=source))
    return source.random()


class Draws(nn.Module):
    """Stochastic depth by batch: most batches do not show that the layer is there."""

    def __init__(self, source):
        super().__init__()
        self.body, self.source = MLP(6), source

    def forward(self, x):
        return self.body(0 * x if self.training and draw(self.source) < 1e-9 else x)


@pytest.mark.parametrize(
    "source",
    [
        np.random,
        np.random.RandomState(3),
        np.random.default_rng(3),
        np.random.Generator(np.random.MT19937(3)),
        random,
        random.Random(3),
        torch.Generator().manual_seed(3),
    ],
    ids=["numpy", "RandomState", "Generator", "MT19937", "python", "Random", "torch.Generator"],
)
def test_a_layer_that_draws_in_training(source):
    model = Draws(source)
    states = RandomStates(model, torch.device("cpu"))
    assert not same_in_both_modes(model, Batch(table(8).tensors[0]))
    assert not states.changed()
    first = draw(source)
    assert states.changed()
    states.restore()
    assert draw(source) == first
