from itertools import pairwise

import pytest
import torch
from torch import nn

from pear_lightning.explainers import KernelShap, explain
from pear_lightning.functional.coalitions import all_coalitions, shapley_kernel, with_ends
from pear_lightning.functional.least_squares import shapley_regression, weighted_least_squares
from pear_lightning.scoring import ShapleyLaw
from tests.reference import shapley


def interacting(inputs):
    """Two outputs with products, a kink and a three-way interaction."""
    a, b, c, *rest = inputs.unbind(1)
    rest = sum(rest, torch.zeros_like(a))
    return torch.stack([a * b - c.relu() + a * b * c, (a + 2 * b * c + rest).tanh()], dim=1)


def mlp(n_features, n_classes=2):
    return nn.Sequential(nn.Linear(n_features, 16), nn.GELU(), nn.Linear(16, n_classes))


def attributions_of(explainer, model, inputs, target=1, **kwargs):
    return explain(model, inputs, target, [explainer], **kwargs)[1][0]


def numbers(batch_size, seed=None):
    """Random numbers as an explainer of elements draws them."""
    inputs = torch.empty(batch_size, 1)
    draw = torch.no_grad()(KernelShap().uniform)
    return lambda n_draws, size: draw(n_draws, size, inputs, seed)


def exact(model, inputs, baseline, target, method=shapley.shapley_by_subsets):
    rows = []
    for row in inputs:

        def value(coalition, row=row):
            point = baseline.clone()
            for i in coalition:
                point[i] = row[i]
            return model(point[None])[0, target].item()

        rows.append(method(value, len(row)))
    return torch.tensor(rows)


@pytest.mark.parametrize("n_features", [3, 4, 5])
@pytest.mark.parametrize(
    "method",
    [shapley.shapley_by_subsets, shapley.shapley_by_permutations],
    ids=["subsets", "orders"],
)
def test_enumeration_gives_exact_shapley_values(n_features, method):
    inputs, baseline = torch.randn(3, n_features), torch.randn(n_features)
    result = attributions_of(KernelShap(2**n_features, baseline), interacting, inputs)
    expected = exact(interacting, inputs, baseline, 1, method)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-4)


def test_many_samples_approach_exact_shapley_values():
    model, inputs = mlp(6), torch.randn(4, 6)
    expected = attributions_of(KernelShap(64), model, inputs)
    for paired in (True, False):
        explainer = KernelShap(20_000, exhaustive=False, paired=paired)
        result = attributions_of(explainer, model, inputs)
        assert (result - expected).norm() < 0.02 * expected.norm()


def test_pairs_lower_the_error():
    model, inputs = mlp(8), torch.randn(50, 8)
    expected = attributions_of(KernelShap(256), model, inputs)
    paired, unpaired = (
        (attributions_of(KernelShap(100, paired=paired), model, inputs) - expected).norm()
        for paired in (True, False)
    )
    assert paired < 0.8 * unpaired


@pytest.mark.parametrize("n_samples", [2, 5, 12, 60, 256])
@pytest.mark.parametrize("seed", [None, 3])
def test_sum_is_the_difference_from_the_baseline(n_samples, seed):
    model, inputs, baseline = mlp(8), torch.randn(5, 8), torch.randn(8)
    result = attributions_of(KernelShap(n_samples, baseline, seed=seed), model, inputs)
    difference = (model(inputs) - model(baseline[None]))[:, 1]
    torch.testing.assert_close(result.sum(1), difference, atol=1e-5, rtol=1e-4)
    assert result.isfinite().all()


@pytest.mark.parametrize("exhaustive", [True, False])
def test_additive_model_gives_the_terms(exhaustive):
    terms = [torch.sin, torch.exp, torch.square, torch.abs]

    def model(inputs):
        return sum(term(column) for term, column in zip(terms, inputs.unbind(1), strict=True))

    inputs, baseline = torch.randn(6, 4), torch.randn(4)
    explainer = KernelShap(60, baseline, exhaustive=exhaustive)
    result = attributions_of(explainer, model, inputs, None)
    expected = torch.stack(
        [term(inputs[:, i]) - term(baseline[i]) for i, term in enumerate(terms)], dim=1
    )
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-4)


def test_a_feature_at_its_baseline_has_no_value():
    inputs = torch.randn(4, 5)
    inputs[:, 2] = 0.7
    result = attributions_of(KernelShap(32, 0.7), mlp(5), inputs)
    torch.testing.assert_close(result[:, 2], torch.zeros(4), atol=1e-6, rtol=0)


