import re
import warnings
from typing import ClassVar
from weakref import WeakSet

import pytest
import torch
from torch import nn

from pear_lightning.explainers import (
    ExpectedGradients,
    GradCAM,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    Lime,
    Occlusion,
    OptimizedMask,
    RandomAttributions,
    ScoreCAM,
    SmoothGrad,
    explain,
)
from pear_lightning.masking import ColumnMasker, PatchMasker
from pear_lightning.metrics import Deletion
from pear_lightning.scoring import Batch, gradients
from pear_lightning.scoring.outputs import resolve_output
from pear_lightning.training.mode_independence import same_in_both_modes
from tests.explainers.models import (
    Checkpointed,
    ConvNet,
    CountsCalls,
    OldStyle,
    Quadratic,
    Recurrent,
    Transformer,
    mlp,
)


def five_explainers(inputs, seed=0):
    return [
        Gradient(),
        InputXGradient(baseline=0.5),
        IntegratedGradients(4, baseline=inputs.mean(0), multiply_by_inputs=False),
        SmoothGrad(3, 0.2, seed=seed),
        ExpectedGradients(3, inputs[:2], seed=seed),
    ]


def plain_gradient(model, inputs, target, output="logit"):
    """The gradient by autograd, one sample after another."""
    rows = []
    for x, y in zip(inputs, target, strict=True):
        x = x[None].clone().requires_grad_()
        logits = model(x)
        score = {
            "logit": lambda z, y=y: z[0, y],
            "prob": lambda z, y=y: z.softmax(1)[0, y],
            "log_prob": lambda z, y=y: z.log_softmax(1)[0, y],
            "sum_log_prob": lambda z: z.log_softmax(1).sum(),
            "margin": lambda z, y=y: z[0, y] - torch.cat([z[0, :y], z[0, y + 1 :]]).max(),
        }[output](logits)
        rows.append(torch.autograd.grad(score, x)[0])
    return torch.cat(rows)


CASES = [
    (mlp, (6,)),
    (lambda: mlp(activation=nn.ReLU), (6,)),
    (ConvNet, (2, 5, 4)),
    (Transformer, (3, 8)),
    (Recurrent, (3, 8)),
    (Checkpointed, (6,)),
    (OldStyle, (6,)),
    (CountsCalls, (6,)),
]
IDS = ["mlp", "relu", "conv", "transformer", "lstm", "checkpointed", "old-style", "counts-calls"]


@pytest.fixture(autouse=True)
def _quiet_fallback():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.func.vjp cannot differentiate")
        yield


@pytest.mark.parametrize(("build", "shape"), CASES, ids=IDS)
def test_fused_pass_equals_each_explainer_alone(build, shape):
    model, inputs, target = build(), torch.rand(5, *shape), torch.tensor([0, 1, 2, 1, 0])
    explainers = five_explainers(inputs)
    logits, together = explain(model, inputs, target, explainers, create_graph=True)
    torch.testing.assert_close(logits, model.eval()(inputs))
    for explainer, attributions in zip(explainers, together, strict=True):
        alone = explain(model, inputs, target, [explainer])[1][0]
        assert attributions.shape == inputs.shape
        torch.testing.assert_close(attributions, alone)


@pytest.mark.parametrize(("build", "shape"), CASES, ids=IDS)
def test_a_sample_is_explained_alike_in_any_batch(build, shape):
    model, inputs, target = build(), torch.rand(4, *shape), torch.tensor([0, 1, 2, 1])
    explainers = five_explainers(torch.rand(3, *shape))
    _, batch = explain(model, inputs, target, explainers)
    each = [explain(model, inputs[i : i + 1], target[i : i + 1], explainers)[1] for i in range(4)]
    for position, attributions in enumerate(batch):
        one_by_one = torch.cat([single[position] for single in each])
        torch.testing.assert_close(attributions, one_by_one, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("build", "shape"), CASES, ids=IDS)
