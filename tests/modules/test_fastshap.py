"""FastSHAP: its loss, the law of its subsets, and games whose Shapley values are known."""

from math import comb

import pytest
import torch
from torch.utils.data import DataLoader

from pear_lightning.explainers import KernelShap, explain
from pear_lightning.functional.efficient_normalization import efficient_normalization
from pear_lightning.masking import ColumnMasker
from pear_lightning.modules import FastSHAP, Surrogate
from pear_lightning.nn import MLP, ExplainerMLP
from pear_lightning.scoring.removals import remove_subsets
from tests.losses.test_local_correlation import Game
from tests.modules.helpers import quiet_trainer
from tests.reference import learned_explainers as reference

N = 8


def adam(params):
    return torch.optim.Adam(params, lr=3e-3)


def f(n=N):
    torch.manual_seed(1)
    return MLP(n, 3, hidden_features=(16,), activation="gelu", dropout=0.5)


def build(target=None, n=N, **kwargs):
    target = f(n) if target is None else target
    torch.manual_seed(2)
    network = ExplainerMLP(n, hidden_features=(16,), num_classes=3, per_class=True)
    return FastSHAP(target, network, ColumnMasker(n), **{"optimizer": adam} | kwargs)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("penalty", [0.0, 0.5])
def test_equals_the_formula(normalize, penalty):
    inputs = torch.randn(4, N)
    model = build(n_subsets=10, normalize=normalize, efficiency_weight=penalty)
    read = model.batch_of(inputs)
    found = model.evaluation_loss(read)["loss"]
    removals = remove_subsets(model.game, read.batch, read.bound, model.laws)
    phi, target = model.explainer.saliency(inputs), f().eval()
    wanted = []
    for b in range(4):
        subsets = [set(row.nonzero().flatten().tolist()) for row in removals.keep[b, :10]]
        for c in range(3):

            def value(kept, b=b, c=c):
                point = torch.zeros(N)
                point[list(kept)] = inputs[b, list(kept)]
                return target(point[None]).softmax(dim=1)[0, c].item()

            wanted.append(
                reference.fastshap_loss(phi[b, :, c].tolist(), subsets, value, normalize, penalty)
            )
    assert found.item() == pytest.approx(sum(wanted) / len(wanted), rel=1e-4)


def test_subsets_follow_the_shapley_kernel_in_pairs_and_the_empty_one_is_last():
    chi2 = pytest.importorskip("scipy.stats").chisquare
    model = build(n_subsets=32)
    read = model.batch_of(torch.randn(300, N))
    keep = remove_subsets(model.game, read.batch, read.bound, model.laws, seed=5).keep
    assert not keep[:, -1].any()
    assert torch.equal(keep[:, :-1:2], ~keep[:, 1:-1:2])
    first = keep[:, :-1:2].sum(dim=2).flatten()
    weights = torch.tensor([1 / (k * (N - k)) for k in range(1, N)]).double()
    expected = weights / weights.sum() * len(first)
    assert chi2(first.bincount(minlength=N)[1:].double(), expected.double()).pvalue > 0.01
    of_size_3 = keep[:, :-1:2][keep[:, :-1:2].sum(dim=2) == 3]
    counts = (of_size_3.long() @ (2 ** torch.arange(N))).unique(return_counts=True)[1]
    assert len(counts) == comb(N, 3)
    assert chi2(counts.double()).pvalue > 0.01


def test_shapley_values_are_the_minimum():
    """With all subsets, the loss has no gradient at the Shapley values of a game."""
    n = 5
    game, inputs = Game(n), torch.randn(6, n)
    _, (truth,) = explain(game, inputs, 0, [KernelShap(2**n)])

    class Free(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.values = torch.nn.Parameter(truth.clone()[..., None])

        def forward(self, inputs):
            return self.values

    def loss_at(change):
        network = Free()
        network.values.data += change
        model = FastSHAP(game, network, ColumnMasker(n), n_subsets=2**n, output="logit")
        loss = model.training_loss(model.batch_of(inputs))["loss"]
        loss.backward()
        return loss, network.values.grad

    at, gradient = loss_at(0)
    assert gradient.abs().max() < 1e-3
    assert all(loss_at(0.1 * torch.randn(6, n, 1))[0] > at for _ in range(5))


def test_a_network_finds_the_contributions_of_a_linear_model_and_their_sum():
    weights = torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0, -1.0, 0.2, 0.7])

    def model_of(inputs):
        return torch.stack([torch.zeros(len(inputs)), inputs @ weights], dim=1)

    torch.manual_seed(0)
    network = ExplainerMLP(N, hidden_features=(32,), num_classes=2, per_class=True)
    model = FastSHAP(
        model_of, network, ColumnMasker(N), n_subsets=8, output="logit",
        optimizer=lambda params: torch.optim.Adam(params, lr=1e-2),
    )  # fmt: skip
    rows = torch.randn(512, N)
    quiet_trainer(max_epochs=15).fit(model, DataLoader(rows, batch_size=32))
    inputs = torch.randn(100, N)
    found = model.explainer.saliency(inputs)
    assert torch.cosine_similarity(found[..., 1], inputs * weights).mean() > 0.97
    errors = found.sum(dim=1) - torch.stack([torch.zeros(100), inputs @ weights], dim=1)
    assert errors.square().mean() < 0.03 * (inputs @ weights).square().mean()


