import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pear_lightning.explainers import (
    ExpectedGradients,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    explain,
)
from pear_lightning.losses import (
    DeepLassoLoss,
    DoubleBackpropagationLoss,
    EnergyLoss,
    ExpectedGradientsPrior,
    GraphSmoothnessPrior,
    RightReasonsLoss,
    SmoothnessPrior,
    SparsityPrior,
    XGradientPrior,
    right_reasons_loss,
)
from pear_lightning.losses.sparsity_prior import gini
from pear_lightning.masking import ColumnMasker
from pear_lightning.modules import RightForTheRightReasons
from pear_lightning.nn import MLP
from pear_lightning.scoring import Batch
from pear_lightning.training.row_sample import sample_rows
from tests.ddp import run_distributed
from tests.modules.helpers import loader, quiet_trainer, sgd
from tests.reference import right_reasons as reference

BACKGROUND = torch.zeros(2, 5).double()


def network():
    return MLP(5, 3, (8, 8), activation="softplus").double()


def rows(n=6):
    mask = (torch.rand(n, 5) > 0.6).double()
    mask[:, 0] = 1
    mask[:, 1] = 0
    return torch.rand(n, 5).double(), torch.randint(3, (n,)), mask


def expected():
    return {"expected_gradients": ExpectedGradients(2, BACKGROUND, seed=0)}


# --- each formula -----------------------------------------------------------------------------


def test_double_backpropagation():
    model, (x, y, _) = network(), rows()
    wanted = reference.double_backpropagation(model, x, y)
    loss = DoubleBackpropagationLoss().of_model(model, (x, y))[1]
    torch.testing.assert_close(loss, wanted)
    weights = list(model.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(loss, weights), torch.autograd.grad(wanted, weights)
    )


def test_expected_gradients_prior():
    model, (x, y, mask) = network(), rows()
    prior = ExpectedGradientsPrior(2, BACKGROUND, output="logit", seed=0)
    _, (phi,) = explain(model, x, y, list(expected().values()), create_graph=True)
    wanted = (phi * mask).abs().sum() / 6
    torch.testing.assert_close(prior.of_model(model, (x, y, mask))[1], wanted)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_gini(n):
    v = torch.rand(n).double().requires_grad_()
    torch.testing.assert_close(gini(v), reference.gini(v))
    assert torch.autograd.gradcheck(gini, (v,))
    assert gini(torch.zeros(n)).item() == 0
    assert gini(torch.full((n,), 3.0)).item() == pytest.approx(0, abs=1e-6)
    assert gini(torch.eye(n)[0]).item() == pytest.approx(1 - 1 / n)


def test_sparsity():
    model, (x, y, _) = network(), rows()
    _, (phi,) = explain(model, x, y, list(expected().values()), create_graph=True)
    loss = SparsityPrior(expected(), "logit").of_model(model, (x, y))[1]
    torch.testing.assert_close(loss, 1 - reference.gini(phi.abs().mean(0)))
    zeros = torch.zeros(3, 4, requires_grad=True)
    SparsityPrior()(zeros).backward()
    assert zeros.grad.isfinite().all()


def test_smoothness():
    phi = torch.randn(2, 4, 5).double().requires_grad_()
    torch.testing.assert_close(SmoothnessPrior()(phi), reference.total_variation(phi))
    torch.testing.assert_close(SmoothnessPrior()(phi[:, None]), reference.total_variation(phi))
    series = SmoothnessPrior(dims=(-1,))(phi)
    torch.testing.assert_close(series, (phi[..., 1:] - phi[..., :-1]).abs().mean())
    each = torch.stack([SmoothnessPrior()(row[None]) for row in phi])
    torch.testing.assert_close(SmoothnessPrior()(phi), each.mean())
    for shape in ((2, 6), (2, 1, 6), (2, 3, 6, 1)):
        with pytest.raises(ValueError, match="two or more values along each of the dimensions"):
            SmoothnessPrior()(torch.rand(shape))
    with pytest.raises(ValueError, match="at least one dimension"):
        SmoothnessPrior(dims=())


def adjacency():
    matrix = (torch.rand(5, 5) * (torch.rand(5, 5) > 0.4)).triu(1)
    matrix[0, 1] = 0.5
    return matrix + matrix.T + torch.diag(torch.rand(5))  # loops cancel in a Laplacian