def test_attributions_reach_the_weights(build, shape):
    model, inputs = build(), torch.rand(4, *shape)
    _, attributions = explain(model, inputs, 1, five_explainers(inputs), create_graph=True)
    sum(a.square().sum() for a in attributions).backward()
    reached = [n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()]
    weights = [n for n, p in model.named_parameters() if p.ndim > 1]
    assert set(weights) <= set(reached)


@pytest.mark.parametrize(("build", "shape"), CASES, ids=IDS)
@pytest.mark.parametrize("guard", [torch.no_grad, torch.inference_mode])
def test_works_without_gradients(build, shape, guard):
    model, target = build(), torch.tensor([2, 0, 1])
    inputs = torch.rand(3, *shape)
    expected = [a.detach() for a in explain(model, inputs, target, five_explainers(inputs))[1]]
    with guard():
        made_inside = inputs * 1.0
        logits, attributions = explain(
            model, made_inside, target * 1, five_explainers(inputs), create_graph=True
        )
    assert not logits.requires_grad
    for actual, wanted in zip(attributions, expected, strict=True):
        assert not actual.requires_grad
        torch.testing.assert_close(actual, wanted)


@pytest.mark.parametrize(("build", "shape"), [CASES[0], CASES[2], CASES[3]])
def test_parameter_gradients_equal_plain_double_backward(build, shape):
    model, inputs, target = build().eval(), torch.rand(4, *shape), torch.tensor([0, 1, 2, 1])
    explain(model, inputs, target, [Gradient()], create_graph=True)[1][0].square().sum().backward()
    fused = [p.grad.clone() if p.grad is not None else None for p in model.parameters()]
    model.zero_grad()
    x = inputs.clone().requires_grad_()
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        score = model(x).gather(1, target[:, None]).sum()
        torch.autograd.grad(score, x, create_graph=True)[0].square().sum().backward()
    for parameter, wanted in zip(model.parameters(), fused, strict=True):
        if wanted is None:
            assert parameter.grad is None or not parameter.grad.any()
        else:
            torch.testing.assert_close(wanted, parameter.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("output", ["logit", "prob", "log_prob", "sum_log_prob", "margin"])
def test_outputs_equal_plain_autograd(output):
    model, inputs, target = mlp(), torch.rand(4, 6), torch.tensor([0, 1, 2, 1])
    _, (attributions,) = explain(model, inputs, target, [Gradient()], output=output)
    torch.testing.assert_close(attributions, plain_gradient(model, inputs, target, output))


def test_output_may_be_a_function():
    model, inputs = mlp(), torch.rand(4, 6)
    _, (attributions,) = explain(
        model, inputs, 0, [Gradient()], output=lambda z, y: z[:, 1] - 2 * z[:, 2]
    )
    first, second = (explain(model, inputs, c, [Gradient()])[1][0] for c in (1, 2))
    torch.testing.assert_close(attributions, first - 2 * second)


def test_known_attributions_of_a_quadratic():
    model, inputs = Quadratic().double(), torch.rand(5, 4).double()
    baseline = torch.full((4,), 0.25).double()
    _, (gradient, integrated, contributions) = explain(
        model,
        inputs,
        1,
        [
            Gradient(),
            IntegratedGradients(2, baseline, multiply_by_inputs=False),
            IntegratedGradients(2, baseline),
        ],
    )
    torch.testing.assert_close(gradient, model.gradient(inputs, 1))
    # the gradient is linear, so its average on the path is its value in the middle
    middle = model.gradient((inputs + baseline) / 2, 1)
    torch.testing.assert_close(integrated, middle)
    torch.testing.assert_close(contributions, (inputs - baseline) * middle)
    difference = model(inputs)[:, 1] - model(baseline[None])[:, 1]
    torch.testing.assert_close(contributions.sum(1), difference)


def test_linear_model_has_one_slope():
    model, inputs = nn.Linear(6, 3), torch.rand(5, 6)
    slopes = [Gradient(), IntegratedGradients(3, multiply_by_inputs=False), SmoothGrad()]
    for attributions in explain(model, inputs, 2, slopes)[1]:
        torch.testing.assert_close(attributions, model.weight[2].expand(5, 6))


def test_bias_free_relu_network_is_homogeneous():
    layers = [nn.Linear(6, 16, bias=False), nn.ReLU(), nn.Linear(16, 3, bias=False)]
    model, inputs = nn.Sequential(*layers), torch.rand(5, 6)
    _, (gradient, integrated) = explain(
        model, inputs, 0, [Gradient(), IntegratedGradients(7, multiply_by_inputs=False)]
    )
    torch.testing.assert_close(gradient, integrated)


@pytest.mark.parametrize("points_per_pass", [1, 2, 5, 100])
def test_chunks_change_nothing(points_per_pass):
    model, inputs, target = mlp(), torch.rand(4, 6), torch.tensor([0, 1, 2, 1])
    explainers = five_explainers(inputs)
    whole = explain(model, inputs, target, explainers)
    parts = explain(model, inputs, target, explainers, points_per_pass=points_per_pass)
    torch.testing.assert_close(parts, whole)


def test_names_come_back_as_they_were_given():
    model, inputs = mlp(), torch.rand(4, 6)
    named = {"a": Gradient(), "b": InputXGradient()}
    logits, attributions = explain(model, inputs, 0, named)
    assert list(attributions) == ["a", "b"]
    wanted = explain(model, inputs, 0, list(named.values()))
    torch.testing.assert_close((logits, list(attributions.values())), wanted)


def test_one_forward_for_all_explainers():
    calls = []
    model = mlp()
    model.register_forward_hook(lambda *_: calls.append(1))
    inputs = torch.rand(4, 6)
    explain(model, inputs, 0, five_explainers(inputs))
    assert len(calls) == 1


def test_keyword_tensors_follow_their_samples():
    model = Transformer()
    inputs, mask = torch.rand(3, 4, 8), torch.ones(3, 4, dtype=torch.bool)
    mask[0, 2:] = False
    _, (attributions,) = explain(
        model, inputs, 1, [IntegratedGradients(3)], forward_kwargs={"mask": mask}
    )
    assert not attributions[0, 2:].any()
    assert attributions[0, :2].all()
    assert attributions[1:].all()


def test_each_module_gets_its_own_mode_back():
    model = ConvNet()
    model.body[1].eval()
    before = {name: module.training for name, module in model.named_modules()}
    state = {name: value.clone() for name, value in model.state_dict().items()}
    explain(model, torch.rand(3, 2, 5, 4), 0, [Gradient()])
    assert {name: module.training for name, module in model.named_modules()} == before
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, state[name])


