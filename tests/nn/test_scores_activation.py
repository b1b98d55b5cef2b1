import copy
import itertools
import math
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.parallel import DistributedDataParallel

from pear_lightning.nn import MLP, CancelOut, GatedBackbone, ScoresActivation
from tests.ddp import run_distributed
from tests.reference import scores_activation as reference


def set_scores(gate, *values):
    with torch.no_grad():
        gate.s.copy_(torch.tensor(values))
    return gate


def randomized(*args, **kwargs):
    gate = ScoresActivation(*args, **kwargs)
    return set_scores(gate, *torch.randn(gate.n_features).tolist())


# --- the formula ------------------------------------------------------------------------------


def test_scores_are_alike_at_first():
    torch.testing.assert_close(ScoresActivation(5).scores, torch.full((5,), 0.2))


@pytest.mark.parametrize("training", [True, False])
def test_output_is_the_softmax_times_the_inputs(training):
    gate = randomized(5).train(training)
    x = torch.randn(4, 5)
    w = reference.softmax(gate.s.tolist())
    torch.testing.assert_close(gate(x), torch.tensor(reference.gated(x, w)))
    torch.testing.assert_close(gate.scores, torch.tensor(w))


def test_temperature_and_rescale():
    gate = randomized(5, temperature=0.5, rescale=1.0)
    x = torch.randn(4, 5)
    w = reference.softmax(gate.s.tolist(), 0.5)
    torch.testing.assert_close(gate(x), 5 * torch.tensor(reference.gated(x, w)))
    torch.testing.assert_close(gate.scores, torch.tensor(w))
    torch.testing.assert_close(gate.factors.mean(), torch.tensor(1.0))


def test_gradient_of_the_scores_is_the_derived_one():
    gate = randomized(5).double()
    x = torch.randn(7, 5, dtype=torch.float64)
    y = gate(x)
    y.retain_grad()
    F.cross_entropy(MLP(5).double()(y), torch.randint(2, (7,))).backward()
    wanted = reference.gradient_of_scores(gate.scores.tolist(), x, y.grad)
    torch.testing.assert_close(gate.s.grad, torch.tensor(wanted, dtype=torch.float64))
    assert gate.s.grad.abs().min() > 0
    assert abs(gate.s.grad.sum()) < 1e-12  # adding a number to all s changes nothing


def test_second_derivatives():
    gate = randomized(3, entropy_weight=0.1).double()
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)

    def output(x, s):
        return torch.func.functional_call(gate, {"s": s}, (x,)).tanh()

    s = gate.s.detach().requires_grad_()
    assert torch.autograd.gradcheck(output, (x, s))
    assert torch.autograd.gradgradcheck(output, (x, s))


def test_entropy():
    gate = randomized(6)
    torch.testing.assert_close(
        gate.entropy().item(), reference.entropy(gate.scores.tolist()), rtol=1e-5, atol=0
    )
    assert ScoresActivation(6).entropy().item() == pytest.approx(math.log(6))
    sure = set_scores(ScoresActivation(2, entropy_weight=1.0), 0.0, 500.0)
    assert sure.entropy() == 0
    sure.penalty().backward()
    assert torch.isfinite(sure.s.grad).all()


def test_entropy_term_sharpens():
    gate = randomized(6, entropy_weight=0.3)
    torch.testing.assert_close(gate.penalty(), 0.3 * gate.entropy())
    before = gate.entropy().item()
    optimizer = torch.optim.SGD(gate.parameters(), lr=1.0)
    for _ in range(20):
        optimizer.zero_grad()
        gate.penalty().backward()
        optimizer.step()
    assert gate.entropy() < before - 0.1
    assert ScoresActivation(6).penalty() is None


def test_softmax_cancel_out_is_the_same_formula():
    ours, theirs = (
        ScoresActivation(4),
        CancelOut(4, activation="softmax", l1_weight=0, variance_weight=0),
    )
    assert theirs.penalty() is None
    x, target = torch.randn(32, 4), torch.randint(2, (32,))
    network = MLP(4, hidden_features=(8,))
    results = []
    for gate in (ours, theirs):
        model = nn.Sequential(gate, copy.deepcopy(network))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        for _ in range(5):
            optimizer.zero_grad()
            F.cross_entropy(model(x), target).backward()
            optimizer.step()
        results.append(gate.factors)
    assert (results[0] - 0.25).abs().max() > 1e-4
    torch.testing.assert_close(*results)


