import operator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pear_lightning.stand_ins.contextual_decomposition import Decomposed
from pear_lightning.stand_ins.interval_graph import pull_back
from pear_lightning.stand_ins.intervals import Interval
from pear_lightning.stand_ins.stand_in import NoRuleError


class Residual(nn.Module):
    """Sums, constants, functions and a batch norm with statistics."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.norm.running_mean.normal_()
        self.norm.running_var.uniform_(0.5, 2)
        nn.init.normal_(self.norm.weight)

    def forward(self, x):
        x = (x - 0.3) / torch.tensor([0.5, -1.0, 2.0, 1.0]).view(4, 1, 1).double()
        return F.relu(2 * x + self.norm(self.convolution(x)) - x, inplace=True)


class Joined(nn.Module):
    """Signs, frames and parts side by side, beside constants."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(5, 3, 3)

    def forward(self, x):
        x = torch.cat([x, torch.ones_like(x.lower if isinstance(x, Interval) else x)[:, :1], -x], 1)
        x = self.convolution(F.pad(x.double(), (1, 1, 1, 1), "reflect"))
        return F.pad(1 - x, (0, 0, 1, 0), value=0.5).clone()


NETWORKS = {
    "rows": lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)),
    "smooth rows": lambda: nn.Sequential(
        nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.Sigmoid(), nn.Linear(8, 8), nn.Softplus(),
        nn.Linear(8, 8), nn.ELU(), nn.Linear(8, 8), nn.LeakyReLU(0.2), nn.Linear(8, 3),
    ),
    "images": lambda: nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(),
        nn.MaxPool2d(3, 2, 1), Residual(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 3),
    ),
    "joined images": lambda: nn.Sequential(
        Joined(), nn.Tanh(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 3),
    ),
    "overlapping pools": lambda: nn.Sequential(
        nn.Conv2d(2, 3, 3, stride=2, padding=2, dilation=2), nn.Softplus(),
        nn.MaxPool2d((2, 3), (1, 2)), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 3),
    ),
}  # fmt: skip


def network(name, seed=0):
    torch.manual_seed(seed)
    return NETWORKS[name]().double().eval(), torch.randn(
        2, *((6,) if "rows" in name else (2, 8, 8))
    )


def bounds(model, x, radius):
    box = Interval(x - radius, x + radius)
    logits = model(box)
    cotangent = torch.eye(3, dtype=x.dtype)[[1]].expand(len(x), 3)
    return logits, pull_back([(logits, Interval(cotangent, cotangent))], box)


def values(model, x):
    x = x.clone().requires_grad_()
    logits = model(x)
    return logits.detach(), torch.autograd.grad(logits[:, 1].sum(), x)[0]


@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.floats(1e-6, 1.0))
def test_every_point_of_a_box_obeys_the_bounds(name, seed, size):
    model, x = network(name, seed)
    x = x.double()
    radius = size * (torch.rand_like(x) > 0.5)
    logits, gradient = bounds(model, x, radius)
    for k in range(12):
        share = torch.rand_like(x) if k % 2 else torch.randint(2, x.shape)  # corners too
        z, g = values(model, x + radius * (2 * share - 1))
        tolerance = 1e-9 * (1 + gradient.upper.abs().max() + z.abs().max())
        for value, bound in ((z, logits), (g, gradient)):
            assert (value >= bound.lower - tolerance).all()
            assert (value <= bound.upper + tolerance).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_box_of_one_point_is_exact_and_so_are_its_derivatives(name):
    model, x = network(name)
    x = x.double()
    logits, gradient = bounds(model, x, torch.zeros_like(x))
    z, g = values(model, x)
    for bound, value in ((logits, z), (gradient, g)):
        assert torch.equal(bound.lower, bound.upper)
        torch.testing.assert_close(bound.lower, value)
    weights = [p for p in model.parameters() if p.ndim > 1]
    inputs = x.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(model(inputs)[:, 1].sum(), inputs, create_graph=True)
    torch.testing.assert_close(
        torch.autograd.grad(gradient.upper.square().sum(), weights),
        torch.autograd.grad(wanted.square().sum(), weights),
    )