def test_graph_smoothness():
    model, (x, y, _), matrix = network(), rows(), adjacency()
    _, (phi,) = explain(model, x, y, list(expected().values()), create_graph=True)
    prior = GraphSmoothnessPrior.from_adjacency(matrix, explainers=expected(), output="logit")
    wanted = reference.graph_roughness(phi.abs().mean(0), matrix.double())
    loss = prior.of_model(model, (x, y))[1]
    torch.testing.assert_close(loss, wanted)
    weights = list(model.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(loss, weights, allow_unused=True),
        torch.autograd.grad(wanted, weights, allow_unused=True),
    )
    both = GraphSmoothnessPrior([(2, 0), (0, 4)], torch.tensor([0.5, 3.0]))(phi, 2 * phi)
    v = phi.abs().mean(0)
    squares = 0.5 * (v[0] - v[2]) ** 2 + 3 * (v[4] - v[0]) ** 2
    torch.testing.assert_close(both, (1 + 4) / 2 * squares)  # the mean over explanations


def test_graph_smoothness_of_every_sample():
    phi, matrix = torch.randn(4, 5).double(), adjacency()
    prior = GraphSmoothnessPrior.from_adjacency(matrix, over="samples")
    each = [reference.graph_roughness(row.abs(), matrix.double()) for row in phi]
    torch.testing.assert_close(prior(phi), sum(each) / 4)
    alone = torch.stack([prior(row[None]) for row in phi])
    torch.testing.assert_close(prior(phi), alone.mean())  # no sample knows of another
    assert GraphSmoothnessPrior.from_adjacency(matrix)(phi) <= prior(phi)
    torch.testing.assert_close(prior(phi.view(4, 5, 1)), prior(phi))


@pytest.mark.parametrize("over", ["batch", "samples"])
def test_derivatives_of_graph_smoothness(over):
    prior = GraphSmoothnessPrior([(0, 1), (1, 2), (3, 4)], [1.0, 0.0, 2.5], over=over)
    phi = torch.randn(3, 5).double().requires_grad_()
    assert torch.autograd.gradcheck(prior, (phi,))
    assert torch.autograd.gradgradcheck(prior, (phi,))
    zeros = torch.zeros(3, 5, requires_grad=True)
    prior(zeros).backward()
    assert zeros.grad.isfinite().all()


@pytest.mark.parametrize(
    ("edges", "weights", "message"),
    [
        ([], None, r"one pair of features or more, \(E, 2\), got \(0,\)"),
        ([(0, 1, 2)], None, r"got \(1, 3\)"),
        ([(0, -1)], None, "integers from 0 on, got torch.int64 from -1"),
        ([(0, 1.5)], None, "integers from 0 on, got torch.float32"),
        ([(0, 1), (2, 2)], None, r"connect different features, got \(2, 2\)"),
        ([(0, 1), (2, 1), (1, 0)], None, r"each pair once, in either direction, got \(0, 1\)"),
        ([(0, 1)], [1.0, 2.0], r"one number for each edge, \(1,\), got \(2,\)"),
        ([(0, 1)], [-2.0], "at least 0 and finite, got -2"),
        ([(0, 1)], [float("nan")], "at least 0 and finite, got nan"),
    ],
)
def test_what_is_no_graph_is_refused(edges, weights, message):
    with pytest.raises(ValueError, match=message):
        GraphSmoothnessPrior(edges, weights)


def test_what_is_no_adjacency_is_refused():
    for matrix, message in (
        (torch.ones(2, 3), r"square matrix \(n, n\), got \(2, 3\)"),
        (torch.tensor([[0.0, 1], [2, 0]]), r"symmetric, got 1 at \(0, 1\) and 2 at \(1, 0\)"),
        (torch.tensor([[0.0, -1], [-1, 0]]), "at least 0 and finite, got -1"),
        (torch.tensor([[0.0, float("nan")], [float("nan"), 0]]), "finite, got nan"),
        (torch.eye(3), "one pair of features or more"),
    ):
        with pytest.raises(ValueError, match=message):
            GraphSmoothnessPrior.from_adjacency(matrix)
    sparse = adjacency().to_sparse()
    dense = GraphSmoothnessPrior.from_adjacency(sparse.to_dense())
    assert torch.equal(GraphSmoothnessPrior.from_adjacency(sparse).weights, dense.weights)
    with pytest.raises(ValueError, match=r"must name features 0 to 4 of .* got feature 7"):
        GraphSmoothnessPrior([(0, 7)])(torch.rand(2, 5))
    with pytest.raises(ValueError, match=r"over must be one of .*, got 'rows'"):
        GraphSmoothnessPrior([(0, 1)], over="rows")
    assert not GraphSmoothnessPrior([(0, 1)]).state_dict()  # a graph is a setting


def test_energy():
    phi = torch.randn(4, 3, 5, 5).double()
    box = torch.zeros(4, 5, 5).double()
    box[:, 1:4, 2:] = 1
    wanted = reference.energy(phi.sum(1), box)
    torch.testing.assert_close(EnergyLoss("relevant")(phi, mask=box), wanted)
    torch.testing.assert_close(EnergyLoss()(phi, mask=1 - box), wanted)
    torch.testing.assert_close(EnergyLoss()(1e-40 * phi, mask=1 - box), wanted)  # any scale
    each = [EnergyLoss()(phi[n : n + 1], mask=box[n : n + 1]) for n in range(4)]
    torch.testing.assert_close(EnergyLoss()(phi, mask=box), torch.stack(each).mean())


