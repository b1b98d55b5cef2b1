import copy
import warnings

import pytest
import torch
from torch import nn

from pear_lightning.explainers import CaptumExplainer, Gradient, explain
from pear_lightning.explainers.captum_explainer import captum_methods
from pear_lightning.explainers.undo_instrumentation import undo_instrumentation

attr = pytest.importorskip("captum.attr")


def mlp(n_features=5, n_classes=3):
    return nn.Sequential(nn.Linear(n_features, 16), nn.ReLU(), nn.Linear(16, n_classes))


class ConvNet(nn.Module):
    def __init__(self, channels=3):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.head = nn.Linear(4 * 4 * 4, 3)

    def forward(self, inputs):
        return self.head(self.features(inputs).flatten(1))


def attributions_of(explainer, model, inputs, target=1, **kwargs):
    return explain(model, inputs, target, [explainer], **kwargs)[1][0]


def state_of(model):
    """Everything that instrumentation could leave on a model."""
    return [
        {
            name: (list(value.items()) if isinstance(value, dict) else value)
            for name, value in vars(module).items()
        }
        for module in model.modules()
    ]


BY_GRADIENT = [
    "DeepLift",
    "Deconvolution",
    "GuidedBackprop",
    "InputXGradient",
    "IntegratedGradients",
    "LRP",
    "Saliency",
]
BY_PERTURBATION = ["FeatureAblation", "ShapleyValues"]
SETTINGS = {"Occlusion": {"attribute_kwargs": {"sliding_window_shapes": [2]}}}


@pytest.mark.parametrize("method", [*BY_GRADIENT, *BY_PERTURBATION, "Occlusion"])
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_equals_captum_called_directly(method, mode):
    model, inputs = mlp(), torch.randn(4, 5)
    target = torch.tensor([0, 1, 2, 1])
    kwargs = {"sliding_window_shapes": (2,)} if method == "Occlusion" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        direct = getattr(attr, method)(copy.deepcopy(model))
        expected = direct.attribute(inputs.clone().requires_grad_(), target=target, **kwargs)
    with mode():
        explainer = CaptumExplainer(method, **SETTINGS.get(method, {}))
        result = attributions_of(explainer, model, inputs.clone(), target.clone())
    torch.testing.assert_close(result, expected.detach())
    assert not result.requires_grad
    assert not explainer.differentiable
    assert not explainer.stochastic


@pytest.mark.parametrize("method", ["GradientShap", "KernelShap", "Lime", "ShapleyValueSampling"])
def test_random_methods_are_stochastic(method):
    explainer = CaptumExplainer(method, attribute_kwargs={"n_samples": 10})
    assert explainer.stochastic
    result = attributions_of(explainer, mlp(), torch.randn(3, 5))
    assert result.shape == (3, 5)
    assert result.isfinite().all()


@pytest.mark.parametrize("method", sorted(captum_methods()))
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.inference_mode])
def test_every_method_that_is_offered_works_and_leaves_no_trace(method, mode):
    """Smoke test of all names on an image model, and the model's state before and after."""
    model = ConvNet()
    model.train()
    model.head.weight.requires_grad_(False)
    inputs = torch.randn(2, 3, 8, 8)
    before, weights = state_of(model), copy.deepcopy(model.state_dict())
    storage = [p.data_ptr() for p in model.parameters()]
    attribute_kwargs = {}
    if method == "Occlusion":
        attribute_kwargs = {"sliding_window_shapes": [1, 4, 4], "strides": [1, 4, 4]}
    if method in ("Lime", "KernelShap", "ShapleyValueSampling", "ShapleyValues"):
        groups = torch.arange(4).view(2, 2).repeat_interleave(4, 0).repeat_interleave(4, 1)
        attribute_kwargs["feature_mask"] = groups.expand(1, 3, 8, 8)
    layer = None
    if method.startswith("Layer") or method in ("GuidedGradCam", "InternalInfluence"):
        layer = "features.0"
    explainer = CaptumExplainer(method, layer=layer, attribute_kwargs=attribute_kwargs)
    with mode():
        result = attributions_of(explainer, model, inputs)
    assert result.shape == inputs.shape
    assert result.dtype == torch.float32
    assert result.isfinite().all()
    assert result.grad_fn is None
    assert state_of(model) == before
    assert storage == [p.data_ptr() for p in model.parameters()]
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert all(module.training for module in model.modules())
    assert inputs.grad is None
    assert not inputs.requires_grad