# --- where the features lie -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "axis"), [((4, 5), -1), ((4, 5), 1), ((4, 7, 5), -1), ((4, 5, 7), 1),
                        ((4, 5, 3, 2), 1), ((4, 5, 3, 2), -3), ((4, 3, 5, 2), 2)],
)  # fmt: skip
@pytest.mark.parametrize("instance_wise", [False, True])
def test_any_axis(shape, axis, instance_wise):
    gate = randomized(5, axis=axis, instance_wise=instance_wise)
    x = torch.randn(shape)
    moved = gate(x).movedim(axis, -1)
    wanted = x.movedim(axis, -1) * gate.scores
    if not instance_wise:
        torch.testing.assert_close(moved, wanted)
    assert gate(x).shape == shape


def test_columns_of_a_group_share_one_score():
    gate = randomized(5, groups=[0, 0, 2, 1, 2])
    assert gate.n_features == 3
    w = gate.scores
    x = torch.randn(4, 5)
    torch.testing.assert_close(gate(x), x * torch.stack([w[0], w[0], w[2], w[1], w[2]]))
    torch.testing.assert_close(gate.scores.sum(), torch.tensor(1.0))
    one_each = ScoresActivation(4, groups=range(4))
    torch.testing.assert_close(one_each(x[:, :4]), ScoresActivation(4)(x[:, :4]))


def test_groups_along_channels():
    gate = randomized(4, axis=1, groups=[0, 1, 1, 0])
    x = torch.randn(2, 4, 3, 3)
    wanted = x * gate.scores[[0, 1, 1, 0]][:, None, None]
    torch.testing.assert_close(gate(x), wanted)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_features": 0}, "in_features must be at least 1, got 0"),
        ({"axis": 0}, "axis must not be 0, the batch"),
        ({"groups": [0, 1]}, "of each of the 3 entries, got 2"),
        ({"groups": [0, 2, 2]}, r"each number from 0 to G - 1, got \[0, 2\]"),
        ({"temperature": 0}, "temperature must be above 0"),
        ({"temperature": float("nan")}, "temperature must be above 0"),
        ({"entropy_weight": -1}, "entropy_weight must not be negative"),
        ({"entropy_weight": 1, "instance_wise": True}, "must be 0 with instance_wise, got 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ScoresActivation(**{"in_features": 3} | arguments)


@pytest.mark.parametrize(
    ("shape", "axis"), [((8, 4), -1), ((3,), -1), ((8, 3, 5), -1), ((8, 5, 3), 1), ((3, 8), -2),
                        ((8, 3), 2)],
)  # fmt: skip
def test_a_wrong_number_of_features_is_an_error(shape, axis):
    with pytest.raises(ValueError, match=f"must have 3 features along axis {axis}, "):
        ScoresActivation(3, axis=axis)(torch.randn(shape))


# --- the instance-wise variant ----------------------------------------------------------------


def test_instance_wise_starts_as_the_literal_form_and_then_depends_on_the_row():
    gate, literal = ScoresActivation(4, instance_wise=True), ScoresActivation(4)
    x, target = torch.randn(64, 4), torch.randn(64, 4)
    torch.testing.assert_close(gate(x), literal(x))
    F.mse_loss(gate(x), target).backward()
    assert gate.s.grad.any()
    assert gate.of_row.weight.grad.any()
    nn.init.normal_(gate.of_row.weight)
    logits = gate.s + x @ gate.of_row.weight.T
    torch.testing.assert_close(gate(x), x * torch.softmax(logits, dim=1))
    assert gate.weights(x).std(dim=0).min() > 0.01


def test_instance_wise_score_is_the_mean_over_the_training_batches():
    gate = ScoresActivation(4, instance_wise=True)
    nn.init.normal_(gate.of_row.weight)
    batches = torch.randn(10, 16, 4)
    for batch in batches:
        gate(batch)
    gate.eval()
    torch.testing.assert_close(gate.scores, gate.weights(batches.flatten(0, 1)).mean(dim=0))
    before = gate.scores
    gate(torch.randn(16, 4))
    torch.testing.assert_close(gate.scores, before)  # evaluation changes nothing


def test_instance_wise_score_follows_the_training_in_half_precision():
    """A step of 1 % of the mean would be rounded away in bfloat16."""
    moved, x = torch.tensor([0.3, 0.1, -0.1, -0.3]), torch.randn(16, 4)
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        gate = ScoresActivation(4, instance_wise=True, check_scale=False).to(dtype)
        with torch.no_grad():
            for _ in range(200):
                gate(x.to(dtype))
            gate.s.copy_(moved)
            for _ in range(1000):
                gate(x.to(dtype))
        assert gate.scores.dtype == (dtype if dtype == torch.float64 else torch.float32)
        torch.testing.assert_close(
            gate.scores, gate.weights(x.to(dtype))[0].detach(), rtol=0, atol=1e-5
        )
        assert gate.batches_seen == 1201


def test_a_mean_saved_in_floating_point_is_read():
    gate = ScoresActivation(4, instance_wise=True)
    mean = torch.tensor([0.4, 0.3, 0.2, 0.1])
    state = gate.state_dict() | {"mean_weights": mean, "batches_seen": torch.tensor(7.0)}
    gate.load_state_dict(state)
    torch.testing.assert_close(gate.scores, mean)
    assert gate.batches_seen == 7


# --- rules of the house -----------------------------------------------------------------------


@pytest.mark.parametrize("instance_wise", [False, True])
def test_a_row_does_not_depend_on_the_others(instance_wise):
    gate = randomized(5, instance_wise=instance_wise)
    if instance_wise:
        nn.init.normal_(gate.of_row.weight)
    x = torch.randn(6, 5)
    torch.testing.assert_close(gate(x), torch.cat([gate(row[None]) for row in x]))


def test_bf16_inputs_keep_their_dtype_and_the_softmax_its_precision():
    gate = randomized(300)
    x = torch.randn(4, 300)
    y = gate(x.bfloat16())
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), gate(x), rtol=2e-2, atol=1e-6)
    with torch.autocast("cpu", torch.bfloat16):
        assert gate(x).dtype == torch.float32
    whole = copy.deepcopy(gate).bfloat16()
    assert whole.scores.dtype == torch.float32
    torch.testing.assert_close(whole.scores.sum(), torch.tensor(1.0))


