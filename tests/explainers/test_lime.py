import pytest
import torch
from torch import nn

from pear_lightning.explainers import KernelShap, Lime, explain
from pear_lightning.functional.lasso import lasso
from pear_lightning.scoring import BernoulliLaw
from tests.reference import lime as reference


def mlp(n_features, n_classes=2):
    return nn.Sequential(nn.Linear(n_features, 16), nn.GELU(), nn.Linear(16, n_classes))


def attributions_of(explainer, model, inputs, target=1, **kwargs):
    return explain(model, inputs, target, [explainer], **kwargs)[1][0]


def lasso_problem(n_samples, n_features, batch_size=3):
    masks = (torch.rand(n_samples, batch_size, n_features) < 0.5).double()
    values = torch.randn(n_samples, batch_size).double()
    weights = torch.rand(n_samples, batch_size).double() + 0.1
    shares = weights / weights.sum(0)
    centred = masks - (shares[..., None] * masks).sum(0)
    gram = torch.einsum("kb,kbi,kbj->bij", shares, centred, centred)
    moment = torch.einsum("kb,kbi,kb->bi", shares, centred, values)
    return masks, values, weights, gram, moment


@pytest.mark.parametrize("alpha", [1e-4, 1e-2, 0.1, 10.0])
@pytest.mark.parametrize(("n_samples", "n_features"), [(200, 8), (60, 20), (30, 40), (20, 1)])
def test_lasso_equals_sklearn(n_samples, n_features, alpha):
    linear_model = pytest.importorskip("sklearn.linear_model")
    masks, values, weights, gram, moment = lasso_problem(n_samples, n_features)
    result = lasso(gram, moment, alpha)
    for b in range(len(result)):
        fit = linear_model.Lasso(alpha=alpha, tol=1e-12, max_iter=1_000_000).fit(
            masks[:, b], values[:, b], sample_weight=weights[:, b]
        )
        torch.testing.assert_close(result[b], torch.from_numpy(fit.coef_), atol=1e-6, rtol=1e-6)


def test_lasso_is_optimal_with_more_features_than_samples():
    *_, gram, moment = lasso_problem(30, 50)
    result = lasso(gram, moment, 1e-3)
    slack = moment - (gram @ result[..., None])[..., 0]
    nonzero = result != 0
    torch.testing.assert_close(slack[nonzero], 1e-3 * result.sign()[nonzero], atol=1e-8, rtol=0)
    assert slack.abs().max() <= 1e-3 + 1e-8


def test_lasso_of_constant_and_repeated_columns_is_finite():
    _, _, _, gram, moment = lasso_problem(30, 4)
    gram[:, 0], gram[:, :, 0], moment[:, 0] = 0, 0, 0
    gram[:, :, 3], gram[:, 3], moment[:, 3] = gram[:, :, 2], gram[:, 2], moment[:, 2]
    gram[:, 3, 3] = gram[:, 2, 2]
    result = lasso(gram, moment, 1e-3)
    assert (result[:, 0] == 0).all()
    assert result.isfinite().all()
    assert lasso(torch.zeros(2, 3, 3).double(), torch.zeros(2, 3).double(), 0.1).eq(0).all()


def test_a_lasso_that_does_not_converge_warns():
    gram = torch.tensor([[[1.0, 2.0], [2.0, 1.0]]]).double()  # no Gram matrix
    with pytest.warns(UserWarning, match="not converged"):
        lasso(gram, torch.tensor([[1.0, -1.0]]).double(), 0.1)