def test_linear_bounds_are_tight_and_derivatives_of_bounds_are_right():
    layer, x = nn.Linear(4, 2).double(), torch.randn(3, 4).double()
    reached = layer(Interval(x - 0.5, x + 0.5))
    corner = (layer.weight[None] >= 0) * 1.0 - 0.5
    torch.testing.assert_close(
        reached.upper, torch.einsum("bi,oi->bo", x, layer.weight)
        + (corner * layer.weight).sum(2) + layer.bias,
    )  # fmt: skip
    first, second = torch.randn(5, 4).double(), torch.randn(3, 5).double()

    def loss(first, second):
        box = Interval(x - 0.3, x + 0.3)
        output = F.linear(torch.tanh(F.linear(box, first)), second)
        one = torch.ones_like(output.lower)
        gradient = pull_back([(output, Interval(one, one))], box)
        return output.upper.sum() + gradient.lower.square().sum() + gradient.upper.abs().sum()

    parameters = (first.requires_grad_(), second.requires_grad_())
    assert torch.autograd.gradcheck(loss, parameters)


def test_slopes_have_the_precision_of_the_values():
    x = -torch.ones(1, 3).double()
    for layer, slope in ((nn.LeakyReLU(0.1), 0.1), (nn.ELU(0.3), 0.3 * x.exp())):
        box = Interval(x, x)
        output, one = layer(box), torch.ones_like(x)
        gradient = pull_back([(output, Interval(one, one))], box)
        assert torch.equal(gradient.lower, slope * one)


@pytest.mark.parametrize("kind", [Interval, Decomposed])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x / torch.tensor([3]),
        lambda x: x / torch.tensor([3.0]),
        lambda x: x - torch.tensor([3], dtype=torch.uint8),
        lambda x: torch.sub(x, torch.tensor([200], dtype=torch.uint8), alpha=2),
        lambda x: torch.add(x, torch.tensor([200], dtype=torch.uint8), alpha=2),
        lambda x: torch.tensor([3], dtype=torch.uint8) - x,
        lambda x: x * torch.tensor([200], dtype=torch.uint8),
    ],
)
def test_constants_have_the_precision_of_the_values(kind, function):
    x = torch.randn(4, 2).double()
    if kind is Interval:
        found = function(Interval(x - 1, x)).upper
        wanted = torch.maximum(function(x - 1), function(x))
    else:
        found, wanted = function(Decomposed(x / 4, 3 * x / 4)).total, function(x)
    torch.testing.assert_close(found, wanted, rtol=1e-14, atol=1e-14)


def test_what_the_output_does_not_depend_on_has_no_gradient():
    box = Interval(torch.zeros(1, 2), torch.ones(1, 2))
    other = nn.Linear(2, 1)(Interval(torch.zeros(1, 2), torch.ones(1, 2)))
    one = torch.ones(1, 1)
    assert not pull_back([(other, Interval(one, one))], box).upper.any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: x.softmax(1), "softmax must have a rule for intervals"),
        (lambda x: F.gelu(x), "gelu must have a rule"),
        (lambda x: x @ torch.ones(2, 2), "matmul must have a rule"),
        (lambda x: x[:, 0], "getitem must have a rule"),
        (lambda x: x * x, "mul must have at most one interval as a factor"),
        (lambda x: torch.ones(2, 2) / x, "divisor, got an interval"),
        (lambda x: F.linear(torch.ones(2, 2), x), "input must be an interval, got a tensor"),
        (lambda x: F.dropout(x), "dropout must run in eval mode"),
        (
            lambda x: F.batch_norm(x, torch.zeros(2), torch.ones(2), training=True),
            "batch_norm must run in eval mode, got training mode",
        ),
        (
            lambda x: nn.BatchNorm1d(2, track_running_stats=False).eval()(x),
            "batch_norm must have running statistics, got none",
        ),
        (lambda x: F.leaky_relu(x, -1.0), r"negative_slope .* in \[0, 1\], got -1"),
        (lambda x: F.elu(x, 2.0), r"alpha .* in \[0, 1\], got 2"),
        (lambda x: x + x.sum(1), r"intervals of equal shapes, got \(2, 2\) and \(2,\)"),
        (lambda x: F.max_pool2d(x, 2, ceil_mode=True), "got .* ceil_mode=True"),
    ],
)
def test_what_has_no_rule_is_refused(call, message):
    with pytest.raises(NoRuleError, match=message):
        call(Interval(torch.zeros(2, 2), torch.ones(2, 2)))


OPERATORS = {
    "pow": lambda x: x**2,
    "rpow": lambda x: 2**x,
    "gt": lambda x: x > 0,
    "eq": lambda x: x == 0,
    "ne": lambda x: x != 0,
    "matmul": lambda x: torch.ones(2, 2) @ x,
    "mod": lambda x: x % 2,
    "abs": abs,
    "invert": lambda x: ~x,
    "setitem": lambda x: operator.setitem(x, (slice(None), 0), 0),
    "contains": lambda x: 0 in x,
    r"bool\(\)": lambda x: 1 if x.sum() else 0,
    r"float\(\)": float,
    r"index\(\)": range,
    "array": np.asarray,
    "getitem": list,
    "where": lambda x: torch.where(torch.ones(2, 2).bool(), x, 0),
    "T": lambda x: x.T,
    "relu must be called as its rule for .* allows": lambda x: x.relu(1, 2),
}