@pytest.mark.parametrize("marks", ["relevant", "irrelevant"])
def test_energy_of_rows_that_say_nothing(marks):
    phi = torch.tensor([[1.0, 2.0], [-1.0, -2.0], [0.0, 0.0]], requires_grad=True)
    mask = torch.tensor([[0, 0], [1, 0], [1, 0]])  # not annotated; nothing positive; nothing
    loss = EnergyLoss(marks)(phi, mask=mask)
    loss.backward()
    assert loss.item() == 0
    assert not phi.grad.any()
    with pytest.raises(ValueError, match=r"marks must be one of .*, got 'inside'"):
        EnergyLoss("inside")


# --- X-Gradient -------------------------------------------------------------------------------

PLAIN_PRIORS = [
    SparsityPrior(),
    GraphSmoothnessPrior([(0, 4)]),
    EnergyLoss(),
    ExpectedGradientsPrior(),
]


def bias_free():
    return nn.Sequential(
        nn.Linear(5, 8, bias=False), nn.ReLU(), nn.Linear(8, 8, bias=False), nn.LeakyReLU(),
        nn.Linear(8, 3, bias=False),
    ).double()  # fmt: skip


def test_without_biases_input_x_gradient_is_the_integrated_gradient():
    model, (x, y, mask) = bias_free(), rows()
    explainers = [InputXGradient(), IntegratedGradients(7, baseline="zeros")]
    logits, (fast, slow) = explain(model, x, y, explainers, output="centered_logit")
    torch.testing.assert_close(fast, slow)
    centred = logits - logits.mean(dim=1, keepdim=True)
    torch.testing.assert_close(fast.sum(1), centred.gather(1, y[:, None]).squeeze(1))
    for prior in PLAIN_PRIORS:
        loss = XGradientPrior(prior)
        value = loss.of_model(model, (x, y, mask))[1]
        torch.testing.assert_close(value, prior(slow, mask=mask))
        assert loss.needs_mask == prior.needs_mask
        assert not loss.of_model(model, (x, y, mask))[1].isnan()


@pytest.mark.parametrize("model", [MLP(5, 3, (8,)), MLP(5, 3, (8,), activation="tanh")])
def test_networks_that_are_not_homogeneous_are_refused(model):
    x, y, _ = rows()
    message = r"must be a homogeneous network.*here: layers.0.bias, layers.2.bias"
    with pytest.raises(ValueError, match=message):
        XGradientPrior(SparsityPrior()).of_model(model, (x.float(), y))
    with pytest.raises(TypeError, match="prior must be a loss of attributions, got Linear"):
        XGradientPrior(nn.Linear(2, 2))


@pytest.mark.parametrize("norm", [nn.BatchNorm1d(8), nn.BatchNorm1d(8, affine=False), None])
def test_networks_that_are_homogeneous_at_first_only_are_refused(norm):
    """Biases and running means are 0 before training, and are not looked at again after it."""
    model = nn.Sequential(
        nn.Linear(5, 8, bias=norm is None), norm or nn.Identity(), nn.ReLU(),
        nn.Linear(8, 3, bias=False),
    )  # fmt: skip
    if norm is None:
        nn.init.zeros_(model[0].bias)
    x, y, _ = rows()
    before = copy.deepcopy(model.state_dict())
    random = torch.get_rng_state()
    with pytest.raises(ValueError, match=r"homogeneous .*with its present weights but not"):
        XGradientPrior(SparsityPrior()).of_model(model, (x.float(), y))
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), random)
    assert model.training


def test_a_network_is_checked_once():
    calls = []
    model = bias_free()
    model.register_forward_hook(lambda *_: calls.append(1))
    loss, (x, y, _) = XGradientPrior(SparsityPrior()), rows()
    counts = []
    for _ in range(3):
        loss.of_model(model, (x, y))
        counts.append(len(calls))
    assert counts == [7, 8, 9]  # three for each of two settings of the weights