def test_mode_comes_back_after_an_error():
    model = mlp().train()
    with pytest.raises(RuntimeError):
        explain(model, torch.rand(3, 7), 0, [Gradient()])
    assert all(module.training for module in model.modules())


def test_the_callers_tensors_are_left_alone():
    model, inputs = mlp(), torch.rand(4, 6)
    copy = inputs.clone()
    explain(model, inputs, 0, five_explainers(inputs), create_graph=True)[1][0].sum().backward()
    assert not inputs.requires_grad
    assert inputs.grad is None
    torch.testing.assert_close(inputs, copy)


class WritesToItsInputs(nn.Module):
    """Standardises images in place, as a first layer ``nn.ReLU(inplace=True)`` would write."""

    def __init__(self, inplace):
        super().__init__()
        self.inplace = inplace
        self.body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Softplus(), nn.Flatten(), nn.Linear(8, 3))

    def forward(self, inputs):
        return self.body(inputs.sub_(0.5).div_(0.2) if self.inplace else (inputs - 0.5) / 0.2)


@pytest.mark.parametrize("small", [0, 2**13])
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("carries_a_graph", [False, True])
def test_models_that_write_to_their_inputs_leave_them_alone(
    small, mode, carries_a_graph, monkeypatch
):
    monkeypatch.setattr(gradients, "_SMALL", small)
    model, plain = WritesToItsInputs(True), WritesToItsInputs(False)
    plain.load_state_dict(model.state_dict())
    inputs = torch.rand(4, 1, 4, 4)
    inputs = 1 * inputs.requires_grad_() if carries_a_graph else inputs
    copy = inputs.detach().clone()
    masker = PatchMasker(2)
    for explainer in (
        Gradient(), IntegratedGradients(3), GradCAM("body.0"), ScoreCAM("body.0"),
        KernelShap(masker=masker), RandomAttributions(seed=0), OptimizedMask(masker, 2),
    ):  # fmt: skip
        for create_graph in (False, True):
            with mode():
                found, wanted = (
                    explain(each, inputs, 1, [explainer], create_graph=create_graph)
                    for each in (model, plain)
                )
            torch.testing.assert_close(found, wanted)
            assert torch.equal(inputs, copy)
    with mode():
        scores = [
            Deletion(masker)(each, inputs, inputs, target=target)
            for target in (None, torch.ones(4, dtype=torch.long))
            for each in (model, plain)
        ]
        assert same_in_both_modes(model, Batch(inputs.detach()))
    assert scores[0] == scores[1]
    assert scores[2] == scores[3]
    assert torch.equal(inputs, copy)