@pytest.mark.slow
def test_a_network_learns_the_shapley_values_of_a_game_of_12_features():
    n = 12
    game = Game(n)
    torch.manual_seed(0)
    network = ExplainerMLP(n, hidden_features=(128, 128), num_classes=1, per_class=True)
    model = FastSHAP(
        game, network, ColumnMasker(n), output="logit",
        optimizer=lambda params: torch.optim.Adam(params, lr=2e-3),
    )  # fmt: skip
    rows = torch.randn(8192, n)
    quiet_trainer(max_epochs=40).fit(model, DataLoader(rows, batch_size=256, shuffle=True))
    inputs = torch.randn(100, n)
    _, (truth,) = explain(game, inputs, 0, [KernelShap(2**n)])  # all coalitions
    found = model.explainer.saliency(inputs)[..., 0]
    assert torch.cosine_similarity(found, truth).mean() > 0.97


def test_the_surrogate_is_evaluated_instead_of_the_model():
    surrogate = Surrogate(f(), f(), ColumnMasker(N))

    def fails(inputs):
        raise AssertionError("f must not be evaluated")

    model = build(fails, surrogate=surrogate)
    quiet_trainer(max_epochs=1).fit(model, DataLoader(torch.randn(16, N), batch_size=8))
    assert all(each.grad is None for each in surrogate.parameters())
    own = build().evaluation_loss(build().batch_of(torch.randn(4, N)))
    assert own["loss"].isfinite()
    names = {name for name, _ in model.named_parameters()}
    assert all(name.startswith("backbone.") for name in names)


def test_one_class_is_explained():
    torch.manual_seed(2)
    model = FastSHAP(f(), ExplainerMLP(N), ColumnMasker(N), explained="predicted", n_subsets=6)
    inputs = torch.randn(5, N)
    parts = model.training_loss(model.batch_of(inputs))
    assert parts["loss"].isfinite()
    assert model.explainer.saliency(inputs).shape == (5, N)


def test_features_at_the_baseline_have_no_score_and_no_share():
    inputs = torch.randn(5, N)
    inputs[0, :3] = 0
    inputs[1] = 0  # a sample without information
    model = build()
    parts = model.training_loss(model.batch_of(inputs))
    parts["loss"].backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    assert (model.explainer.saliency(inputs)[0, :3] == 0).all()


def test_normalisation_is_a_projection():
    scores, total = torch.randn(4, 6, 2), torch.randn(4, 2)
    active = torch.rand(4, 6) < 0.7
    active[0] = False
    found = efficient_normalization(scores, total, active)
    torch.testing.assert_close(found[1:].sum(dim=1), total[1:])
    assert torch.equal(found[0], scores[0])
    assert torch.equal(found[~active], scores[~active])
    torch.testing.assert_close(efficient_normalization(found, total, active), found)


def test_bad_arguments():
    with pytest.raises(ValueError, match="n_subsets must be"):
        build(n_subsets=0)
    with pytest.raises(ValueError, match="efficiency_weight must be"):
        build(efficiency_weight=-1.0)
    with pytest.raises(TypeError, match=r"^surrogate must be callable"):
        build(surrogate=3)
    surrogate = MLP(N, 2)
    model = FastSHAP(f(), ExplainerMLP(N), ColumnMasker(N), surrogate, explained="predicted")
    with pytest.raises(ValueError, match="the surrogate's classes, got values from 0 to 2"):
        model.training_loss(model.batch_of(torch.randn(4, N)))