def test_symmetric_features_share_equally():
    result = attributions_of(KernelShap(), lambda x: x.prod(1), torch.ones(1, 5), None)
    torch.testing.assert_close(result, torch.full((1, 5), 0.2))


def test_undetermined_regression_is_solved_by_the_least_norm():
    inputs = torch.randn(3, 30)
    result = attributions_of(KernelShap(8, seed=0), mlp(30), inputs)
    assert result.isfinite().all()
    # with two coalitions nothing is known but the sum
    result = attributions_of(KernelShap(2), mlp(30), inputs)
    torch.testing.assert_close(result, result.mean(1, keepdim=True).expand(3, 30))


def test_one_feature():
    model, inputs = mlp(1), torch.randn(4, 1)
    for explainer in (KernelShap(), KernelShap(exhaustive=False), KernelShap(2)):
        result = attributions_of(explainer, model, inputs)
        torch.testing.assert_close(result[:, 0], (model(inputs) - model(torch.zeros(1, 1)))[:, 1])


def test_mean_baseline_is_taken_from_the_training_data():
    explainer, model = KernelShap(16, "mean"), mlp(4)
    assert explainer.uses_training_data
    assert not KernelShap().uses_training_data
    inputs, mean = torch.randn(3, 4), torch.randn(4)
    with pytest.raises(RuntimeError, match="baseline='mean'"):
        attributions_of(explainer, model, inputs)
    explainer.fit_reference(mean, torch.empty(0, 4))
    torch.testing.assert_close(
        attributions_of(explainer, model, inputs),
        attributions_of(KernelShap(16, mean), model, inputs),
    )
    fresh = KernelShap(16, "mean")
    fresh.load_state_dict(explainer.state_dict())
    torch.testing.assert_close(fresh.baseline.value, mean)


def test_solution_is_the_limit_of_large_weights_on_the_end_points():
    linear_model = pytest.importorskip("sklearn.linear_model")
    counts = torch.tensor([6])
    keep = with_ends(ShapleyLaw(paired=False).draw(38, counts, numbers(1, 0)), counts)
    scores = torch.randn(40, 3, dtype=torch.float64)
    result = shapley_regression(keep, scores, torch.ones(1, 1))
    for weight, tolerance in ((1e6, 1e-3), (1e9, 1e-6)):
        weights = [weight, weight] + [1] * 38
        fit = linear_model.LinearRegression().fit(keep[:, 0], scores, sample_weight=weights)
        torch.testing.assert_close(
            result, torch.from_numpy(fit.coef_), atol=tolerance, rtol=tolerance
        )


def test_regression_has_the_least_norm_of_all_solutions():
    design = torch.randn(5, 2, 9, dtype=torch.float64)
    values, weights = torch.randn(5, 2).double(), torch.rand(5, 2).double() + 0.1
    result = weighted_least_squares(design, values, weights)
    for b in range(2):
        expected = torch.linalg.pinv(design[:, b]) @ values[:, b]
        torch.testing.assert_close(result[b], expected)


def test_all_coalitions_are_all_of_them():
    for n in (1, 2, 5):
        keep = all_coalitions(torch.tensor([n]))[0][:, 0]
        assert keep[0].all()
        assert not keep[1].any()
        assert len({tuple(row) for row in keep.tolist()}) == len(keep) == 2**n


def test_kernel_is_the_papers():
    keep = all_coalitions(torch.tensor([5]))[0][2:]
    expected = [shapley.shapley_kernel(int(row.sum()), 5) for row in keep]
    expected = torch.tensor(expected, dtype=torch.float64)[:, None]
    torch.testing.assert_close(shapley_kernel(keep, torch.tensor([5])), expected / expected.max())


@pytest.mark.parametrize("paired", [True, False])
def test_sizes_follow_the_kernel_and_members_are_uniform(paired):
    n = 5
    keep = ShapleyLaw(paired=paired).draw(40_000, torch.tensor([n]), numbers(1))[:, 0]
    sizes = torch.tensor([float(keep.sum(1).eq(k).sum()) for k in range(n + 1)]) / len(keep)
    expected = torch.tensor([0, *(1 / (k * (n - k)) for k in range(1, n)), 0])
    torch.testing.assert_close(sizes, expected / expected.sum(), atol=0.01, rtol=0)
    torch.testing.assert_close(keep.float().mean(0), torch.full((n,), 0.5), atol=0.01, rtol=0)


def test_coalitions_are_shared_with_a_seed_and_independent_without():
    counts = torch.tensor([7])
    assert ShapleyLaw().draw(20, counts, numbers(4, 0)).shape == (20, 1, 7)
    keep = ShapleyLaw().draw(20, counts, numbers(4))
    assert keep.shape == (20, 4, 7)
    assert all((one != other).any() for one, other in pairwise(keep.unbind(1)))