def test_attributions_are_differentiable_in_inputs_that_require_grad():
    model = mlp().double()
    inputs = torch.rand(2, 6).double().requires_grad_()
    explainer = IntegratedGradients(3)
    assert torch.autograd.gradcheck(
        lambda x: explain(model, x, 1, [explainer], create_graph=True)[1][0], inputs
    )


def test_bf16_autocast_gives_float32_attributions():
    model, inputs = mlp(), torch.rand(4, 6)
    exact = explain(model, inputs, 0, five_explainers(inputs))[1]
    with torch.autocast("cpu", torch.bfloat16):
        logits, rounded = explain(model, inputs, 0, five_explainers(inputs))
    assert logits.dtype == torch.bfloat16
    for actual, wanted in zip(rounded, exact, strict=True):
        assert actual.dtype == torch.float32
        torch.testing.assert_close(actual, wanted, rtol=0.1, atol=0.02)


@pytest.mark.slow
def test_compiles_in_one_graph():
    model, inputs, target = mlp(), torch.rand(4, 6), torch.tensor([0, 1, 2, 1])
    explainers = [Gradient(), IntegratedGradients(3, inputs.mean(0))]

    def loss():
        logits, (a, b) = explain(model, inputs, target, explainers, create_graph=True)
        return logits.square().mean() + (a - b).square().mean()

    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    loss().backward()
    wanted = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    compiled().backward()
    for parameter, gradient in zip(model.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    assert model.training


def test_compiled_backbone_is_unwrapped_with_a_warning():
    model, inputs = mlp(), torch.rand(4, 6)
    with pytest.warns(UserWarning, match="Compile the function that calls explain"):
        _, (actual,) = explain(torch.compile(model, backend="eager"), inputs, 0, [Gradient()])
    torch.testing.assert_close(actual, explain(model, inputs, 0, [Gradient()])[1][0])


def test_fallback_says_so_once():
    model, inputs = Checkpointed(), torch.rand(2, 6)
    with pytest.warns(UserWarning, match=r"torch.func.vjp cannot differentiate Checkpointed"):
        explain(model, inputs, 0, [Gradient()])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explain(model, inputs, 0, [Gradient()])


def test_full_backward_hooks_fall_back():
    model, inputs = mlp(), torch.rand(2, 6)
    wanted = explain(model, inputs, 0, [Gradient()])[1][0]
    model[0].register_full_backward_hook(lambda *_: None)
    torch.testing.assert_close(explain(model, inputs, 0, [Gradient()])[1][0], wanted)


def test_single_output_needs_no_target():
    model, inputs = nn.Linear(6, 1), torch.rand(4, 6)
    for forward in (model, lambda x: model(x).squeeze(1)):
        logits, (attributions,) = explain(forward, inputs, None, [Gradient()])
        assert logits.shape == (4, 1)
        torch.testing.assert_close(attributions, model.weight.expand(4, 6))


def test_output_that_mixes_samples_is_refused():
    with pytest.raises(ValueError, match=r"one scalar per row of the logits, \(4,\)"):
        explain(mlp(), torch.rand(4, 6), 0, [Gradient()], output=lambda logits, _: logits.sum())


@pytest.mark.parametrize("explainer", [Gradient(), KernelShap(8), Occlusion()])
@pytest.mark.parametrize(
    "output",
    [lambda logits, _: logits, lambda logits, target: logits.gather(1, target[:, None])],
    ids=["all classes", "a column"],
)
def test_output_of_several_numbers_is_refused(explainer, output):
    with pytest.raises(ValueError, match=r"one scalar per row .*\(\d+,\), got \(\d+, "):
        explain(mlp(), torch.rand(4, 6), 0, [explainer], output=output)


def test_explainers_of_the_same_gradients_share_no_memory():
    model, inputs = mlp(), torch.rand(4, 6)
    wanted = explain(model, inputs, 0, [Gradient()])[1][0]
    for grad in (torch.enable_grad, torch.no_grad):
        with grad():
            _, (first, second) = explain(model, inputs, 0, [Gradient(), Gradient()])
            first.zero_()
        torch.testing.assert_close(second, wanted)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(
    "explainer",
    [
        *five_explainers(torch.rand(2, 12)),
        RandomAttributions(),
        RandomAttributions(seed=0, per_sample=True),
        Occlusion(),
        Lime(20),
        Lime(20, penalty="ridge", masker=ColumnMasker(12)),
        KernelShap(20),
        KernelShap(20, seed=0),
        KernelShap(20, paired=False, masker=ColumnMasker(12)),
        KernelShap(20, masker=ColumnMasker(12, [[0, 1], [2, 3]])),
    ],
    ids=lambda each: type(each).__name__,
)
def test_empty_batch(explainer, create_graph):
    logits, (attributions,) = explain(
        mlp(12), torch.rand(0, 12), torch.zeros(0).long(), [explainer], create_graph=create_graph
    )
    assert logits.shape == (0, 3)
    assert attributions.shape == (0, 12)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_inputs_that_are_not_finite(bad):
    inputs = torch.rand(4, 6)
    inputs[2, 3] = bad
    with pytest.raises(ValueError, match="inputs"):
        explain(mlp(), inputs, 0, [Gradient()])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"inputs": torch.ones(4, 6).long()}, TypeError, "inputs must be floating point"),
        ({"inputs": torch.rand(6)}, ValueError, "inputs must have a batch dimension"),
        ({"target": torch.ones(4)}, TypeError, "target must hold class indices"),
        ({"target": torch.ones(3).long()}, ValueError, "target must have one class index per"),
        ({"target": torch.tensor([0, 1, 3, 0])}, ValueError, "target must lie in 0..2"),
        ({"target": -1}, ValueError, "target must lie in 0..2"),
        ({"target": None}, ValueError, "target must name one of the 3 outputs"),
        ({"output": "probability"}, ValueError, "output must be one of"),
        ({"points_per_pass": 0}, ValueError, "points_per_pass must be at least 1"),
        ({"forward_kwargs": {"mask": torch.ones(3)}}, ValueError, "forward_kwargs['mask'] must"),
        ({"explainers": Gradient()}, TypeError, "explainers must be a sequence or a mapping"),
        ({"explainers": [Gradient]}, TypeError, "explainers must be a sequence or a mapping"),
        ({"forward": lambda x: (x, x)}, TypeError, "forward must return a tensor"),
        ({"forward": lambda x: x[:2]}, ValueError, "forward must return logits (N, C) with N ="),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    good = {"forward": mlp(), "inputs": torch.rand(4, 6), "target": 0, "explainers": [Gradient()]}
    with pytest.raises(error, match=re.escape(message)):
        explain(**good | arguments)