@pytest.mark.parametrize("method", ["DeepLift", "LRP", "GuidedBackprop", "LayerGradCam"])
def test_an_error_leaves_no_trace_either(method):
    class Breaks(nn.Module):
        def forward(self, inputs):
            if inputs.requires_grad:
                raise RuntimeError("broken")
            return inputs

    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Flatten(), Breaks(), nn.Linear(8, 2))
    if method == "LRP":
        del model[3]  # it has no rule, which is an error too, but one of another kind
        model.append(nn.Softplus())
    before = state_of(model)
    layer = "0" if method == "LayerGradCam" else None
    with pytest.raises((RuntimeError, TypeError)):
        attributions_of(CaptumExplainer(method, layer=layer), model, torch.randn(2, 1, 2, 2))
    assert state_of(model) == before


def test_left_as_found_undoes_hooks_attributes_and_weights():
    model = mlp()
    model[0].kept = "kept"
    handle = model[1].register_forward_hook(lambda *_: None)
    before, weight = state_of(model), model[0].weight.data.clone()
    with undo_instrumentation(model):
        handle.remove()
        model.register_forward_pre_hook(lambda *_: None)
        model[0].added = 1
        del model[0].kept
        model[0].weight.data = torch.zeros_like(weight)
        model[2].bias.requires_grad_(False)
    assert state_of(model) == before
    assert torch.equal(model[0].weight, weight)
    assert model[2].bias.requires_grad
    with undo_instrumentation(None):
        pass


def test_rules_that_were_set_for_lrp_are_used_and_kept():
    from captum.attr._utils.lrp_rules import GammaRule

    model, inputs = mlp(), torch.randn(3, 5)
    plain = attributions_of(CaptumExplainer("LRP"), model, inputs)
    model[0].rule = GammaRule()
    for _ in range(2):
        result = attributions_of(CaptumExplainer("LRP"), model, inputs)
        assert isinstance(model[0].rule, GammaRule)
    assert not torch.allclose(result, plain)


def test_the_callers_graph_is_left_alone():
    model, inputs = mlp(), torch.randn(3, 5, requires_grad=True)
    loss = model(inputs).sum()
    attributions_of(CaptumExplainer("DeepLift"), model, inputs)
    assert inputs.grad is None
    assert inputs.requires_grad
    loss.backward()
    assert inputs.grad is not None


@pytest.mark.parametrize("output", ["logit", "log_prob", "margin"])
def test_explains_the_scalar_that_was_asked_for(output):
    model, inputs, target = mlp(), torch.randn(3, 5), torch.tensor([0, 2, 1])
    saliency = CaptumExplainer("Saliency", attribute_kwargs={"abs": False})
    _, (ours, captums) = explain(model, inputs, target, [Gradient(), saliency], output=output)
    torch.testing.assert_close(captums, ours)


def test_one_output_needs_no_target():
    model, inputs = mlp(n_classes=1), torch.randn(3, 5)
    for method in ("DeepLift", "IntegratedGradients", "FeatureAblation", "Lime"):
        assert attributions_of(CaptumExplainer(method), model, inputs, None).shape == (3, 5)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = mlp()

    def forward(self, inputs, scale, power=1):
        return self.body(inputs * scale**power)


