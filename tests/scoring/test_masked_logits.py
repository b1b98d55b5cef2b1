"""Logits with features removed, in full or in part."""

import pytest
import torch
from torch import nn

from pear_lightning.functional.hashed_random import derived_seeds
from pear_lightning.masking import ColumnMasker, PatchMasker, TokenMasker
from pear_lightning.scoring import Batch
from pear_lightning.scoring.masked_logits import masked_logits

CASES = {
    "columns": (ColumnMasker(6), torch.randn(3, 6), {}),
    "groups": (ColumnMasker(6, [[1, 4], [2, 3]], baseline=2.0), torch.randn(3, 6), {}),
    "patches": (PatchMasker(2, (5, 4), baseline="own_mean"), torch.randn(3, 2, 5, 4), {}),
    "embeddings": (
        TokenMasker(),
        torch.randn(3, 4, 5),
        {"attention_mask": torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1], [1, 0, 0, 0]])},
    ),
}


class Model(nn.Module):
    def __init__(self, size):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Dropout(0.5), nn.Linear(size, 3), nn.Tanh())

    def forward(self, inputs, attention_mask=None):
        if attention_mask is not None:
            inputs = inputs * attention_mask[..., None]
        return self.layers(inputs.flatten(1))


def case(name):
    masker, inputs, kwargs = CASES[name]
    batch = Batch(inputs, forward_kwargs=kwargs)
    return masker.bind(inputs, kwargs), batch, Model(inputs[0].numel())


@pytest.mark.parametrize("name", CASES)
def test_shares_of_0_and_1_are_the_hard_removal(name):
    bound, batch, model = case(name)
    keep = torch.rand(2, 3, bound.n_features) < 0.5
    hard = masked_logits(model, batch, bound, keep, frozen=True)
    torch.testing.assert_close(masked_logits(model, batch, bound, keep.float(), frozen=True), hard)
    copies = bound.removed(keep | ~bound.present)
    for each, logits in zip(copies, hard, strict=True):
        torch.testing.assert_close(model.eval()(each, **batch.forward_kwargs), logits)


@pytest.mark.parametrize("name", CASES)
def test_a_share_mixes_the_feature_with_its_baseline(name):
    bound, batch, _ = case(name)
    share = torch.rand(1, 3, bound.n_features)

    def inputs_of(rows, **kwargs):
        return rows.flatten(1)

    mixed = masked_logits(inputs_of, batch, bound, share, frozen=True)[0].view_as(batch.inputs)
    none = torch.zeros(1, 3, bound.n_features, dtype=torch.bool)
    empty = bound.removed(none)[0]
    for feature in range(bound.n_features):
        inside = (bound.feature_map == feature).expand_as(mixed)
        for b in range(3):
            part = mixed[b][inside[b]]
            v = share[0, b, feature]
            wanted = v * batch.inputs[b][inside[b]] + (1 - v) * empty[b][inside[b]]
            torch.testing.assert_close(part, wanted)
    outside = (bound.feature_map == -1).expand_as(mixed)
    assert torch.equal(mixed[outside], batch.inputs[outside])


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_reaches_the_mask_and_no_weight_of_a_frozen_model(name):
    bound, batch, model = case(name)
    share = torch.full((1, 3, bound.n_features), 0.5, requires_grad=True)
    masked_logits(model, batch, bound, share, frozen=True).sum().backward()
    assert torch.equal(share.grad[0] != 0, bound.present)
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert model.training
    masked_logits(model, batch, bound, share, frozen=False).sum().backward()
    assert all((p.grad != 0).any() for p in model.parameters())


@pytest.mark.parametrize("name", CASES)
def test_samples_do_not_depend_on_the_batch(name):
    bound, batch, model = case(name)
    share = torch.rand(2, 3, bound.n_features)
    together = masked_logits(model, batch, bound, share, frozen=True)
    for b in range(3):
        one = batch.rows(slice(b, b + 1))
        alone = CASES[name][0].bind(one.inputs, one.sample_data)
        found = masked_logits(model, one, alone, share[:, b : b + 1], frozen=True)
        torch.testing.assert_close(found, together[:, b : b + 1])


def test_copies_have_their_own_draws_of_a_random_baseline():
    batch = Batch(torch.randn(2, 6))
    bound = ColumnMasker(6, baseline="gaussian").bind(batch.inputs)

    def inputs_of(rows):
        return rows

    hard = torch.zeros(3, 2, 6, dtype=torch.bool)
    for keep in (hard, hard.float()):
        first = masked_logits(inputs_of, batch, bound, keep, frozen=True)
        draws = derived_seeds(torch.arange(3), "copies")
        torch.testing.assert_close(first, bound.removed(hard, draws))
        other = masked_logits(inputs_of, batch, bound, keep, frozen=True, seed=1)
        draws = derived_seeds(torch.arange(3), "copies", 1)
        torch.testing.assert_close(other, bound.removed(hard, draws))
        assert len(torch.cat([first, other]).unique()) == 2 * first.numel()
        some = masked_logits(
            inputs_of, batch, bound, keep[1:], frozen=True, numbers=torch.tensor([1, 2])
        )
        torch.testing.assert_close(some, first[1:])