@pytest.mark.parametrize("output", ["prob", "log_prob", "sum_log_prob", "margin"])
def test_one_output_has_nothing_to_be_compared_with(output):
    with pytest.raises(ValueError, match=f"C >= 2 for output='{output}', .* use output='logit'"):
        explain(nn.Linear(6, 1), torch.rand(4, 6), None, [Gradient()], output=output)


def test_probabilities_are_float32_in_half_precision():
    logits = torch.tensor([[8.0, 0.0], [0.0, 8.0]], dtype=torch.bfloat16)
    result = resolve_output("prob")(logits, torch.tensor([0, 0]))
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, logits.float().softmax(1)[:, 0])
    model, inputs = mlp(), torch.rand(4, 6)
    with torch.autocast("cpu", torch.bfloat16):
        explain(model, inputs, 0, five_explainers(inputs), output="prob")


class _Graph:
    """Lives as long as the graph of a pass."""


class _Marked(torch.autograd.Function):
    generate_vmap_rule = True
    graphs: ClassVar[WeakSet[_Graph]] = WeakSet()

    @staticmethod
    def forward(x):
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.graph = _Graph()
        _Marked.graphs.add(ctx.graph)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def test_a_plain_call_keeps_the_graph_of_one_pass_at_a_time():
    layer, alive = nn.Linear(4, 2), []

    class Model(nn.Module):
        def forward(self, x):
            y = _Marked.apply(layer(x).tanh())
            alive.append(len(_Marked.graphs))
            return y

    explain(Model(), torch.randn(3, 4), 0, [IntegratedGradients(6)], points_per_pass=1)
    assert len(alive) == 7
    assert max(alive) <= 2
    alive.clear()
    results = explain(
        Model(), torch.randn(3, 4), 0, [IntegratedGradients(6)],
        points_per_pass=1, create_graph=True,
    )  # fmt: skip
    assert alive[-1] >= 7
    del results


