"""Evaluations of a model with subsets of features removed, for learned explainers."""

import pytest
import torch
from torch import nn

from pear_lightning.explainers import ExplanationConfidence
from pear_lightning.masking import ColumnMasker, TokenMasker
from pear_lightning.scoring import (
    Batch,
    BernoulliLaw,
    FixedSizeLaw,
    PrefixLaw,
    ShapleyLaw,
    SingleRemovalLaw,
    UniformSizeLaw,
)
from pear_lightning.scoring.removals import Removals, law_code, remove_subsets

LAWS = [
    BernoulliLaw(),
    UniformSizeLaw(),
    FixedSizeLaw(0.5),
    PrefixLaw(),
    ShapleyLaw(full_weight=0.25),
    SingleRemovalLaw(),
]
MASK = torch.tensor([[1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1, 1, 1]])
BASELINES = ["gaussian", "uniform", "shuffle"]


class Text(nn.Module):
    """Reads embeddings ``(B, T, 6)``, and no padding."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2))

    def forward(self, inputs, attention_mask):
        return self.layers((inputs * attention_mask[..., None]).cumsum(1).sin().sum(1))


def texts(rows):
    """Return a text of three words and one of nine words."""
    inputs = torch.rand(2, 9, 6, generator=torch.Generator().manual_seed(1)) * MASK[..., None]
    return Batch(inputs[rows], torch.zeros(2).long()[rows], None, {"attention_mask": MASK[rows]})


def removals_of(rows, baseline, laws, seed):
    batch = texts(rows)
    bound = TokenMasker(baseline=baseline).bind(batch.inputs, batch.sample_data)
    saliency = torch.arange(9.0).expand(2, 9)[rows]
    return remove_subsets(Text(), batch, bound, laws, seed=seed, saliency=saliency)


def of_law(removals, code):
    """Return the removals of the first sample by one law, without padding."""
    used = (removals.laws[0] == code) & (removals.weights[0] > 0)
    parts = {name: each[:1] for name, each in removals.as_dict().items()}
    by_subset = {name: parts[name][:, used] for name in parts if name != "original"}
    return Removals(**parts | by_subset)


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("seed", [0, 1, 2**70])
def test_a_sample_has_the_same_removals_beside_a_longer_one(baseline, seed):
    """Enumerated beside drawn subsets, after other laws, and with the draws of their baseline."""
    laws = [(law, 16) for law in LAWS]
    together = removals_of(slice(0, 2), baseline, laws, seed)
    alone = removals_of(slice(0, 1), baseline, laws, seed)
    for number, law in enumerate(LAWS):
        found, own = (of_law(each, law_code(number, law)) for each in (together, alone))
        assert torch.equal(found.keep, own.keep)
        torch.testing.assert_close(found.logits, own.logits)
        torch.testing.assert_close(found.weights, own.weights)


@pytest.mark.parametrize("baseline", BASELINES)
def test_a_confidence_does_not_depend_on_a_longer_sample_beside(baseline):
    saliency = torch.rand(2, 9, generator=torch.Generator().manual_seed(2)) * MASK

    def confidence(rows):
        batch = texts(rows)
        bound = TokenMasker(baseline=baseline).bind(batch.inputs, batch.sample_data)
        return ExplanationConfidence()(Text(), batch, bound, saliency[rows])

    torch.testing.assert_close(confidence(slice(0, 2))[:1], confidence(slice(0, 1)))


def test_laws_and_seeds_have_different_draws_of_a_random_baseline():
    """Every feature removed: the copies are the draws themselves."""
    inputs = torch.rand(3, 4)
    bound = ColumnMasker(4, baseline="gaussian").bind(inputs)
    laws = [(FixedSizeLaw(1.0), 1)] * 3
    draws = [
        remove_subsets(lambda rows: rows, Batch(inputs), bound, laws, seed=seed).logits
        for seed in (0, 1, 2)
    ]
    values = torch.cat(draws, dim=1)
    assert values.shape == (3, 9, 4)
    assert len(values.unique()) == values.numel()


@pytest.mark.parametrize("shape", [(3, 40), (3, 40, 2)])
def test_removed_sums_have_the_precision_of_the_saliency_under_autocast(shape):
    inputs, saliency = torch.rand(3, 40), torch.rand(shape) + 3
    bound = ColumnMasker(40).bind(inputs)
    removals = remove_subsets(nn.Linear(40, 2), Batch(inputs), bound, [(UniformSizeLaw(), 16)])
    expected = removals.removed_sums(saliency)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = removals.removed_sums(saliency)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)


def test_a_confidence_is_the_same_under_autocast():
    model, inputs = nn.Linear(40, 2), torch.rand(20, 40)
    bound, batch = ColumnMasker(40).bind(inputs), Batch(inputs, torch.zeros(20).long())
    confidence = ExplanationConfidence(law=FixedSizeLaw(0.25), output="centered_logit")
    saliency = inputs * (model.weight[0] - model.weight[1]).detach() + 3
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert confidence(model, batch, bound, saliency).min() > 0.9999
