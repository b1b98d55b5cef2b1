import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pear_lightning.nn import StochasticGates
from tests.reference import scores_activation as reference


def test_gates_are_half_open_at_first():
    scores = StochasticGates(100).scores
    assert scores.mean().item() == pytest.approx(0.5, abs=0.01)
    assert 0.005 < scores.std() < 0.02


def test_noise_in_training_and_none_at_inference():
    gate = StochasticGates(3, noise_std=0.7)
    nn.init.normal_(gate.mu, std=0.3)
    x = torch.rand(6, 3) + 0.5
    torch.manual_seed(1)
    noisy = gate(x) / x
    torch.manual_seed(1)
    noise = torch.randn(6, 3)
    wanted = [[reference.stochastic_gate(gate.mu[i].item(), row[i].item(), 0.7) for i in range(3)]
              for row in noise]  # fmt: skip
    torch.testing.assert_close(noisy, torch.tensor(wanted))
    assert noisy.std(dim=0).min() > 0  # its own noise for every row
    gate.eval()
    wanted = [reference.stochastic_gate(mu, 0.0) for mu in gate.mu.tolist()]
    torch.testing.assert_close(gate(x), x * torch.tensor(wanted))
    torch.testing.assert_close(gate.scores, torch.tensor(wanted))


def test_penalty_is_the_formula_and_reaches_the_gates():
    gate = StochasticGates(5, sparsity_weight=0.3, noise_std=0.4)
    nn.init.normal_(gate.mu)
    penalty = gate.penalty()
    wanted = reference.stochastic_gates_penalty(gate.mu.tolist(), 0.3, 0.4)
    assert penalty.item() == pytest.approx(wanted, rel=1e-5)
    penalty.backward()
    assert gate.mu.grad.min() > 0
    assert StochasticGates(3, sparsity_weight=0).penalty() is None


def test_it_shuts_the_gates_of_noise():
    x = torch.randn(256, 6)
    target = (x[:, 0] + x[:, 1] > 0).long()
    gate = StochasticGates(6, sparsity_weight=0.5)
    model = nn.Sequential(gate, nn.Linear(6, 2))
    rates = [{"params": gate.parameters(), "lr": 0.02}, {"params": model[1].parameters()}]
    optimizer = torch.optim.Adam(rates, lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        (F.cross_entropy(model(x), target) + gate.penalty()).backward()
        optimizer.step()
    assert gate.scores[:2].min() > 0.5
    assert gate.scores[2:].max() == 0


def test_groups_share_their_noise():
    gate = StochasticGates(3, groups=[0, 1, 1])
    ratio = gate(torch.ones(8, 3))
    torch.testing.assert_close(ratio[:, 1], ratio[:, 2])
    assert not torch.equal(ratio[:, 0], ratio[:, 1])


def test_token_axis():
    gate = StochasticGates(4, axis=1)
    ratio = gate(torch.ones(2, 4, 3))
    torch.testing.assert_close(ratio, ratio[:, :, :1].expand(2, 4, 3))
    assert not torch.equal(ratio[0], ratio[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"noise_std": 0}, "noise_std must be above 0"),
     ({"sparsity_weight": -1}, "sparsity_weight must not be negative")],
)  # fmt: skip
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        StochasticGates(3, **arguments)


def test_bf16_and_export():
    gate = StochasticGates(5).eval()
    x = torch.randn(4, 5)
    assert gate(x.bfloat16()).dtype == torch.bfloat16
    torch.testing.assert_close(torch.export.export(gate, (x,)).module()(x), gate(x))
