import pytest
import torch
from torch import nn

from pear_lightning.explainers import RandomAttributions, explain


def attributions_of(explainer, inputs):
    model = nn.Sequential(nn.Flatten(), nn.LazyLinear(2)).to(inputs)
    model(inputs)
    return explain(model, inputs, 1, [explainer])[1][0]


def test_standard_normal_and_independent():
    result = attributions_of(RandomAttributions(), torch.rand(4000, 5))
    torch.testing.assert_close(result.mean(0), torch.zeros(5), atol=0.08, rtol=0)
    torch.testing.assert_close(result.T.cov(), torch.eye(5), atol=0.12, rtol=0)


@pytest.mark.parametrize("shape", [(3,), (4, 5), (2, 3, 3)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_shape_and_dtype(shape, dtype):
    result = attributions_of(RandomAttributions(), torch.rand(2, *shape, dtype=dtype))
    assert result.shape == (2, *shape)
    assert result.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


def test_draws_follow_the_global_generator():
    results = []
    for seed in (1, 1, 2):
        inputs = torch.rand(3, 4)
        torch.manual_seed(seed)
        results.append(explain(nn.Flatten(), inputs, 0, [RandomAttributions()])[1][0])
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    assert RandomAttributions().stochastic


def test_with_a_seed_every_sample_gets_the_same_draw():
    inputs = torch.rand(3, 4)
    explainer = RandomAttributions(seed=7)
    together = attributions_of(explainer, inputs)
    alone = [attributions_of(explainer, row[None]) for row in inputs]
    assert torch.equal(together, torch.cat(alone))
    assert not explainer.stochastic
    together[0] = 0  # rows do not share memory
    assert (together[1] != 0).all()


def test_inference_mode():
    with torch.inference_mode():
        assert explain(nn.Flatten(), torch.rand(2, 3), 0, [RandomAttributions()])[1][0].ndim == 2


def test_with_a_seed_for_each_sample_draws_differ_and_do_not_depend_on_the_batch():
    explainer = RandomAttributions(seed=0, per_sample=True)
    inputs = torch.randn(400, 6)
    found = attributions_of(explainer, inputs)
    assert found.std(dim=0).min() > 0.8
    assert found.mean(dim=0).abs().max() < 0.2  # no feature is ahead of the others
    torch.testing.assert_close(attributions_of(explainer, inputs[5:7]), found[5:7])
    assert (attributions_of(RandomAttributions(seed=1, per_sample=True), inputs) != found).any()
    assert not explainer.stochastic
    ids = torch.arange(6).view(2, 3)
    assert explain(lambda ids: ids.double(), ids, 1, [explainer])[1][0].shape == (2, 3)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("shape", [(), (4,)])
def test_draws_of_a_text_do_not_depend_on_padding(side, shape):
    explainer = RandomAttributions(seed=0, per_sample=True)
    text, nothing = torch.randn(1, 3, *shape), torch.zeros(1, 2, *shape)
    parts = [nothing, text] if side == "left" else [text, nothing]
    mask = torch.tensor([[0, 0, 1, 1, 1] if side == "left" else [1, 1, 1, 0, 0]])

    def forward(inputs, attention_mask=None):
        return inputs.flatten(1)

    def draws(inputs, **data):
        return explain(forward, inputs, 0, [explainer], forward_kwargs=data)[1][0]

    padded = draws(torch.cat(parts, dim=1), attention_mask=mask)
    assert torch.equal(padded[mask.bool()], draws(text)[0])
