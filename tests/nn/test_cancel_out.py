import pytest
import torch

from pear_lightning.nn import CancelOut
from tests.reference import scores_activation as reference


def randomized(*args, **kwargs):
    gate = CancelOut(*args, **kwargs)
    torch.nn.init.normal_(gate.w)
    return gate


def test_gates_are_nearly_open_at_first():
    assert CancelOut(3).factors.tolist() == pytest.approx([0.982] * 3, abs=1e-4)
    assert CancelOut(4, activation="softmax").factors.tolist() == pytest.approx([0.25] * 4)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_output_is_the_activation_times_the_inputs(activation):
    gate = randomized(5, activation=activation)
    w = gate.w.detach()
    wanted = torch.sigmoid(w) if activation == "sigmoid" else reference.softmax(w.tolist())
    x = torch.randn(4, 5)
    torch.testing.assert_close(gate(x), x * torch.as_tensor(wanted))
    torch.testing.assert_close(gate.scores, w)
    assert gate.scores.argsort().tolist() == gate.factors.argsort().tolist()


def test_penalty_is_the_formula_and_reaches_the_weights():
    gate = randomized(5, l1_weight=0.3, variance_weight=0.2)
    penalty = gate.penalty()
    assert penalty.item() == pytest.approx(reference.cancel_out_penalty(gate.w.tolist(), 0.3, 0.2))
    penalty.backward()
    assert gate.w.grad.abs().min() > 0
    assert CancelOut(3, l1_weight=0, variance_weight=0).penalty() is None
    assert randomized(1, variance_weight=0).penalty() > 0


def test_groups_share_a_gate_and_a_penalty():
    gate = randomized(3, groups=[0, 1, 1])
    assert gate.scores.shape == (2,)
    torch.testing.assert_close(gate(torch.ones(1, 3))[0], gate.factors[[0, 1, 1]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"activation": "relu"}, "activation must be one of .*, got 'relu'"),
        ({"l1_weight": -1}, "l1_weight must not be negative"),
        ({"variance_weight": float("nan")}, "variance_weight must not be negative"),
        ({"in_features": 1}, "variance_weight must be 0 for a single feature"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        CancelOut(**{"in_features": 3} | arguments)


def test_bf16_and_export():
    gate = randomized(5)
    x = torch.randn(4, 5)
    assert gate(x.bfloat16()).dtype == torch.bfloat16
    torch.testing.assert_close(torch.export.export(gate, (x,)).module()(x), gate(x))
