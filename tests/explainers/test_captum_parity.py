"""Our explainers against Captum's, on the same perturbations where they are random."""

import warnings

import pytest
import torch
from torch import nn

from pear_lightning.explainers import (
    ExpectedGradients,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    Lime,
    SmoothGrad,
    explain,
)
from pear_lightning.scoring import BernoulliLaw, ShapleyLaw

attr = pytest.importorskip("captum.attr")


def tables():
    model = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 16), nn.ReLU())
    return model.append(nn.Linear(16, 3)), torch.rand(6, 8)


def images():
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Softplus(), nn.Flatten())
    return model.append(nn.Linear(36, 3)).eval(), torch.randn(6, 2, 5, 5)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.GRU(4, 6, batch_first=True), nn.Linear(6, 3)

    def forward(self, inputs):
        return self.head(self.body(inputs)[0][:, -1])


def sequences():
    return Recurrent(), torch.randn(6, 5, 4)


TARGET = torch.tensor([0, 1, 2, 2, 1, 0])
EVERYWHERE = pytest.mark.parametrize("problem", [tables, images, sequences])


def ours(explainer, model, inputs):
    return explain(model, inputs, TARGET, [explainer])[1][0].detach()


def captums(attribution, inputs, **kwargs):
    return attribution.attribute(inputs.clone().requires_grad_(), target=TARGET, **kwargs).detach()


@EVERYWHERE
def test_gradient(problem):
    model, inputs = problem()
    expected = captums(attr.Saliency(model), inputs, abs=False)
    torch.testing.assert_close(ours(Gradient(), model, inputs), expected)


@EVERYWHERE
def test_input_x_gradient(problem):
    model, inputs = problem()
    expected = captums(attr.InputXGradient(model), inputs)
    torch.testing.assert_close(ours(InputXGradient(), model, inputs), expected)


@EVERYWHERE
@pytest.mark.parametrize(
    ("quadrature", "method"),
    [
        ("gauss_legendre", "gausslegendre"),
        ("riemann_midpoint", "riemann_middle"),
        ("riemann_left", "riemann_left"),
        ("riemann_right", "riemann_right"),
    ],
)
@pytest.mark.parametrize("multiply_by_inputs", [True, False])
def test_integrated_gradients(problem, quadrature, method, multiply_by_inputs):
    model, inputs = problem()
    baseline = torch.randn(inputs.shape[1:])
    expected = captums(
        attr.IntegratedGradients(model, multiply_by_inputs),
        inputs,
        baselines=baseline[None],
        n_steps=7,
        method=method,
    )
    explainer = IntegratedGradients(
        7, baseline, quadrature=quadrature, multiply_by_inputs=multiply_by_inputs
    )
    torch.testing.assert_close(ours(explainer, model, inputs), expected, atol=1e-5, rtol=1e-4)


@EVERYWHERE
@pytest.mark.parametrize("multiply_by_inputs", [True, False])
def test_smooth_grad_on_the_same_noise(problem, multiply_by_inputs, monkeypatch):
    model, inputs = problem()
    noise = []
    normal = torch.normal

    def recorded(*args, **kwargs):
        noise.append(normal(*args, **kwargs))
        return noise[-1]

    monkeypatch.setattr(torch, "normal", recorded)
    expected = captums(
        attr.NoiseTunnel(attr.Saliency(model)), inputs, nt_type="smoothgrad", nt_samples=9,
        stdevs=0.3, abs=False,
    )  # fmt: skip
    if multiply_by_inputs:  # by x; Captum's noisy InputXGradient multiplies by the noisy input
        expected = expected * inputs
    drawn = torch.cat(noise) / 0.3
    drawn = drawn.unflatten(0, (len(inputs), 9)).movedim(1, 0)
    monkeypatch.setattr(
        "pear_lightning.explainers.smooth_grad.random_draws", lambda *_args, **_kwargs: drawn
    )
    explainer = SmoothGrad(9, 0.3, multiply_by_inputs=multiply_by_inputs)
    torch.testing.assert_close(ours(explainer, model, inputs), expected)