@pytest.mark.parametrize("kind", [Interval, Decomposed])
@pytest.mark.parametrize("name", OPERATORS)
def test_operators_without_a_rule_are_refused_by_name(kind, name):
    with pytest.raises(NoRuleError, match=f"^{name}( must have a rule for .*|), got"):
        OPERATORS[name](kind(torch.zeros(2, 2), torch.ones(2, 2)))


def test_it_looks_like_its_tensor():
    box = Interval(torch.zeros(2, 3), torch.ones(2, 3))
    assert (box.shape, box.ndim, len(box), box.dtype) == ((2, 3), 2, 2, torch.float32)
    assert (box.size(), box.size(1), box.dim(), box.device.type) == ((2, 3), 3, 2, "cpu")
    assert not hasattr(box, "nothing_of_a_tensor")
    assert torch.equal(box.float().upper, box.upper)
    assert box.double().dtype == torch.float64


def test_a_value_that_was_changed_in_place_is_not_used_as_if_it_had_not_been():
    x = Interval(torch.zeros(2, 3), torch.ones(2, 3))
    y = F.relu(2 * x, inplace=True)
    assert torch.equal((y + x).upper, torch.full((2, 3), 3.0))
    doubled = x.mul_(2)
    assert torch.equal(doubled.upper, torch.full((2, 3), 2.0))
    for use in (
        lambda: x + y,
        lambda: torch.cat([y, x]),
        lambda: F.relu(x),
        lambda: F.relu(input=x),
        lambda: torch.add(y, other=x),
        lambda: torch.cat(tensors=[y, x]),
    ):
        with pytest.raises(NoRuleError, match="got a value that mul_ changed"):
            use()
    with pytest.raises(NoRuleError, match=r"add_ must be called on intervals .* got a tensor"):
        torch.zeros(2, 3).add_(y)


IN_PLACE = {
    "add_": lambda x: operator.iadd(x, 1),
    "sub_": lambda x: operator.isub(x, 1),
    "mul_": lambda x: operator.imul(x, 2),
    "div_": lambda x: operator.itruediv(x, 2),
    "relu": lambda x: F.relu(x.view(3, 2), inplace=True),
    "relu_": lambda x: x.flatten().unsqueeze(0).transpose(0, 1).relu_(),
}


@pytest.mark.parametrize("kind", [Interval, Decomposed])
@pytest.mark.parametrize("name", IN_PLACE)
def test_what_changes_a_value_changes_its_aliases_and_what_it_is_a_view_of(kind, name):
    x = 2 * kind(-torch.ones(2, 3), torch.ones(2, 3))
    alias, view, copy, other = x, x.reshape(6), x.clone(), x + 0
    changed = IN_PLACE[name](x)
    for use in (lambda: alias + 0, lambda: view + 0, lambda: F.relu(x)):
        with pytest.raises(NoRuleError, match=f"got a value that {name} changed, or a view of it"):
            use()
    assert [each.shape for each in (changed + 0, copy + 0, other + 0)][1:] == [(2, 3)] * 2


def test_a_value_may_be_changed_by_operators_where_no_alias_is_used():
    layer, x = nn.Linear(3, 3), torch.randn(4, 3)

    def residual(x):
        out = layer(x)
        out += x
        out *= 2
        out -= 1
        out /= 4
        return F.relu(out, inplace=True)

    torch.testing.assert_close(residual(Interval(x, x)).upper, residual(x))


@pytest.mark.parametrize("kind", [Interval, Decomposed])
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Dropout1d(), (2, 3, 4)),
        (nn.Dropout2d(inplace=True), (2, 3, 4, 4)),
        (nn.Dropout3d(), (2, 3, 4, 4, 4)),
        (nn.AlphaDropout(), (2, 3)),
        (nn.FeatureAlphaDropout(), (2, 3, 4)),
    ],
)
def test_every_dropout_does_nothing_in_eval_mode_and_is_refused_in_training(kind, layer, shape):
    x = kind(torch.zeros(shape), torch.ones(shape))
    assert layer.eval()(x) is x
    with pytest.raises(NoRuleError, match=r"dropout.* must run in eval mode, got training mode"):
        layer.train()(x)
