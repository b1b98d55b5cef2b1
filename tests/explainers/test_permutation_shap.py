"""PermutationShap: exact over all orders, unbiased and efficient with few."""

from itertools import permutations

import pytest
import torch

from pear_lightning.explainers import KernelShap, PermutationShap, explain
from pear_lightning.masking import ColumnMasker, TokenMasker
from pear_lightning.scoring import Batch, Scorer, resolve_output
from pear_lightning.scoring.game import Game as Players
from tests.losses.test_local_correlation import Game

N = 5


def of(explainer, inputs, model=None):
    return explain(Game(N) if model is None else model, inputs, 0, [explainer])[1][0]


def test_the_mean_of_many_orders_are_the_shapley_values():
    inputs = torch.randn(3, N)
    exact = of(KernelShap(2**N), inputs)
    found = of(PermutationShap(4 * 3000), inputs)
    assert (found - exact).abs().max() < 0.05 * exact.abs().max()


def test_one_order_gives_the_differences_along_it():
    class Fixed(PermutationShap):
        def uniform(self, n_draws, size, inputs, seed):
            return torch.tensor([0.3, 0.9, 0.1, 0.5, 0.2]).expand(n_draws, len(inputs), size)

    inputs, game = torch.randn(1, N), Game(N)
    found = of(Fixed(5, paired=False), inputs)
    point, before = torch.zeros(1, N), game(torch.zeros(1, N)).item()
    for player in (2, 4, 0, 3, 1):
        point[0, player] = inputs[0, player]
        assert found[0, player].item() == pytest.approx(game(point).item() - before, abs=1e-5)
        before = game(point).item()


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("n_samples", [1, 9, 40])
def test_values_sum_to_the_difference_within_the_budget(paired, n_samples):
    rows = []

    def model(inputs):
        rows.append(len(inputs))
        return Game(N)(inputs)

    inputs = torch.randn(4, N)
    found = of(PermutationShap(n_samples, paired=paired, masker=ColumnMasker(N)), inputs, model)
    gap = Game(N)(inputs) - Game(N)(torch.zeros(1, N))
    torch.testing.assert_close(found.sum(dim=1), gap[:, 0], atol=1e-4, rtol=1e-4)
    assert sum(rows) <= 4 * (1 + max(n_samples, N))


def test_pairs_are_reversed_orders():
    inputs = torch.randn(200, 4)
    scorer = Scorer(Game(4), Batch(inputs), resolve_output("logit"))
    explainer = PermutationShap(masker=ColumnMasker(4))
    with torch.no_grad():  # else all samples share the orders
        places = explainer._places(Players(scorer, ColumnMasker(4).bind(inputs)), 60)
    assert torch.equal(places[::2], 3 - places[1::2])
    codes = (places[::2] * 4 ** torch.arange(4)).sum(dim=-1).flatten()
    counts = codes.unique(return_counts=True)[1]
    assert len(counts) == len(list(permutations(range(4))))
    stats = pytest.importorskip("scipy.stats")
    assert stats.chisquare(counts.double()).pvalue > 0.01


def test_a_seed_makes_results_independent_of_the_batch():
    inputs = torch.randn(4, N)
    explainer = PermutationShap(20, masker=ColumnMasker(N), seed=3)
    alone = torch.cat([of(explainer, row[None]) for row in inputs])
    torch.testing.assert_close(of(explainer, inputs), alone)


def test_texts_of_different_lengths():
    def model(ids):
        return (ids == 5).float().sum(dim=1, keepdim=True) + (ids == 7).float()[:, :1]

    ids = torch.tensor([[5, 6, 7, 8], [5, 5, 0, 0], [7, 0, 0, 0]])
    masker = TokenMasker(4, pad_token_id=0)
    mask = {"attention_mask": (ids != 0).long()}
    _, (found,) = explain(model, ids, 0, [PermutationShap(12, masker=masker)], masker_kwargs=mask)
    wanted = torch.tensor([[1.0, 0, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0]])
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("n_samples", [None, 12, 200])
def test_a_text_does_not_depend_on_the_longest_of_its_batch(n_samples):
    torch.manual_seed(0)
    table = torch.randn(40, 6)
    second = torch.randn(6, 6)

    def model(ids, attention_mask):
        found = (table[ids] * attention_mask[..., None]).sum(dim=1)
        return (found @ second * found).sum(dim=1, keepdim=True).tanh()

    rows = [torch.randint(5, 40, (length,)) for length in (2, 5, 9, 1, 30)]
    masker = TokenMasker(1, pad_token_id=0)
    explainer = PermutationShap(n_samples, masker=masker, seed=0)

    def of(texts):
        ids = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True)
        data = {"attention_mask": (ids != 0).long()}
        return explain(model, ids, 0, [explainer], forward_kwargs=data)[1][0]

    together = of(rows)
    for number, row in enumerate(rows):
        torch.testing.assert_close(of([row])[0], together[number, : len(row)])
        gain = model(row[None], torch.ones(1, len(row))) - model(
            torch.ones_like(row)[None], torch.ones(1, len(row))
        )
        torch.testing.assert_close(together[number].sum(), gain[0, 0], atol=1e-5, rtol=1e-4)


def test_bad_arguments():
    with pytest.raises(ValueError, match="n_samples must be"):
        PermutationShap(0)
    with pytest.raises(ValueError, match="baseline must be None"):
        PermutationShap(baseline="zeros", masker=ColumnMasker(3))