@pytest.mark.parametrize(
    "method", ["IntegratedGradients", "DeepLift", "FeatureAblation", "KernelShap", "Saliency"]
)
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.inference_mode])
def test_keyword_tensors_follow_their_samples(method, mode):
    torch.manual_seed(0)
    model, inputs, target = Scaled(), torch.randn(4, 5), torch.tensor([0, 1, 2, 1])
    scale = torch.rand(4, 1) + 0.5
    settings = {"attribute_kwargs": {"n_samples": 100}} if method == "KernelShap" else {}
    explainer = CaptumExplainer(method, **settings)

    def explained(rows):
        torch.manual_seed(1)
        kwargs = {"scale": scale[rows].clone(), "power": 2}
        with mode():
            return attributions_of(
                explainer, model, inputs[rows].clone(), target[rows].clone(), forward_kwargs=kwargs
            )

    together = explained(slice(None))
    alone = torch.cat([explained(slice(i, i + 1)) for i in range(4)])
    tolerance = 0.15 if method == "KernelShap" else 1e-5  # each call draws other coalitions
    torch.testing.assert_close(together, alone, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("method", ["DeepLift", "IntegratedGradients", "FeatureAblation"])
def test_baseline(method):
    model, inputs, baseline = mlp(), torch.randn(3, 5), torch.randn(5)
    explainer = CaptumExplainer(method, baseline="mean")
    assert explainer.uses_training_data
    assert not CaptumExplainer(method).uses_training_data
    with pytest.raises(RuntimeError, match="baseline='mean'"):
        attributions_of(explainer, model, inputs)
    explainer.fit_reference(baseline, torch.empty(0, 5))
    result = attributions_of(explainer, model, inputs)
    torch.testing.assert_close(
        result, attributions_of(CaptumExplainer(method, baseline=baseline), model, inputs)
    )
    if method != "FeatureAblation":
        difference = (model(inputs) - model(baseline[None]))[:, 1]
        torch.testing.assert_close(result.sum(1), difference, atol=2e-2, rtol=2e-2)


def test_methods_with_many_baselines():
    model, inputs, rows = mlp(), torch.randn(3, 5), torch.randn(6, 5)
    result = attributions_of(
        CaptumExplainer("DeepLiftShap", attribute_kwargs={"baselines": rows}), model, inputs
    )
    each = [
        attributions_of(CaptumExplainer("DeepLift", baseline=row), model, inputs) for row in rows
    ]
    torch.testing.assert_close(result, torch.stack(each).mean(0), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        attributions_of(CaptumExplainer("DeepLiftShap"), model, inputs),
        attributions_of(CaptumExplainer("DeepLift"), model, inputs),
    )


def test_noise_tunnel():
    model, inputs = nn.Linear(5, 3), torch.randn(3, 5)
    explainer = CaptumExplainer(
        "Saliency",
        attribute_kwargs={"abs": False},
        noise_tunnel={"nt_type": "smoothgrad", "nt_samples": 4, "stdevs": 0.5},
    )
    assert explainer.stochastic
    result = attributions_of(explainer, model, inputs, torch.tensor([0, 1, 2]))
    torch.testing.assert_close(result, model.weight.detach())


def test_arguments_of_the_constructor():
    model, inputs = mlp(), torch.randn(3, 5)
    explainer = CaptumExplainer(
        "IntegratedGradients",
        attribute_kwargs={"n_steps": 20},
        method_kwargs={"multiply_by_inputs": False},
    )
    plain = CaptumExplainer("IntegratedGradients", attribute_kwargs={"n_steps": 20})
    torch.testing.assert_close(
        attributions_of(explainer, model, inputs) * inputs, attributions_of(plain, model, inputs)
    )


def test_layers_are_resized_to_the_image():
    model, inputs = ConvNet(), torch.randn(2, 3, 8, 8)
    result = attributions_of(CaptumExplainer("LayerGradCam", layer="features.2"), model, inputs)
    expected = attr.LayerGradCam(model, model.features[2]).attribute(inputs, target=1)
    assert expected.shape == (2, 1, 4, 4)
    expected = expected.repeat_interleave(2, 2).repeat_interleave(2, 3).expand(2, 3, 8, 8)
    torch.testing.assert_close(result, expected.detach())
    smooth = CaptumExplainer("LayerGradCam", layer="features.2", interpolate_mode="bilinear")
    assert not torch.allclose(attributions_of(smooth, model, inputs), result)


def test_layers_of_the_inputs_shape_are_left_alone():
    model, inputs = nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 2)), torch.randn(3, 5)
    explainer = CaptumExplainer("LayerActivation", layer="0")
    torch.testing.assert_close(attributions_of(explainer, model, inputs), model[0](inputs).detach())