def test_state_reloads():
    for kwargs in ({}, {"groups": [0, 1, 1]}, {"instance_wise": True}):
        gate = randomized(3, **kwargs)
        gate(torch.randn(32, 3))
        again = ScoresActivation(3, **kwargs)
        again.load_state_dict(gate.state_dict())
        torch.testing.assert_close(again.scores, gate.scores)
    assert list(ScoresActivation(3, groups=[0, 1, 1]).state_dict()) == ["s"]


def gradients_of_rank(rank, world_size, instance_wise):
    torch.manual_seed(0)
    model = GatedBackbone(ScoresActivation(5, instance_wise=instance_wise), MLP(5))
    x, target = torch.randn(16, 5), torch.randint(2, (16,))
    step = DistributedDataParallel(model) if world_size > 1 else model
    for _ in range(2):
        model.zero_grad()
        F.cross_entropy(step(x[rank::world_size]), target[rank::world_size]).backward()
    return [p.grad for p in model.gate.parameters()]


@pytest.mark.ddp
@pytest.mark.parametrize("instance_wise", [False, True])
def test_two_ranks_have_the_gradients_of_one_process(instance_wise):
    alone = gradients_of_rank(0, 1, instance_wise)
    for of_rank in run_distributed(gradients_of_rank, instance_wise):
        torch.testing.assert_close(of_rank, alone, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kwargs", [{}, {"groups": [0, 0, 1, 2, 2]}, {"instance_wise": True}])
@pytest.mark.parametrize("place", [None, "layers"])
def test_export_takes_batches_of_any_size(kwargs, place):
    model = GatedBackbone(randomized(5, **kwargs), MLP(5), place).eval()
    rows = torch.export.Dim("rows", min=1)
    program = torch.export.export(model, (torch.randn(4, 5),), dynamic_shapes={"inputs": {0: rows}})
    x = torch.randn(9, 5)
    torch.testing.assert_close(program.module()(x), model(x))


def test_export_of_a_module_that_is_in_training_is_silent():
    torch.export.export(ScoresActivation(3).train(), (torch.randn(64, 3) * 1000 + 5000,))


@pytest.mark.skipif(torch.__version__ < "2.9", reason="the exporter is newer")
def test_onnx_export():
    pytest.importorskip("onnxscript")
    from onnx.reference import ReferenceEvaluator

    model = GatedBackbone(randomized(5), MLP(5)).eval()
    x = torch.randn(4, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        program = torch.onnx.export(model, (x,), dynamo=True, verbose=False)
    (name,) = (each.name for each in program.model_proto.graph.input)
    (logits,) = ReferenceEvaluator(program.model_proto).run(None, {name: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(logits), model(x).detach())


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # torch's compiler calls what torch deprecated
@pytest.mark.parametrize("kwargs", [{}, {"instance_wise": True}])
def test_compiled_gate_equals_the_eager_one(kwargs):
    gate = randomized(5, check_scale=True, **kwargs)
    x = torch.randn(64, 5) * 100 + 5000  # silent about it: nothing is looked at
    compiled = torch.compile(gate, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), gate.eval()(x))


# --- the warning ------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [torch.tensor([1.0, 1.0, 60.0]), torch.tensor([1.0, 0.001, 1.0])])
def test_inputs_of_unlike_spread_are_warned_about_once(scale):
    gate = ScoresActivation(3)
    gate(torch.randn(4, 3) * scale)  # too few rows to tell
    gate.eval()(torch.randn(64, 3) * scale)
    gate.train()
    with pytest.warns(UserWarning, match="not standardised: .* differ by a factor of"):
        gate(torch.randn(64, 3) * scale)
    gate(torch.randn(64, 3) * scale)


def test_inputs_far_from_zero_are_warned_about():
    with pytest.warns(UserWarning, match="standard deviations from 0"):
        ScoresActivation(2)(torch.randn(64, 2) + torch.tensor([0.0, 1990.0]))


@pytest.mark.parametrize("seed", range(3))
def test_standardised_inputs_are_not_warned_about(seed):
    torch.manual_seed(seed)
    x = torch.randn(16, 100)
    x[:, 0] = 3.0  # constant in this batch
    x[:, 1] = torch.nn.functional.one_hot(torch.tensor(3), 16) * 10.0 - 0.1  # a rare yes
    x[:, 2] = torch.nn.functional.one_hot(torch.tensor(3), 16)  # a yes or no that was left alone
    ScoresActivation(100)(x)
    ScoresActivation(100, check_scale=False)(1000 * x + 5000)


def test_warning_stays_out_of_function_transforms():
    gate, x = ScoresActivation(3), 1000 * torch.randn(64, 3) + 5000
    torch.func.vmap(gate)(x[:, None])
    torch.func.vjp(gate, x)


# --- what the scores are not, as facts --------------------------------------------------------


def trained(x, target):
    """Scores after training a gate and a linear model that starts without a preference."""
    gate = ScoresActivation(x.shape[1], check_scale=False)
    model = nn.Sequential(gate, nn.Linear(x.shape[1], 2))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[-0.3], [0.3]]))
    rates = [{"params": gate.parameters(), "lr": 0.1}, {"params": model[1].parameters()}]
    optimizer = torch.optim.Adam(rates, lr=0.01)
    for _ in range(20):
        optimizer.zero_grad()
        F.cross_entropy(model(x), target).backward()
        optimizer.step()
    return gate.scores