def test_a_plain_call_keeps_no_graph():
    model, inputs = mlp(), torch.rand(4, 6)
    explainers = {"gradient": Gradient(), "shap": KernelShap(8), "occlusion": Occlusion()}
    logits, attributions = explain(model, inputs, 0, explainers)
    assert not logits.requires_grad
    assert not any(each.requires_grad for each in attributions.values())
    logits, attributions = explain(model, inputs, 0, explainers, create_graph=True)
    assert logits.requires_grad
    assert all(each.requires_grad for each in attributions.values())
    with torch.no_grad():
        _, attributions = explain(model, inputs, 0, explainers, create_graph=True)
    assert not any(each.requires_grad for each in attributions.values())


@pytest.mark.parametrize(
    "explainer",
    [KernelShap(8), Lime(8, penalty="ridge"), Lime(8, alpha=0), Occlusion()],
    ids=["shap", "ridge", "least squares", "occlusion"],
)
def test_attributions_without_gradients_train_the_model(explainer):
    model, inputs = mlp().double(), torch.rand(4, 6).double()
    first = model[0].weight

    def attributions(weight):
        torch.manual_seed(0)

        def forward(x):
            return torch.func.functional_call(model, {"0.weight": weight}, (x,))

        return explain(forward, inputs, 0, [explainer], create_graph=True)[1][0]

    assert explainer.differentiable
    assert torch.autograd.gradcheck(attributions, first.detach().requires_grad_())