def test_x_gradient_has_the_contract_of_its_prior():
    prior = RightReasonsLoss(reduction="sum")
    loss = XGradientPrior(prior)
    assert loss.reduces_rows_by == "sum"
    assert XGradientPrior(RightReasonsLoss(reduction="mask")).reduces_rows_by == "annotated"
    for each in (prior, DeepLassoLoss(), SparsityPrior()):
        wrapped = XGradientPrior(each)
        for name in ("needs_mask", "needs_classes", "trains_half_weights", "default_weight"):
            assert getattr(wrapped, name) == getattr(each, name)
    model, (x, y, _) = bias_free(), rows(16)
    groups, marks = ColumnMasker(5, [[0, 1], [2], [3, 4]]), F.one_hot(torch.arange(16) % 3, 3)
    assert loss.with_masks_of(groups) is loss
    assert loss.mask_features is groups
    elements = marks[:, [0, 0, 1, 2, 2]]
    wanted = RightReasonsLoss(reduction="sum", output="centered_logit",
                              explainers={"x": InputXGradient()})  # fmt: skip
    value = loss.of_model(model, (x, y, marks))[1]
    torch.testing.assert_close(value, wanted.of_model(model, (x, y, elements))[1])
    batch = Batch(x, y, marks)
    parts = [sample_rows(batch, loss, 4, step=step, rank=0) for step in range(400)]
    estimates = [part.scale * loss.of_model(model, part.batch)[1] for part in parts]
    assert torch.stack(estimates).mean().item() == pytest.approx(value.item(), rel=0.1)


# --- that they train --------------------------------------------------------------------------

PRIORS = [
    DoubleBackpropagationLoss(),
    ExpectedGradientsPrior(1, BACKGROUND, seed=0),
    SparsityPrior(expected()),
    SmoothnessPrior(expected(), dims=(-1,)),
    GraphSmoothnessPrior([(0, 1), (2, 4)], explainers=expected()),
    GraphSmoothnessPrior([(0, 1), (2, 4)], over="samples", explainers=expected()),
    EnergyLoss(),
]


@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: type(prior).__name__)
def test_they_reach_the_weights_and_work_in_inference_mode(prior):
    model, (x, y, mask) = network(), rows()
    loss = prior.of_model(model, (x, y, mask))[1]
    loss.backward()
    weights = [p for name, p in model.named_parameters() if "weight" in name]
    assert all(p.grad.any() for p in weights)
    with torch.inference_mode():
        again = prior.of_model(model, (x.clone(), y, mask))[1]
    torch.testing.assert_close(again, loss.detach())
    with torch.no_grad():
        for p in model.parameters():
            p -= 0 if p.grad is None else 1e-3 * p.grad
    assert prior.of_model(model, (x, y, mask))[1] < loss


@pytest.mark.filterwarnings("ignore:ExpectedGradientsPrior had no part")  # there are no masks
@pytest.mark.parametrize("prior", [SparsityPrior(), ExpectedGradientsPrior()])
def test_their_background_comes_from_the_training_data(prior):
    model = RightForTheRightReasons(MLP(6, 2, (8,)), 0.1, prior, optimizer=sgd)
    quiet_trainer(max_epochs=1).fit(model, loader(48), loader(16, seed=1))
    assert len(prior.explainers["expected_gradients"].background) == 48


@pytest.mark.parametrize(
    "build",
    [
        SparsityPrior,
        SmoothnessPrior,
        lambda explainers: GraphSmoothnessPrior([(0, 1)], explainers=explainers),
    ],
)
def test_an_empty_mapping_of_explainers_is_not_the_default(build):
    with pytest.raises(ValueError, match="explainers must hold at least one explainer, got none"):
        build({})
    (default,) = build(None).explainers.values()
    assert isinstance(default, ExpectedGradients)
    assert default.n_samples == 1


def test_a_prior_that_is_the_right_reasons_loss_of_another_explanation():
    model, (x, y, mask) = network(), rows()
    _, (g,) = explain(model, x, y, [Gradient()], create_graph=True)
    prior = ExpectedGradientsPrior(1, BACKGROUND).explain_with({"gradient": Gradient()}, "logit")
    wanted = right_reasons_loss(g, mask, "l1")
    torch.testing.assert_close(prior.of_model(model, (x, y, mask))[1], wanted)


def gradients_of_a_batch_loss(rank, world_size, prior):
    torch.manual_seed(0)
    model, (x, y, _) = network(), rows(8)
    wrapped = nn.parallel.DistributedDataParallel(model) if world_size > 1 else model
    x, y = x[rank::world_size], y[rank::world_size]
    task = nn.functional.cross_entropy(wrapped(x), y)
    loss = prior.of_model(model, (x, y))[1]
    (task + loss).backward()
    return loss.item(), [p.grad for p in model.parameters()]


@pytest.mark.ddp
@pytest.mark.parametrize(
    "prior",
    [
        SparsityPrior(expected()),
        GraphSmoothnessPrior([(0, 1), (2, 4)], explainers=expected()),
        DeepLassoLoss(),
    ],
)
def test_a_batch_loss_of_two_ranks_is_that_of_one(prior):
    """It is no mean over rows, so every rank must know the others' attributions."""
    alone, gradients = gradients_of_a_batch_loss(0, 1, prior)
    for loss, of_rank in run_distributed(gradients_of_a_batch_loss, prior):
        assert loss == pytest.approx(alone)
        torch.testing.assert_close(of_rank, gradients)
