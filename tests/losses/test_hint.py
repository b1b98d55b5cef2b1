import pytest
import torch
from torch import nn

from pear_lightning.explainers import GradCAM, InputXGradient
from pear_lightning.losses import HINTLoss
from pear_lightning.masking import ColumnMasker, PatchMasker, SegmentMasker, Slic, TokenMasker
from pear_lightning.nn import MLP
from tests.losses import model_losses
from tests.reference import class_activation as reference
from tests.reference.right_reasons import input_gradient


def network():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.Softplus(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(36, 3),
    ).double()  # fmt: skip


def images(n=4):
    x, y = torch.rand(n, 2, 6, 6).double(), torch.randint(3, (n,))
    return x, y, (torch.rand(n, 6, 6) > 0.6).double()


def patches(values):
    """Sums over the 2 x 2 patches of (6, 6), row by row."""
    return torch.stack([
        values[i : i + 2, j : j + 2].sum() for i in range(0, 6, 2) for j in range(0, 6, 2)
    ])  # fmt: skip


@pytest.mark.parametrize("pooling", ["sum", "mean"])
def test_order_of_patches(pooling):
    model, (x, y, mask) = network(), images()
    loss = HINTLoss(PatchMasker(2, pooling=pooling), output="logit")
    _, loss = loss.of_model(model, (x, y, mask))
    alpha = [patches(input_gradient(model, *xy, "logit").sum(0)) for xy in zip(x, y, strict=True)]
    wanted = reference.hint(alpha, [patches(h) for h in mask])
    wanted = wanted / 8 if pooling == "mean" else wanted
    assert wanted > 0
    torch.testing.assert_close(loss, wanted)
    weights = [model[0].weight, model[4].weight]
    torch.testing.assert_close(
        torch.autograd.grad(loss, weights), torch.autograd.grad(wanted, weights)
    )


@pytest.mark.parametrize("size", [6, 3])
def test_order_of_the_positions_of_a_layer(size):
    model, (x, y, mask) = network(), images()
    cut = {6: 2, 3: 3}[size]
    cam = {"grad_cam": GradCAM(str(cut - 1), relu=False, resize=False)}
    _, loss = HINTLoss(explainers=cam, output="logit").of_model(model, (x, y, mask))
    maps = [
        reference.grad_cam(model[:cut], model[cut:], *xy).flatten() for xy in zip(x, y, strict=True)
    ]
    shares = [reference.shares(h, size).flatten() for h in mask]
    torch.testing.assert_close(loss, reference.hint(maps, shares))


def test_order_of_columns():
    model, x, y = MLP(6, 3, (8,), activation="tanh").double(), torch.rand(5, 6).double(), 0
    mask, target = torch.rand(5, 6) > 0.5, torch.full((5,), y)
    _, loss = HINTLoss(output="logit").of_model(model, (x, target, mask))
    alpha = [input_gradient(model, row, y, "logit") for row in x]
    torch.testing.assert_close(loss, reference.hint(alpha, mask.int()))
    columns = HINTLoss(ColumnMasker(6, [[0, 1], [3, 4, 5]]), output="logit")
    grouped = columns.of_model(model, (x, target, mask))[1]
    groups = [[row[:2].sum(), row[2], row[3:].sum()] for row in alpha]
    shares = [[row[:2].mean(), row[2], row[3:].mean()] for row in mask.double()]
    torch.testing.assert_close(grouped, reference.hint(groups, shares))
    both = {"first": InputXGradient(), "second": InputXGradient()}
    two = HINTLoss(explainers=both, output="logit").of_model(model, (x, target, mask))[1]
    times = [a * row for a, row in zip(alpha, x, strict=True)]
    torch.testing.assert_close(two, reference.hint(times, mask.int()))


def test_the_order_of_people_costs_nothing_and_has_no_scale():
    mask = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]])
    right = torch.tensor([[2.0, 9.0, -1.0, 1.9], [1, 2, 3, 4], [1, 2, 3, 4]], requires_grad=True)
    loss = HINTLoss()(right, mask=mask)
    loss.backward()
    assert loss.item() == 0
    assert not right.grad.any()
    assert HINTLoss()(1e-6 * right, mask=mask).item() == 0
    wrong = torch.tensor([[0.0, 1.0, 5.0, 0.0]])
    assert HINTLoss()(wrong, mask=mask[:1]).item() == 5 + 4


def test_derivatives():
    attributions, mask = torch.randn(3, 2, 4, 4).double().requires_grad_(), torch.rand(3, 4, 4)
    for loss in (HINTLoss(), HINTLoss(PatchMasker(2))):
        assert torch.autograd.gradcheck(lambda a, loss=loss: loss(a, mask=mask > 0.5), attributions)
        assert torch.autograd.gradgradcheck(
            lambda a, loss=loss: loss(a, mask=mask > 0.5), attributions
        )


@pytest.mark.parametrize("name", model_losses.CHECKS)
def test_contract(name):
    model_losses.CHECKS[name](HINTLoss(PatchMasker(2, 6)))


# whose other network has another name for the layer
OF_ANY_LAYER = sorted({*model_losses.CHECKS} - {"passes_keyword_tensors_with_their_rows"})


@pytest.mark.parametrize("name", OF_ANY_LAYER)
def test_contract_at_a_layer(name):
    cam = GradCAM("0", relu=False, resize=False)
    model_losses.CHECKS[name](HINTLoss(explainers={"grad_cam": cam}))


def test_what_cannot_be_used_is_refused():
    x, _, mask = images()
    with pytest.raises(ValueError, match=r"mask must hold zeros and ones only, got 0\.5"):
        HINTLoss()(x, mask=mask / 2)
    with pytest.raises(ValueError, match="must have the positions of inputs"):
        HINTLoss()(torch.rand(2, 5), mask=torch.ones(2, 4))
    with pytest.raises(ValueError, match="NaN"):
        HINTLoss()(torch.full((2, 5), float("nan")), mask=torch.ones(2, 5))
    with pytest.raises((ValueError, TypeError), match="segment"):
        HINTLoss(SegmentMasker(Slic(4)))(x, mask=mask)  # the images are not known
    assert HINTLoss()(x).item() == 0
    assert "PatchMasker" in repr(HINTLoss(PatchMasker(2)))


def test_regions_that_a_sample_lacks_have_no_order():
    """Tokens: special ones and padding are no regions, and only the batch knows them."""
    ids = torch.tensor([[1, 5, 6, 7, 2, 0], [1, 4, 2, 0, 0, 0]])
    table = torch.randn(8, 3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(18, 2))
    loss = HINTLoss(TokenMasker(special_token_ids=[0, 1, 2]), output="logit")
    mask = torch.zeros(2, 6)
    mask[0, 2] = mask[1, 1] = 1
    data = (table[ids], torch.tensor([0, 1]), mask, {}, {"input_ids": ids})
    weights = model[1].weight.view(2, 6, 3).sum(2)
    a, b, c = weights[0, 1:4]
    wanted = ((a - b).clamp(min=0) + (c - b).clamp(min=0)) / 2  # the second text has one token
    torch.testing.assert_close(loss.of_model(model, data)[1], wanted)