def test_every_sample_is_explained_alone():
    model, inputs = mlp(9), torch.randn(5, 9)
    target = torch.randint(2, (5,))
    explainer = KernelShap(40, seed=1)
    together = attributions_of(explainer, model, inputs, target)
    alone = [
        attributions_of(explainer, model, inputs[i : i + 1], target[i : i + 1]) for i in range(5)
    ]
    torch.testing.assert_close(together, torch.cat(alone))


@pytest.mark.parametrize("points_per_pass", [1, 7, 1000])
def test_chunks_change_nothing(points_per_pass):
    model, inputs = mlp(9), torch.randn(5, 9)
    explainer = KernelShap(40, seed=1)
    torch.testing.assert_close(
        attributions_of(explainer, model, inputs, points_per_pass=points_per_pass),
        attributions_of(explainer, model, inputs),
    )


def test_memory_is_bounded_by_points_per_pass():
    rows = []

    def model(inputs):
        rows.append(len(inputs))
        return inputs.sum(1)

    attributions_of(KernelShap(40), model, torch.randn(3, 9), None, points_per_pass=6)
    assert max(rows) <= 18
    assert sum(rows) == 40 * 3  # the full coalition is the sample itself


def test_randomness_comes_from_torch_unless_seeded():
    model, inputs = mlp(9), torch.randn(5, 9)
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(attributions_of(KernelShap(40), model, inputs))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    state = torch.get_rng_state()
    one, other = (attributions_of(KernelShap(40, seed=5), model, inputs) for _ in range(2))
    assert torch.equal(one, other)
    assert torch.equal(state, torch.get_rng_state())
    assert KernelShap().stochastic
    assert not KernelShap(seed=0).stochastic
    assert KernelShap().differentiable


def test_inference_mode_and_gradients_outside():
    model, inputs = mlp(9), torch.randn(5, 9)
    explainer = KernelShap(40, seed=1)
    expected = attributions_of(explainer, model, inputs)
    assert not expected.requires_grad
    with torch.inference_mode():
        torch.testing.assert_close(attributions_of(explainer, model, inputs.clone()), expected)
    inputs.requires_grad_()
    torch.testing.assert_close(attributions_of(explainer, model, inputs), expected)
    assert inputs.grad is None


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_dtype_is_float32_or_better(dtype):
    model, inputs = mlp(6).to(dtype), torch.randn(3, 6, dtype=dtype)
    result = attributions_of(KernelShap(seed=0), model, inputs)
    assert result.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert result.isfinite().all()


@pytest.mark.gpu
def test_gpu_gives_the_same_values():
    model, inputs = mlp(9), torch.randn(5, 9)
    explainer = KernelShap(40, seed=1)
    expected = attributions_of(explainer, model, inputs)
    result = attributions_of(explainer.cuda(), model.cuda(), inputs.cuda())
    assert result.is_cuda
    torch.testing.assert_close(result.cpu(), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", [(2, 3, 3), (4, 5)], ids=["image", "tokens"])
def test_inputs_of_any_shape(shape):
    model = nn.Sequential(nn.Flatten(), mlp(torch.Size(shape).numel()))
    inputs = torch.randn(3, *shape)
    result = attributions_of(KernelShap(60, torch.randn(shape), seed=0), model, inputs)
    assert result.shape == inputs.shape
    flat = KernelShap(60, seed=0)
    torch.testing.assert_close(
        attributions_of(flat, model, inputs).flatten(1),
        attributions_of(flat, model[1], inputs.flatten(1)),
    )


def test_keyword_tensors_follow_their_samples():
    def model(inputs, scale):
        return (inputs * scale).sum(1)

    inputs, scale = torch.randn(3, 4), torch.randn(3, 1)
    result = attributions_of(KernelShap(), model, inputs, None, forward_kwargs={"scale": scale})
    torch.testing.assert_close(result, inputs * scale)


def test_a_model_that_returns_nan_is_an_error():
    with pytest.raises(ValueError, match="scores"):
        attributions_of(KernelShap(16), lambda x: x.sum(1).log(), -torch.rand(2, 4), None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_samples": 1}, "n_samples"),
        ({"baseline": "median"}, "baseline"),
        ({"baseline": float("nan")}, "baseline"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        KernelShap(**arguments)


def test_baseline_of_another_shape():
    with pytest.raises(ValueError, match="baseline"):
        attributions_of(KernelShap(16, torch.zeros(3)), mlp(4), torch.randn(2, 4))


def test_repr_names_the_settings():
    assert "n_samples=50" in repr(KernelShap(50))
