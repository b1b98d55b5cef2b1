import numpy as np
import pytest
import torch
from torch import nn

from pear_lightning.explainers import (
    ExpectedGradients,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    SmoothGrad,
    explain,
)
from pear_lightning.functional.quadrature import quadrature_rule
from pear_lightning.masking.fixed_baseline import FixedBaseline
from tests.explainers.models import Quadratic, mlp


@pytest.mark.parametrize("n_nodes", [1, 2, 5, 20])
def test_gauss_legendre_is_exact_for_polynomials(n_nodes):
    nodes, weights = (torch.tensor(v).double() for v in quadrature_rule(n_nodes, "gauss_legendre"))
    for degree in range(2 * n_nodes):
        exact = torch.tensor(1 / (degree + 1)).double()
        torch.testing.assert_close((weights * nodes**degree).sum(), exact)


@pytest.mark.parametrize(
    ("method", "first", "last"),
    [("riemann_left", 0.0, 0.75), ("riemann_midpoint", 0.125, 0.875), ("riemann_right", 0.25, 1.0)],
)
def test_riemann_nodes(method, first, last):
    nodes, weights = quadrature_rule(4, method)
    assert (nodes[0], nodes[-1]) == (first, last)
    assert weights == (0.25,) * 4


def test_integrated_gradients_are_complete():
    model, inputs = mlp(), torch.rand(5, 6)
    logits, (attributions,) = explain(model, inputs, 1, [IntegratedGradients(20, baseline=0.5)])
    difference = logits[:, 1] - model(torch.full((1, 6), 0.5))[:, 1]
    torch.testing.assert_close(attributions.sum(1), difference, rtol=1e-4, atol=1e-5)


def test_smooth_grad_of_a_quadratic_is_its_gradient_on_average():
    model, inputs = Quadratic(), torch.rand(3, 4)
    _, (attributions,) = explain(model, inputs, 0, [SmoothGrad(4000, 0.5)])
    torch.testing.assert_close(attributions, model.gradient(inputs, 0), rtol=0.1, atol=0.1)


def test_smooth_grad_as_contributions():
    model, inputs = nn.Linear(4, 2), torch.rand(3, 4)
    explainer = SmoothGrad(5, multiply_by_inputs=True, baseline=0.25)
    _, (attributions,) = explain(model, inputs, 1, [explainer])
    torch.testing.assert_close(attributions, (inputs - 0.25) * model.weight[1])


def test_expected_gradients_sum_to_the_difference_from_the_mean_output():
    model, inputs, background = Quadratic(), torch.rand(3, 4), torch.rand(50, 4)
    logits, (attributions,) = explain(model, inputs, 0, [ExpectedGradients(20_000, background)])
    difference = logits[:, 0] - model(background)[:, 0].mean()
    torch.testing.assert_close(attributions.sum(1), difference, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("seed", [None, 0])
def test_every_row_of_the_background_is_drawn_in_any_precision(dtype, seed):
    torch.manual_seed(0)
    background = torch.eye(1000)  # at inputs of 0, the weights are the negative rows
    explainer = ExpectedGradients(8000, background, seed=seed)
    query = explainer.query(torch.zeros(1, 1000, dtype=dtype))
    assert query.points.dtype == dtype
    drawn = (query.weights[:, 0] != 0).sum(dim=0)
    assert (drawn > 0).float().mean() > 0.99
    assert drawn.max() < 30  # 8 on average


@pytest.mark.parametrize(
    "build", [SmoothGrad, lambda **k: ExpectedGradients(4, torch.rand(3, 6), **k)]
)
def test_seed_fixes_the_draws(build):
    model, inputs = mlp(), torch.rand(3, 6)
    seeded, free = build(seed=1), build()
    assert free.stochastic
    assert not seeded.stochastic
    once, again = (explain(model, inputs, 0, [seeded])[1][0] for _ in range(2))
    torch.testing.assert_close(once, again, rtol=0, atol=0)
    once, again = (explain(model, inputs, 0, [free])[1][0] for _ in range(2))
    assert not torch.equal(once, again)


@pytest.mark.parametrize(
    "build",
    [
        lambda: InputXGradient("mean"),
        lambda: IntegratedGradients(3, "mean"),
        lambda: SmoothGrad(multiply_by_inputs=True, baseline="mean", seed=0),
        lambda: ExpectedGradients(3, seed=0),
    ],
)
def test_reference_data_is_asked_for_taken_and_reloaded(build):
    model, inputs = mlp(), torch.rand(3, 6)
    explainer = build()
    assert explainer.uses_training_data
    with pytest.raises(RuntimeError, match="fit_reference"):
        explain(model, inputs, 0, [explainer])
    explainer.fit_reference(inputs.mean(0), inputs)
    wanted = explain(model, inputs, 0, [explainer])[1][0]
    fresh = build()
    fresh.load_state_dict(explainer.state_dict())
    torch.testing.assert_close(explain(model, inputs, 0, [fresh])[1][0], wanted)


@pytest.mark.parametrize("spec", ["zeros", 0.5, torch.ones(6)])
def test_given_baselines_need_no_data(spec):
    explainer = InputXGradient(spec)
    assert not explainer.uses_training_data
    explainer.fit_reference(torch.full((6,), 9.0), torch.rand(3, 6))
    value = FixedBaseline(spec)(torch.rand(2, 6))
    assert value.shape == (1, 6)
    torch.testing.assert_close(explainer.baseline(torch.rand(2, 6)), value)


def test_baseline_follows_the_module_type():
    explainer = InputXGradient(torch.ones(6)).double()
    assert explainer.baseline(torch.rand(2, 6).double()).dtype == torch.float64
    assert explainer.baseline(torch.rand(2, 6)).dtype == torch.float32


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: IntegratedGradients(0), "n_steps must be at least 1"),
        (lambda: IntegratedGradients(quadrature="simpson"), "quadrature must be one of"),
        (lambda: IntegratedGradients(baseline="median"), "baseline must be 'zeros', 'mean'"),
        (lambda: InputXGradient(torch.tensor([float("nan")])), "baseline must be finite"),
        (lambda: SmoothGrad(0), "n_samples must be at least 1"),
        (lambda: SmoothGrad(noise_std=-1), "noise_std must not be negative"),
        (lambda: SmoothGrad(noise_std=float("nan")), "noise_std must not be negative"),
        (lambda: ExpectedGradients(0), "n_samples must be at least 1"),
        (lambda: ExpectedGradients(background="test"), "background must be rows"),
        (lambda: ExpectedGradients(background=torch.zeros(0, 3)), "background must be finite rows"),
    ],
)
def test_bad_settings_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("background", [[[0.0, 0.0, 0.0]], None, np.zeros((1, 3))])
def test_a_background_that_is_no_tensor_is_refused(background):
    with pytest.raises(TypeError, match=r"a tensor of rows \(N, \*S\) or 'train', got .*as_tensor"):
        ExpectedGradients(background=background)


