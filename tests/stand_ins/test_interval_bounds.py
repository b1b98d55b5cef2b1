import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pear_lightning.stand_ins.interval_bounds import (
    input_gradient_bounds,
    logit_bounds,
    margin_bounds,
    probability_bounds,
)
from pear_lightning.stand_ins.interval_graph import affine_terms, pull_back
from pear_lightning.stand_ins.intervals import Interval

CLASSES = 3
ROWS = 5


class Head(nn.Module):
    """A hidden layer of 6, and then a function of it, of a factor per row and of some weights."""

    def __init__(self, function, *shapes):
        super().__init__()
        self.hidden, self.function = nn.Linear(4, 6), function
        self.weights = nn.ParameterList(nn.Parameter(torch.randn(shape)) for shape in shapes)

    def forward(self, x, factor):
        return self.function(x, F.relu(self.hidden(x)), factor, *self.weights)


def positions_first(x, h, f, w):
    """As many positions as there are rows in the tests, along the first dimension."""
    h = F.linear(h, w).reshape(-1, ROWS, CLASSES).transpose(0, 1)
    return F.relu(h).mean(0)


HEADS = {
    "linear": Head(lambda x, h, f, w: F.linear(h, w), (CLASSES, 6)),
    "two linear": Head(lambda x, h, f, v, w: F.linear(F.linear(h, v), w), (2, 6), (CLASSES, 2)),
    "convolution and mean": Head(
        lambda x, h, f, w: F.conv1d(h.reshape(-1, 2, 3), w, padding=1).mean(2), (CLASSES, 2, 3)
    ),
    "pool, reshaped": Head(
        lambda x, h, f, w: F.avg_pool1d(F.conv1d(h.view(len(h), 2, 3), w), 3)
        .transpose(1, 2).permute(0, 2, 1).flatten(1),
        (CLASSES, 2, 1),
    ),
    "wide and deep": Head(
        lambda x, h, f, v, w: 0.5 - F.linear(x, v) + 2 * F.linear(h, w), (CLASSES, 4), (CLASSES, 6)
    ),
    "side by side": Head(
        lambda x, h, f, w: F.linear(torch.cat([F.pad(x, (1, 0)), -h], 1), w), (CLASSES, 11)
    ),
    "constants of rows": Head(lambda x, h, f, w: F.linear(h / f, w), (CLASSES, 6)),
    "logits scaled by rows": Head(lambda x, h, f, w: F.linear(h, w) / f, (CLASSES, 6)),
    "batch as positions": Head(
        lambda x, h, f, w: F.relu(F.linear(h.reshape(-1, 2), w)).reshape(-1, 3 * CLASSES).reshape(
            -1, 3, CLASSES).sum(dim=1),
        (CLASSES, 2),
    ),
    "positions first": Head(positions_first, (ROWS * CLASSES, 6)),
    "one value": Head(
        lambda x, h, f, w: F.linear(torch.cat([F.relu(1 - h.sum(1)).unsqueeze(1), h], 1), w),
        (CLASSES, 7),
    ),
    "not affine": Head(lambda x, h, f, w: F.softplus(F.linear(h, w)), (CLASSES, 6)),
}  # fmt: skip


class Planted(nn.Module):
    """A model, with a network's output added to all of its logits."""

    def __init__(self, model):
        super().__init__()
        self.model, self.first = model, nn.Linear(4, 8).double()
        self.last = nn.Parameter(10 * torch.randn(1, 8).double())

    def forward(self, x, factor):
        common = F.linear(F.relu(self.first(x)), self.last.expand(CLASSES, 8))
        return self.model(x, factor) + common


def setting(name, seed=0):
    torch.manual_seed(seed)
    model = HEADS[name].double()
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    x, y = torch.randn(ROWS, 4).double(), torch.randint(CLASSES, (ROWS,))
    return model, x, y, {"factor": 1 + torch.rand(ROWS, 1).double()}


def all_bounds(model, x, y, radius, kwargs):
    box, logits = logit_bounds(model, x, radius, kwargs)
    return {
        "margins": margin_bounds(logits, y),
        "probabilities": Interval(*probability_bounds(logits)),
        "log_prob": input_gradient_bounds(box, logits, y, "log_prob"),
        "sum_log_prob": input_gradient_bounds(box, logits, y, "sum_log_prob"),
    }


def bounds_from_logits_alone(model, x, y, radius, kwargs):
    """Without the cancellation in the last layers."""
    box, logits = logit_bounds(model, x, radius, kwargs)
    alone = Interval(logits.lower, logits.upper)
    least, most = probability_bounds(alone)
    own = F.one_hot(y, CLASSES)
    cotangents = {
        "log_prob": Interval(own - most, own - least),
        "sum_log_prob": Interval(1 - CLASSES * most, 1 - CLASSES * least),
    }
    return {
        "margins": margin_bounds(alone, y),
        "probabilities": Interval(least, most),
        **{name: pull_back([(logits, each)], box) for name, each in cotangents.items()},
    }


