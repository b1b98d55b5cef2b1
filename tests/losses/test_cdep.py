import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pear_lightning.losses import CDEPLoss
from pear_lightning.nn import MLP
from pear_lightning.stand_ins.contextual_decomposition import Decomposed
from pear_lightning.stand_ins.stand_in import NoRuleError
from tests.losses import model_losses
from tests.reference import contextual_decomposition as reference


def batch(n=5):
    x, y = torch.randn(n, 4).double(), torch.randint(3, (n,))
    mask = (torch.rand(n, 4) > 0.5).double()
    mask[:, 0], mask[:, 1] = 1, 0
    return x, y, mask


@pytest.mark.parametrize("output", ["logit", "centered_logit"])
def test_the_papers_formula_and_its_gradients(output):
    model, (x, y, mask) = MLP(4, 3, (6, 5)).double(), batch()
    layers = [(m.weight, m.bias) for m in model.modules() if isinstance(m, nn.Linear)]
    logits, loss = CDEPLoss(output).of_model(model, (x, y, mask))
    torch.testing.assert_close(logits, model(x))
    wanted = reference.cdep(layers, x, mask, centred=output == "centered_logit")
    torch.testing.assert_close(loss, wanted)
    weights = [w for w, _ in layers]
    torch.testing.assert_close(
        torch.autograd.grad(loss, weights), torch.autograd.grad(wanted, weights)
    )


class Joined(nn.Module):
    """Signs, frames and parts side by side, beside constants."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(5, 3, 3)

    def forward(self, x):
        ones = torch.ones(3, 1, 8, 8).double()
        x = self.convolution(F.pad(torch.cat((x, ones, -x), dim=1).double(), [1] * 4))
        return F.pad(1 - x, (0, 0, 1, 0), value=0.5).clone()


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.norm.running_mean.normal_()
        nn.init.normal_(self.norm.bias)

    def forward(self, x):
        return F.relu((x - 0.5) / 2 + self.norm(self.convolution(x)) - 0.1 * x, inplace=True)


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, 1), Block(),
                      nn.Dropout(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)),
        nn.Sequential(nn.Flatten(2), nn.Conv1d(2, 3, 3), nn.MaxPool1d(2), nn.AdaptiveAvgPool1d(4),
                      nn.Flatten(), nn.Linear(12, 3, bias=False)),
        nn.Sequential(Joined(), nn.ReLU(), nn.Flatten(), nn.Linear(216, 3)),
    ],
    ids=["images", "sequences", "joined"],
)  # fmt: skip
def test_both_parts_sum_to_the_logits(model):
    model, x = model.double().eval(), torch.randn(3, 2, 8, 8).double()
    mask = torch.zeros_like(x)
    mask[..., :3, :4] = 1
    parts = model(Decomposed(mask * x, x - mask * x))
    torch.testing.assert_close(parts.total, model(x))


def test_a_linear_model_by_hand():
    model = nn.Linear(2, 2).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[3.0, 1.0], [0.0, 2.0]]))
        model.bias.copy_(torch.tensor([4.0, 1.0]))
    x, mask = torch.ones(1, 2).double(), torch.tensor([[1, 0]])
    parts = model(Decomposed(x * mask, x * (1 - mask)))
    by_hand = torch.tensor([[6.0, 0.0]]).double()  # 3 + 4 · 3/4
    torch.testing.assert_close(parts.relevant, by_hand)
    torch.testing.assert_close(parts.rest, torch.tensor([[2.0, 3.0]]).double())
    _, loss = CDEPLoss("logit").of_model(model, (x, torch.tensor([0]), mask))
    wanted = (torch.tensor([4.0, -3.0]).double().sigmoid()).mean()
    torch.testing.assert_close(loss, wanted)
    # the centred layer is (1.5, -.5), (-1.5, .5) with bias 1.5, -1.5, of which 3/4 are relevant
    _, centred = CDEPLoss().of_model(model, (x, torch.tensor([0]), mask))
    by_hand = 1.5 + 1.5 * 3 / 4 - abs(-0.5 + 1.5 / 4)
    torch.testing.assert_close(centred, torch.tensor(by_hand).double().sigmoid())


def test_a_bias_is_shared_in_halves_where_nothing_arrives():
    zeros = torch.zeros(2, 3, requires_grad=True)
    layer = nn.Linear(3, 2)
    parts = layer(Decomposed(zeros, zeros))
    torch.testing.assert_close(parts.relevant, (layer.bias / 2).expand(2, 2))
    parts.relevant.sum().backward()
    assert zeros.grad.isfinite().all()


@pytest.mark.parametrize("name", model_losses.IN_FLOAT32)
def test_contract(name):
    model_losses.IN_FLOAT32[name](CDEPLoss())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: F.gelu(x), "gelu must have a rule for contextual decomposition"),
        (lambda x: x * x, "mul must have at most one decomposition as a factor"),
        (lambda x: torch.ones(2, 2) / x, "divisor, got a decomposition"),
        (lambda x: F.linear(torch.ones(2, 2), x), "input must be a decomposition, got a tensor"),
        (lambda x: F.conv1d(torch.ones(2, 2, 2), x), "input must be a decomposition, got a tensor"),
        (lambda x: F.dropout(x), "dropout must run in eval mode, got training mode"),
        (lambda x: F.max_pool1d(x, 2, return_indices=True), "max_pool1d_with_indices must have"),
    ],
)
def test_what_cannot_be_decomposed_is_refused(call, message):
    with pytest.raises(NoRuleError, match=message):
        call(Decomposed(torch.zeros(2, 2), torch.ones(2, 2)))


def test_a_layer_without_rules_is_named():
    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Tanh()), nn.Linear(4, 3)).double()
    with pytest.raises(NotImplementedError, match=r"layer '1\.0' \(Tanh\): tanh must have a rule"):
        CDEPLoss().of_model(model, batch())