@pytest.mark.parametrize(
    ("explainer", "message"),
    [
        (InputXGradient(torch.ones(5)), "baseline must have the shape of one input"),
        (ExpectedGradients(3, torch.ones(2, 5)), "background must hold rows of shape"),
    ],
)
def test_reference_data_of_another_shape(explainer, message):
    with pytest.raises(ValueError, match=message):
        explain(mlp(), torch.rand(2, 6), 0, [explainer])


def test_explainers_made_in_inference_mode_train_models():
    with torch.inference_mode():
        explainer = IntegratedGradients(3)
    model, inputs = torch.nn.Linear(4, 2).double(), torch.rand(5, 4).double()
    _, (attributions,) = explain(model, inputs, 0, [explainer], create_graph=True)
    attributions.square().sum().backward()
    assert model.weight.grad[0].all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_quadrature_is_as_precise_as_the_inputs(dtype):
    explainer = IntegratedGradients(4).to(torch.bfloat16)  # must not round the nodes
    points = explainer.query(torch.ones(1, 1, dtype=dtype)).points.flatten()
    nodes = torch.tensor(quadrature_rule(4, "gauss_legendre")[0], dtype=torch.float64)
    assert torch.equal(points, nodes.to(dtype))


@pytest.mark.parametrize("explainer", [SmoothGrad(5, 0.5, seed=0)])
def test_draws_for_a_text_do_not_depend_on_padding_on_the_right(explainer):
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)

    def model(inputs, attention_mask):
        return layer((inputs * attention_mask[..., None]).tanh().sum(dim=1)).tanh()

    text = torch.randn(1, 4, 3)
    padded = torch.cat([text, torch.randn(1, 3, 3)], dim=1)
    mask = torch.tensor([[1.0] * 4 + [0.0] * 3])
    _, (alone,) = explain(
        model, text, 0, [explainer], forward_kwargs={"attention_mask": mask[:, :4]}
    )
    _, (found,) = explain(model, padded, 0, [explainer], forward_kwargs={"attention_mask": mask})
    torch.testing.assert_close(found[:, :4], alone)
    assert (found[:, 4:] == 0).all()


def test_an_output_that_does_not_depend_on_the_inputs_has_no_gradient():
    weight = torch.ones(1, requires_grad=True)

    def model(inputs):
        return weight * inputs.new_ones(len(inputs), 1)

    for create_graph in (True, False):
        inputs = torch.randn(3, 2)
        _, (found,) = explain(model, inputs, None, [Gradient()], create_graph=create_graph)
        assert (found == 0).all()