def rows_with_two_relevant_features(columns=4):
    """Rows whose first two features play one part: each row also comes with the two swapped."""
    x = torch.randn(128, columns)
    x = torch.cat([x, x[:, [1, 0, *range(2, columns)]]])
    return x, (x[:, 0] + x[:, 1] > 0).long()


def test_relevant_features_get_the_larger_scores():
    scores = trained(*rows_with_two_relevant_features(6))
    assert set(scores.topk(2).indices.tolist()) == {0, 1}
    assert scores[:2].sum() > 0.6


def test_a_feature_and_its_copy_share_the_score():
    x, target = rows_with_two_relevant_features()
    alone = trained(x, target)
    twice = trained(torch.cat([x, x[:, :1]], dim=1), target)
    torch.testing.assert_close(twice[0], twice[-1])
    assert twice[0] < 0.85 * alone[0]


def test_the_scale_of_a_feature_changes_its_score():
    x, target = rows_with_two_relevant_features()
    plain = trained(x, target)
    torch.testing.assert_close(plain[0], plain[1])
    for factor in (0.2, 5.0):
        scaled = trained(x * torch.tensor([factor, 1, 1, 1]), target)
        assert (scaled[0] / scaled[1]).log().abs() > 0.5


def test_the_gate_that_a_scaled_feature_needs_is_scaled_the_other_way():
    gate, x, scale = randomized(4), torch.randn(8, 4), torch.tensor([0.1, 1, 2, 30])
    factors = gate.factors / scale
    torch.testing.assert_close((x * scale) * factors, gate(x))


