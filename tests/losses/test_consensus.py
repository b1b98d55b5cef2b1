import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pear_lightning.explainers import Gradient, InputXGradient
from pear_lightning.losses import ConsensusLoss
from tests.reference.consensus import consensus_loss

A = torch.tensor([[0.1, -0.2, 0.9, 0.3], [2, -1, 0.5, 0.25]])
B = torch.tensor([[0.2, 0.1, 0.75, -0.4], [1, -3, 0.5, 0.75]])
PAPER = {"normalize": "none", "strength": 0.2}


@pytest.mark.parametrize(
    ("mu", "golden"), [(0.0, 0.149932), (0.5, 0.135402), (0.75, 0.128136), (1.0, 0.120871)]
)
def test_golden_values_in_paper_mode(mu, golden):
    assert ConsensusLoss(mu, **PAPER)(A, B).item() == pytest.approx(golden, abs=1e-6)


def test_golden_correlations():
    terms = ConsensusLoss(**PAPER).terms(A, B)
    torch.testing.assert_close(terms.pearson, torch.tensor([0.572578, 0.827693]), atol=1e-6, rtol=0)
    torch.testing.assert_close(terms.spearman, torch.tensor([0.916515, 0.6]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("mu", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("n", [2, 7, 11])
@pytest.mark.parametrize("options", [PAPER, {}, {"strength": 0.01}])
def test_equals_the_plain_transcription(mu, n, options):
    a, b = (torch.randn(6, n).double().requires_grad_() for _ in range(2))
    loss = ConsensusLoss(mu, **options)(a, b)
    settings = {"normalize": "max", "strength": 0.4 / n} | options
    if settings["normalize"] == "max":
        a2, b2 = (x / x.detach().abs().amax(1, keepdim=True) for x in (a, b))
    else:
        a2, b2 = a, b
    wanted = consensus_loss(a2, b2, mu, settings["strength"])
    torch.testing.assert_close(loss, wanted)
    gradients = torch.autograd.grad(loss, (a, b), retain_graph=True)
    torch.testing.assert_close(gradients, torch.autograd.grad(wanted, (a, b)))


@given(st.floats(0, 1), st.integers(2, 12), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_range_symmetry_and_identity(mu, n, seed):
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, 5, n, generator=generator).unbind()
    loss = ConsensusLoss(mu, reduction="none")
    value = loss(a, b)
    assert value.shape == (5,)
    assert (value >= -1e-6).all()
    assert (value <= 1 + 1e-6).all()
    torch.testing.assert_close(value, loss(b, a))
    torch.testing.assert_close(loss(a, a), torch.zeros(5), atol=1e-6, rtol=0)
    torch.testing.assert_close(loss(a, -a), torch.full((5,), 1 - mu), atol=1e-6, rtol=0)


@given(st.floats(1e-20, 1e20), st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_scale_does_not_matter_with_row_normalisation(scale, seed):
    a, b = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(seed)).unbind()
    loss = ConsensusLoss(reduction="none")
    torch.testing.assert_close(loss(scale * a, b), loss(a, b), atol=1e-5, rtol=1e-5)


def test_rows_are_independent_of_their_batch():
    a, b = torch.randn(2, 6, 5).unbind()
    a[2] = 0
    loss = ConsensusLoss(reduction="none")
    each = torch.cat([loss(a[i : i + 1], b[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(loss(a, b), each)
    torch.testing.assert_close(ConsensusLoss()(a, b), each.mean())


@pytest.mark.parametrize("row", [[0.0, 0, 0, 0], [0.7, 0.7, 0.7, 0.7], [0.3, 0.3, -0.3, 0.1]])
@pytest.mark.parametrize("options", [PAPER, {}])
def test_constant_and_tied_rows_are_finite_and_leave_the_others_alone(row, options):
    a, b = A.clone(), B.clone()
    a[0] = torch.tensor(row)
    a.requires_grad_()
    value = ConsensusLoss(0.5, reduction="none", **options)(a, b)
    value.sum().backward()
    assert value.isfinite().all()
    assert a.grad.isfinite().all()
    alone = A[1:].clone().requires_grad_()
    other = ConsensusLoss(0.5, reduction="none", **options)(alone, b[1:])
    other.sum().backward()
    torch.testing.assert_close(value[1:], other)
    torch.testing.assert_close(a.grad[1:], alone.grad)
    if len(set(row)) == 1:
        assert value[0].item() == pytest.approx(0.5)
        assert not a.grad[0].any()


def test_more_than_two_explanations_average_their_pairs():
    a, b, c = torch.randn(3, 4, 6).unbind()
    loss = ConsensusLoss(reduction="none")
    mean = (loss(a, b) + loss(a, c) + loss(b, c)) / 3
    torch.testing.assert_close(loss(a, b, c), mean)


def test_images_are_flattened():
    a, b = torch.randn(2, 3, 2, 4, 5).unbind()
    loss = ConsensusLoss()
    torch.testing.assert_close(loss(a, b), loss(a.flatten(1), b.flatten(1)))


def test_half_precision_and_autocast_are_computed_in_float32():
    a, b = torch.randn(2, 4, 6).bfloat16().unbind()
    value = ConsensusLoss()(a, b)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, ConsensusLoss()(a.float(), b.float()))
    with torch.autocast("cpu", torch.bfloat16):
        inside = ConsensusLoss()(a.float(), b.float())
    torch.testing.assert_close(inside, value)


def test_gradient_by_finite_differences():
    a, b = torch.randn(2, 3, 5).double().unbind()
    a.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: ConsensusLoss(**PAPER)(x, b), a)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spearman_weight": 1.1}, "spearman_weight must lie in"),
        ({"spearman_weight": math.nan}, "spearman_weight must lie in"),
        ({"normalize": "l2"}, "normalize must be"),
        ({"strength": 0.0}, "strength must be positive"),
        ({"reduction": "sum"}, "reduction must be"),
    ],
)
def test_bad_settings_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ConsensusLoss(**options)


@pytest.mark.parametrize(
    ("attributions", "message"),
    [
        ((A,), "attributions must be two or more"),
        ((A, B[:1]), "attributions must all have one shape"),
        ((A[0], B[0]), "attributions must have the shape"),
        ((A, B / 0), "attributions"),
    ],
)
def test_bad_attributions_are_named(attributions, message):
    with pytest.raises(ValueError, match=message):
        ConsensusLoss()(*attributions)


def test_a_batch_without_samples_costs_nothing():
    nothing = torch.zeros(0, 4, requires_grad=True)
    loss = ConsensusLoss()(nothing, nothing)
    loss.backward()
    assert loss.item() == 0
    assert nothing.grad.shape == (0, 4)
    assert ConsensusLoss(reduction="none")(nothing, nothing).shape == (0,)
    terms = ConsensusLoss().terms(nothing, nothing, nothing)
    assert [len(each) for each in terms] == [0, 0, 0]
    with pytest.raises(ValueError, match=r"at least one feature, got \(4, 0\)"):
        ConsensusLoss()(torch.zeros(2, 0), torch.zeros(2, 0))


def test_a_scalar_that_sees_what_all_logits_share_is_warned_of_once_in_training():
    model = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3))
    batch = (torch.rand(5, 4), torch.randint(3, (5,)))
    pair = {"gradient": Gradient(), "product": InputXGradient()}
    loss = ConsensusLoss().explain_with(pair, "logit")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ConsensusLoss().explain_with(pair).of_model(
            model, batch
        )  # the centred logit does not see it
        with torch.no_grad():
            loss.of_model(model, batch)
    with pytest.warns(UserWarning, match="output='logit', which changes when a function is added"):
        loss.of_model(model, batch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss.of_model(model, batch)