@pytest.mark.parametrize("alpha", [0, 1e-3, 0.05])
@pytest.mark.parametrize("similarity", ["inputs", "masks"])
def test_equals_the_formula_for_each_sample(alpha, similarity):
    model, inputs, baseline = mlp(3), torch.randn(3, 3), torch.randn(3)
    explainer = Lime(
        12, baseline, kernel_width=0.7, alpha=alpha, similarity=similarity, exhaustive=False, seed=4
    )
    masks = BernoulliLaw().draw(
        12, torch.tensor([3]), lambda n, size: explainer.uniform(n, size, inputs, 4)
    )[:, 0]
    result = attributions_of(explainer, model, inputs)
    for row, attributions in zip(inputs, result, strict=True):
        points = torch.where(masks, row, baseline)
        one, others = (row, points) if similarity == "inputs" else (torch.ones(3), masks.float())
        expected = reference.weighted_lasso(
            masks.double().tolist(),
            model(points)[:, 1].tolist(),
            [reference.similarity(one.tolist(), other.tolist(), 0.7) for other in others],
            alpha,
        )
        torch.testing.assert_close(attributions, torch.tensor(expected), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("exhaustive", [True, False])
@pytest.mark.parametrize("similarity", ["inputs", "masks"])
def test_additive_model_gives_the_terms_as_shapley_values_do(exhaustive, similarity):
    terms = [torch.sin, torch.exp, torch.square, torch.abs]

    def model(inputs):
        return sum(term(column) for term, column in zip(terms, inputs.unbind(1), strict=True))

    inputs, baseline = torch.randn(6, 4), torch.randn(4)
    settings = {"alpha": 0, "exhaustive": exhaustive, "similarity": similarity}
    result = attributions_of(Lime(60, baseline, **settings), model, inputs, None)
    expected = torch.stack(
        [term(inputs[:, i]) - term(baseline[i]) for i, term in enumerate(terms)], dim=1
    )
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-4)
    shap = attributions_of(KernelShap(60, baseline), model, inputs, None)
    torch.testing.assert_close(result, shap, atol=1e-5, rtol=1e-4)


def test_all_masks_are_what_many_random_masks_converge_to():
    model, inputs = mlp(5), torch.randn(4, 5)
    expected = attributions_of(Lime(32), model, inputs)
    result = attributions_of(Lime(20_000, exhaustive=False), model, inputs)
    assert (result - expected).norm() < 0.05 * expected.norm()
    torch.testing.assert_close(attributions_of(Lime(40), model, inputs), expected)


def test_a_large_penalty_leaves_nothing():
    assert (attributions_of(Lime(alpha=100.0), mlp(5), torch.randn(4, 5)) == 0).all()


def test_a_narrow_kernel_does_not_underflow():
    model, inputs = mlp(9), torch.randn(4, 9)
    for alpha in (0, 1e-4):
        for similarity in ("inputs", "masks"):
            explainer = Lime(50, kernel_width=1e-3, alpha=alpha, similarity=similarity)
            assert attributions_of(explainer, model, inputs).isfinite().all()


def test_inputs_of_zeros_are_at_the_baseline():
    result = attributions_of(Lime(seed=0), mlp(9), torch.zeros(2, 9))
    torch.testing.assert_close(result, torch.zeros(2, 9))


@pytest.mark.parametrize("alpha", [0, 1e-4])
def test_undetermined_regression_is_finite(alpha):
    assert attributions_of(Lime(10, alpha=alpha), mlp(30), torch.randn(3, 30)).isfinite().all()
    assert (attributions_of(Lime(1, alpha=alpha), mlp(30), torch.randn(3, 30)) == 0).all()


def test_one_feature():
    model, inputs = mlp(1), torch.randn(4, 1)
    difference = (model(inputs) - model(torch.zeros(1, 1)))[:, 1:]
    for exhaustive in (True, False):
        result = attributions_of(Lime(alpha=0, exhaustive=exhaustive), model, inputs)
        torch.testing.assert_close(result, difference)


def test_mean_baseline_is_taken_from_the_training_data():
    explainer, model = Lime(16, "mean"), mlp(4)
    inputs, mean = torch.randn(3, 4), torch.randn(4)
    assert explainer.uses_training_data
    explainer.fit_reference(mean, torch.empty(0, 4))
    torch.testing.assert_close(
        attributions_of(explainer, model, inputs), attributions_of(Lime(16, mean), model, inputs)
    )