def values(model, x, y, kwargs):
    x = x.clone().requires_grad_()
    logits = model(x, **kwargs)
    log_p = logits.log_softmax(1)
    return {
        "margins": logits - logits.gather(1, y[:, None]),
        "probabilities": log_p.exp(),
        "log_prob": torch.autograd.grad(
            log_p.gather(1, y[:, None]).sum(), x, retain_graph=True
        )[0],
        "sum_log_prob": torch.autograd.grad(log_p.sum(), x)[0],
    }  # fmt: skip


@pytest.mark.parametrize("name", HEADS)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.floats(1e-6, 1.0))
def test_they_hold_everywhere_and_are_never_looser_than_those_of_the_logits(name, seed, size):
    model, x, y, kwargs = setting(name, seed)
    radius = size * (torch.rand_like(x) > 0.5)
    bounds = all_bounds(model, x, y, radius, kwargs)
    for k in range(12):
        share = torch.rand_like(x) if k % 2 else torch.randint(2, x.shape)  # corners too
        for what, value in values(model, x + radius * (2 * share - 1), y, kwargs).items():
            tolerance = 1e-9 * (1 + value.abs().max())
            assert (value >= bounds[what].lower - tolerance).all()
            assert (value <= bounds[what].upper + tolerance).all()
    for what, loose in bounds_from_logits_alone(model, x, y, radius, kwargs).items():
        tolerance = 1e-9 * (1 + loose.upper.abs().max())
        assert (bounds[what].lower >= loose.lower - tolerance).all()
        assert (bounds[what].upper <= loose.upper + tolerance).all()


@pytest.mark.parametrize(
    "name", sorted(set(HEADS) - {"batch as positions", "positions first", "not affine"})
)
def test_the_last_affine_layers_make_them_tighter(name):
    model, x, y, kwargs = setting(name)
    bounds = all_bounds(model, x, y, 0.3 * torch.ones_like(x), kwargs)
    for what, loose in bounds_from_logits_alone(
        model, x, y, 0.3 * torch.ones_like(x), kwargs
    ).items():
        width = (bounds[what].upper - bounds[what].lower).sum()
        assert width < 0.99 * (loose.upper - loose.lower).sum()


@pytest.mark.parametrize("name", HEADS)
def test_a_function_that_is_added_to_all_logits_changes_nothing(name):
    model, x, y, kwargs = setting(name)
    radius = 0.3 * torch.ones_like(x)
    other = Planted(model)
    wanted, found = (all_bounds(each, x, y, radius, kwargs) for each in (model, other))
    for what in wanted:
        torch.testing.assert_close(found[what].lower, wanted[what].lower)
        torch.testing.assert_close(found[what].upper, wanted[what].upper)
    seen = bounds_from_logits_alone(other, x, y, radius, kwargs)["margins"]
    assert seen.upper.sum() > 2 * wanted["margins"].upper.sum()


@pytest.mark.parametrize("name", HEADS)
def test_rows_stand_for_themselves_with_their_derivatives(name):
    model, x, y, kwargs = setting(name)
    radius = 0.3 * torch.rand_like(x)
    weights = list(model.parameters())
    whole = all_bounds(model, x, y, radius, kwargs)
    alone = [
        all_bounds(
            model, *(each[[n]] for each in (x, y, radius)), {"factor": kwargs["factor"][[n]]}
        )
        for n in range(ROWS)
    ]  # less rows than classes
    for what, bound in whole.items():
        for side in ("lower", "upper"):
            parts = torch.cat([getattr(each[what], side) for each in alone])
            torch.testing.assert_close(getattr(bound, side), parts)
            found, wanted = (
                torch.autograd.grad(each.square().sum(), weights, retain_graph=True)
                for each in (getattr(bound, side), parts)
            )
            torch.testing.assert_close(found, wanted)


def test_the_terms_are_the_inputs_of_the_last_affine_layers():
    model, x, _, kwargs = setting("wide and deep")
    box, logits = logit_bounds(model, x, torch.ones_like(x), kwargs)
    terms = {tuple(each.interval.shape): each for each in affine_terms(logits)}
    assert terms[ROWS, 4].interval is box
    torch.testing.assert_close(terms[ROWS, 4].coefficients, -model.weights[0][:, None])
    torch.testing.assert_close(terms[ROWS, 6].coefficients, 2 * model.weights[1][:, None])


@pytest.mark.parametrize("name", ["batch as positions", "positions first", "not affine"])
def test_layers_that_are_not_affine_row_by_row_end_the_terms(name):
    model, x, _, kwargs = setting(name)
    _, logits = logit_bounds(model, x, torch.ones_like(x), kwargs)
    for interval, coefficients in affine_terms(logits):
        assert len(interval) == ROWS
        assert coefficients.shape[2:] == interval.shape[1:]


def test_a_linear_model_is_bounded_exactly():
    model, x, y = nn.Linear(4, CLASSES).double(), torch.randn(ROWS, 4).double(), torch.arange(5) % 3
    bounds = all_bounds(model, x, y, torch.ones_like(x), {})
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0]).double()] * 4)
    found = [values(model, x + corner, y, {})["margins"] for corner in corners]
    torch.testing.assert_close(bounds["margins"].upper, torch.stack(found).amax(0))
    torch.testing.assert_close(bounds["margins"].lower, torch.stack(found).amin(0))