def test_weights_and_the_next_layer_cannot_be_told_apart_but_effective_scores_can():
    gate, layer = randomized(4), nn.Linear(4, 3)
    x = torch.randn(8, 4)
    wanted = layer(gate(x))
    effective = gate.effective_scores(layer.weight)
    torch.testing.assert_close(
        effective, torch.tensor(reference.effective_scores(gate.scores.tolist(), layer.weight))
    )
    shift = torch.tensor([1.0, -1.0, 0.5, 0.0])
    before = gate.scores
    with torch.no_grad():
        gate.s += shift
        layer.weight *= before / gate.scores
    assert (gate.scores - before).abs().max() > 0.1  # other scores ...
    torch.testing.assert_close(layer(gate(x)), wanted)  # ... of the same function
    torch.testing.assert_close(gate.effective_scores(layer.weight), effective)


def test_effective_score_of_a_group_and_of_a_convolution():
    gate, layer = randomized(3, groups=[0, 1, 0], rescale=1), nn.Linear(3, 2)
    wanted = gate.factors * torch.stack([layer.weight[:, [0, 2]].norm(), layer.weight[:, 1].norm()])
    torch.testing.assert_close(gate.effective_scores(layer.weight), wanted)
    gate, layer = randomized(3, axis=1), nn.Conv2d(3, 5, 3)
    wanted = gate.scores * layer.weight.transpose(0, 1).flatten(1).norm(dim=1)
    torch.testing.assert_close(gate.effective_scores(layer.weight), wanted.detach())
    with pytest.raises(ValueError, match=r"shape \(out, 3\) or .* got \(2, 4\)"):
        gate.effective_scores(torch.ones(2, 4))


def test_one_feature_more_lowers_the_others_and_a_constant_one_keeps_a_score():
    x, target = rows_with_two_relevant_features()
    with_constant = trained(torch.cat([x, torch.ones(len(x), 1)], dim=1), target)
    assert (ScoresActivation(5).scores < ScoresActivation(4).scores[0]).all()
    assert with_constant[-1] > 0


def test_no_global_gate_marks_the_features_of_every_row_of_syn4():
    # rows with x11 < 0 depend on 1, 2 (and 11), the others on 3-6 (and 11)
    relevant = torch.zeros(2, 11)
    relevant[0, [0, 1, 10]] = relevant[1, [2, 3, 4, 5, 10]] = 1
    for bits in itertools.product([0, 1], repeat=11):
        selected = torch.tensor(bits)
        found = (selected * relevant).sum(1) / relevant.sum(1)
        wrong = (selected * (1 - relevant)).sum(1) / max(1, sum(bits))
        assert found.min() < 1 or wrong.max() > 0
    gate = randomized(11)
    x = torch.randn(64, 11)
    rows = gate(x) / x
    assert (rows.std(dim=0) < 1e-6).all()  # the same factors on both sides of x11 = 0
    variant = randomized(11, instance_wise=True)
    with torch.no_grad():
        variant.of_row.weight[[0, 1], 10] = -3.0
        variant.of_row.weight[2:6, 10] = 3.0
    low, high = variant.weights(x)[x[:, 10] < -1], variant.weights(x)[x[:, 10] > 1]
    assert low[:, :2].mean() > 3 * high[:, :2].mean()  # what the instance-wise variant can say
    assert high[:, 2:6].mean() > 3 * low[:, 2:6].mean()