@pytest.mark.parametrize("alpha", [0, 1e-3])
@pytest.mark.parametrize("similarity", ["inputs", "masks"])
def test_every_sample_is_explained_alone(alpha, similarity):
    model, inputs, target = mlp(9), torch.randn(5, 9), torch.randint(2, (5,))
    explainer = Lime(40, alpha=alpha, similarity=similarity, seed=1)
    together = attributions_of(explainer, model, inputs, target)
    alone = [
        attributions_of(explainer, model, inputs[i : i + 1], target[i : i + 1]) for i in range(5)
    ]
    torch.testing.assert_close(together, torch.cat(alone))


@pytest.mark.parametrize("points_per_pass", [1, 7, 1000])
def test_chunks_change_nothing(points_per_pass):
    model, inputs = mlp(9), torch.randn(5, 9)
    explainer = Lime(40, seed=1)
    torch.testing.assert_close(
        attributions_of(explainer, model, inputs, points_per_pass=points_per_pass),
        attributions_of(explainer, model, inputs),
    )


def test_randomness_comes_from_torch_unless_seeded():
    model, inputs = mlp(9), torch.randn(5, 9)
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(attributions_of(Lime(40), model, inputs))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    one, other = (attributions_of(Lime(40, seed=5), model, inputs) for _ in range(2))
    assert torch.equal(one, other)
    assert Lime().stochastic
    assert not Lime(seed=0).stochastic
    assert not Lime().differentiable
    assert Lime(penalty="ridge").differentiable
    assert Lime(alpha=0).differentiable
    for explainer in (Lime(40), Lime(40, penalty="ridge"), Lime(40, alpha=0)):
        found = attributions_of(explainer, model, inputs, create_graph=True)
        assert found.requires_grad == explainer.differentiable


def test_inference_mode_and_gradients_outside():
    model, inputs = mlp(9), torch.randn(5, 9)
    explainer = Lime(40, seed=1)
    expected = attributions_of(explainer, model, inputs)
    assert not expected.requires_grad
    with torch.inference_mode():
        torch.testing.assert_close(attributions_of(explainer, model, inputs.clone()), expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_dtype_is_float32_or_better(dtype):
    model, inputs = mlp(6).to(dtype), torch.randn(3, 6, dtype=dtype)
    result = attributions_of(Lime(seed=0), model, inputs)
    assert result.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert result.isfinite().all()


@pytest.mark.gpu
@pytest.mark.parametrize("alpha", [0, 1e-3])
def test_gpu_gives_the_same_values(alpha):
    model, inputs = mlp(9), torch.randn(5, 9)
    explainer = Lime(40, alpha=alpha, seed=1)
    expected = attributions_of(explainer, model, inputs)
    result = attributions_of(explainer.cuda(), model.cuda(), inputs.cuda())
    assert result.is_cuda
    torch.testing.assert_close(result.cpu(), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", [(2, 3, 3), (4, 5)], ids=["image", "tokens"])
def test_inputs_of_any_shape(shape):
    model = nn.Sequential(nn.Flatten(), mlp(torch.Size(shape).numel()))
    inputs = torch.randn(3, *shape)
    explainer = Lime(60, 0.3, seed=0)
    result = attributions_of(explainer, model, inputs)
    assert result.shape == inputs.shape
    torch.testing.assert_close(
        result.flatten(1), attributions_of(explainer, model[1], inputs.flatten(1))
    )


def test_a_model_that_returns_nan_is_an_error():
    with pytest.raises(ValueError, match="scores"):
        attributions_of(Lime(16), lambda x: x.sum(1).log(), -torch.rand(2, 4), None)


@pytest.mark.parametrize(
    "arguments",
    [
        {"n_samples": 0},
        {"baseline": "median"},
        {"kernel_width": 0.0},
        {"alpha": -1.0},
        {"alpha": float("nan")},
        {"similarity": "cosine"},
    ],
)
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        Lime(**arguments)


def test_repr_names_the_settings():
    assert "alpha=0.5" in repr(Lime(alpha=0.5))