def test_layers_without_a_place_in_the_inputs_are_an_error():
    explainer = CaptumExplainer("LayerConductance", layer="0")
    with pytest.raises(ValueError, match=r"got \(3, 16\) for layer='0'"):
        attributions_of(explainer, mlp(), torch.randn(3, 5))


def test_layer_that_is_not_in_the_model():
    with pytest.raises(ValueError, match=r"layer must be one of .*'0'.* got 'head'"):
        attributions_of(CaptumExplainer("LayerGradCam", layer="head"), mlp(), torch.randn(3, 5))


def test_functions_are_explained_by_methods_that_need_no_module():
    model, inputs = mlp(), torch.randn(3, 5)

    def function(inputs):
        return model(inputs)

    assert attributions_of(CaptumExplainer("Saliency"), function, inputs).shape == (3, 5)
    with pytest.raises(TypeError, match=r"forward must be an nn\.Module"):
        attributions_of(CaptumExplainer("DeepLift"), function, inputs)


def test_bound_methods_are_hooked_through_their_module():
    class WithEmbeddings(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = mlp()

        def forward_embeddings(self, inputs):
            return self.body(inputs.mean(1))

    model, inputs = WithEmbeddings(), torch.randn(3, 4, 5)
    result = attributions_of(CaptumExplainer("DeepLift"), model.forward_embeddings, inputs)
    assert result.shape == (3, 4, 5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_dtype_is_float32_or_better(dtype):
    model, inputs = mlp().to(dtype), torch.randn(3, 5, dtype=dtype)
    result = attributions_of(CaptumExplainer("InputXGradient"), model, inputs)
    assert result.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


@pytest.mark.gpu
def test_gpu_gives_the_same_values():
    model, inputs = mlp(), torch.randn(3, 5)
    explainer = CaptumExplainer("DeepLift", baseline=torch.randn(5))
    expected = attributions_of(explainer, model, inputs)
    result = attributions_of(explainer.cuda(), model.cuda(), inputs.cuda())
    torch.testing.assert_close(result.cpu(), expected, atol=1e-4, rtol=1e-4)


def test_unknown_method_names_those_there_are():
    with pytest.raises(ValueError, match=r"method must be one of .*'DeepLift'.* got 'DeepLyft'"):
        CaptumExplainer("DeepLyft")


@pytest.mark.parametrize("method", ["FeaturePermutation", "NoiseTunnel", "LimeBase", "Attribution"])
def test_what_is_not_offered(method):
    with pytest.raises(ValueError, match="method must be one of"):
        CaptumExplainer(method)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "LayerGradCam"}, "layer must name"),
        ({"method": "DeepLift", "layer": "0"}, "layer must be None"),
        ({"method": "Saliency", "baseline": "zeros"}, "baseline must be None"),
        ({"method": "DeepLift", "baseline": "median"}, "baseline must be"),
        ({"method": "Saliency", "attribute_kwargs": {"steps": 3}}, "attribute_kwargs"),
        ({"method": "Saliency", "attribute_kwargs": {"target": 3}}, "attribute_kwargs"),
        ({"method": "FeatureAblation", "attribute_kwargs": {"target": 3}}, "attribute_kwargs"),
        ({"method": "Saliency", "method_kwargs": {"model": 3}}, "method_kwargs"),
        ({"method": "Saliency", "noise_tunnel": {"samples": 3}}, "noise_tunnel"),
        (
            {"method": "DeepLift", "baseline": 0.0, "attribute_kwargs": {"baselines": 1}},
            "attribute_kwargs",
        ),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CaptumExplainer(**arguments)


def test_repr_names_the_method():
    assert "'DeepLift'" in repr(CaptumExplainer("DeepLift"))


@pytest.mark.parametrize("method", ["DeepLift", "IntegratedGradients", "FeatureAblation"])
def test_an_empty_batch(method):
    model, nobody = nn.Linear(4, 2), torch.zeros(0).long()
    logits, (found,) = explain(model, torch.rand(0, 4), nobody, [CaptumExplainer(method)])
    assert (logits.shape, found.shape) == ((0, 2), (0, 4))