def test_smooth_grad_in_expectation():
    model, inputs = tables()
    expected = captums(
        attr.NoiseTunnel(attr.Saliency(model)), inputs, nt_type="smoothgrad", nt_samples=3000,
        stdevs=0.5, abs=False,
    )  # fmt: skip
    result = ours(SmoothGrad(3000, 0.5), model, inputs)
    assert (result - expected).norm() < 0.05 * expected.norm()


def test_expected_gradients_in_expectation():
    model, inputs = tables()
    background = torch.rand(5, 8)
    expected = captums(
        attr.GradientShap(model), inputs, baselines=background, n_samples=3000, stdevs=0.0
    )
    result = ours(ExpectedGradients(3000, background), model, inputs)
    assert (result - expected).norm() < 0.1 * expected.norm()


def record_masks(monkeypatch, method):
    """Let a Captum method note the masks it draws, sample after sample."""
    masks = []
    perturb = method.perturb_func

    if isinstance(method, attr.KernelShap):

        def recorded(original, **kwargs):
            for mask in perturb(original, **kwargs):
                masks.append(mask)
                yield mask

    else:

        def recorded(original, **kwargs):
            masks.append(perturb(original, **kwargs))
            return masks[-1]

    monkeypatch.setattr(method, "perturb_func", recorded)
    return masks


def surrogate_attributions(method, inputs, n_samples, baseline):
    with warnings.catch_warnings():
        # one surrogate model for each sample is what is compared
        warnings.filterwarnings("ignore", "You are providing multiple inputs", UserWarning)
        return method.attribute(
            inputs, target=TARGET, n_samples=n_samples, baselines=baseline[None],
            perturbations_per_eval=n_samples,
        )  # fmt: skip


def drawn_masks(masks, n_samples):
    """The recorded masks as ``keep (K, B, n)``."""
    return torch.cat(masks).bool().unflatten(0, (len(TARGET), n_samples)).movedim(1, 0)


@pytest.mark.parametrize("problem", [tables, images])
@pytest.mark.parametrize("alpha", [1e-4, 1e-2, 0])
def test_lime_on_the_same_masks(problem, alpha, monkeypatch):
    from captum._utils.models.linear_model import SkLearnLasso, SkLearnLinearRegression

    model, inputs = problem()
    n_samples = 120
    baseline = torch.rand(inputs.shape[1:])
    # Captum passes the settings on to scikit-learn, whose default tolerance is coarse
    surrogate = (
        SkLearnLasso(alpha=alpha, tol=1e-6, max_iter=100_000)
        if alpha
        else SkLearnLinearRegression()
    )
    method = attr.Lime(
        model,
        surrogate,
        attr._core.lime.get_exp_kernel_similarity_function("cosine", kernel_width=0.8),
    )
    masks = record_masks(monkeypatch, method)
    expected = surrogate_attributions(method, inputs, n_samples, baseline)
    keep = drawn_masks(masks, n_samples)
    monkeypatch.setattr(BernoulliLaw, "draw", lambda *_args: keep)
    result = ours(Lime(n_samples, baseline, kernel_width=0.8, alpha=alpha), model, inputs)
    torch.testing.assert_close(result, expected, atol=2e-5, rtol=1e-3)


@pytest.mark.parametrize("problem", [tables, images])
def test_kernel_shap_on_the_same_coalitions(problem, monkeypatch):
    model, inputs = problem()
    n_samples = 120
    baseline = torch.rand(inputs.shape[1:])
    method = attr.KernelShap(model)
    masks = record_masks(monkeypatch, method)
    expected = surrogate_attributions(method, inputs, n_samples, baseline)
    keep = drawn_masks(masks, n_samples)
    monkeypatch.setattr(ShapleyLaw, "draw", lambda *_args: keep[2:])
    result = ours(KernelShap(n_samples, baseline), model, inputs)
    # Captum's weight of 1e6 on the end points, in float32, against the constraint
    torch.testing.assert_close(result, expected, atol=2e-3 * float(expected.abs().max()), rtol=0)


def test_kernel_shap_equals_captums_shapley_values():
    model, inputs, baseline = nn.Sequential(nn.Linear(4, 9), nn.GELU()), *torch.rand(7, 4).split(6)
    expected = captums(attr.ShapleyValues(model), inputs, baselines=baseline)
    result = ours(KernelShap(16, baseline[0]), model, inputs)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-4)
