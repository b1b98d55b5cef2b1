import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pear_lightning.explainers import ExpectedGradients, Gradient, explain
from pear_lightning.losses import RightReasonsLoss, right_reasons_loss
from pear_lightning.nn import MLP
from tests.ddp import run_distributed
from tests.reference import right_reasons as reference

CNN = nn.Sequential(
    nn.Conv2d(2, 4, 3, padding=1), nn.Softplus(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
    nn.Linear(16, 3),
)  # fmt: skip


def rows(n=6, features=5, classes=3, dtype=torch.float64):
    x, y = torch.rand(n, features, dtype=dtype), torch.randint(classes, (n,))
    return x, y, (torch.rand(n, features) > 0.6).to(dtype)


def images(n=4):
    x, y = torch.rand(n, 2, 5, 5).double(), torch.randint(3, (n,))
    return x, y, (torch.rand(n, 5, 5) > 0.5).double()


def network():
    return MLP(5, 3, (8, 8), activation="softplus").double()


# --- against the plain transcriptions ---------------------------------------------------------


def test_the_papers_sum_and_its_gradients():
    model, (x, y, mask) = network(), rows()
    _, loss = RightReasonsLoss(reduction="sum").of_model(model, (x, y, mask))
    wanted = reference.right_reasons(model, x, y, mask)
    torch.testing.assert_close(loss, wanted)
    weights = list(model.parameters())[:-1]
    torch.testing.assert_close(
        torch.autograd.grad(loss, weights), torch.autograd.grad(wanted, weights)
    )


def test_mean_and_mask_reductions_are_the_sum_divided():
    model, (x, y, mask) = network(), rows()
    total = reference.right_reasons(model, x, y, mask)
    _, mean = RightReasonsLoss().of_model(model, (x, y, mask))
    _, each = RightReasonsLoss(reduction="mask").of_model(model, (x, y, mask))
    torch.testing.assert_close(mean, total / 6)
    torch.testing.assert_close(each, total / mask.sum())
    zeros = torch.zeros(6, 5)
    assert right_reasons_loss(torch.rand(6, 5), zeros, reduction="mask") == 0  # and not 0/0


def test_the_loss_of_cdeps_repository():
    model, (x, y, mask) = CNN.double(), images()
    loss = RightReasonsLoss(reduction="sum", channels="sum", output="log_prob")
    value = loss.of_model(model, (x, y, mask))[1] / len(x) ** 2
    torch.testing.assert_close(value, reference.cdep_rrr(model, x, y, mask))


@pytest.mark.parametrize("output", ["log_prob", "logit", "max_logit"])
def test_the_loss_of_reveal2revise(output):
    model, (x, y, mask) = CNN.double(), images()
    loss = RightReasonsLoss("cosine", channels="sum", output=output)
    wanted = reference.reveal2revise_cosine(model, x, y, mask, output)
    torch.testing.assert_close(loss.of_model(model, (x, y, mask))[1], wanted)


def test_the_loss_of_robust_mlx():
    model, (x, y, mask) = network(), rows()
    loss = RightReasonsLoss("l2", "sum", output="sum_logit")
    wanted = reference.robust_mlx(model, x, y, mask)
    torch.testing.assert_close(loss.of_model(model, (x, y, mask))[1], wanted)


@pytest.mark.parametrize("output", ["max_prob", "max_log_prob", "max_logit", "sum_logit"])
def test_further_scalars(output):
    model, (x, y, _) = network(), rows()
    _, (g,) = explain(model, x, y, [Gradient()], output=output)
    for row, x_n, y_n in zip(g, x, y, strict=True):
        torch.testing.assert_close(row, reference.input_gradient(model, x_n, y_n, output))


# --- what the algebra says --------------------------------------------------------------------


def test_the_gradient_of_the_sum_of_log_probabilities_is_j_times_one_minus_k_p():
    model, (x, y, _) = network(), rows()
    logits, (g,) = explain(model, x, y, [Gradient()], output="sum_log_prob")
    for n in range(len(x)):
        jacobian = torch.autograd.functional.jacobian(lambda v: model(v[None])[0], x[n])
        torch.testing.assert_close(g[n], jacobian.T @ (1 - 3 * logits[n].softmax(0)))


def test_the_scalar_is_minus_k_times_the_cross_entropy_with_a_guess():
    logits = torch.randn(4, 3)
    guess = torch.full((4, 3), 1 / 3)
    wanted = -3 * F.cross_entropy(logits, guess, reduction="none")
    torch.testing.assert_close(F.log_softmax(logits, 1).sum(1), wanted)


def test_it_is_zero_at_the_uniform_prediction_whatever_the_weights():
    model = network()
    with torch.no_grad():  # three equal logits, far from constant
        last = model.layers[-1]
        last.weight.copy_(last.weight[:1].expand_as(last.weight))
        last.bias.zero_()
    x, y, mask = rows()
    assert model(x).std(0).min() > 1e-3
    _, loss = RightReasonsLoss().of_model(model, (x, y, mask))
    assert loss.item() < 1e-28
    _, loss = RightReasonsLoss(output="sum_logit").of_model(model, (x, y, mask))
    assert loss.item() > 1e-6


def test_the_sum_of_probabilities_is_refused():
    with pytest.raises(ValueError, match="sum to 1 for any inputs"):
        RightReasonsLoss(output="sum_prob")


@pytest.mark.parametrize("scale", [255.0, 0.1])
def test_inputs_divided_by_s_need_the_weight_divided_by_s_squared(scale):
    model, (x, y, mask) = network(), rows()

    class Rescaled(nn.Module):
        def forward(self, inputs):
            return model(scale * inputs - 3.0)

    _, loss = RightReasonsLoss().of_model(model, (x, y, mask))
    _, rescaled = RightReasonsLoss().of_model(Rescaled(), ((x + 3.0) / scale, y, mask))
    torch.testing.assert_close(rescaled / scale**2, loss)


def test_rows_stand_for_themselves_and_in_any_order():
    model, (x, y, mask) = network(), rows()
    for norm in ("squared_l2", "l1", "l2", "cosine"):
        loss = RightReasonsLoss(norm)
        whole = loss.of_model(model, (x, y, mask))[1]
        each = [loss.of_model(model, [v[n : n + 1] for v in (x, y, mask)])[1] for n in range(6)]
        torch.testing.assert_close(whole, torch.stack(each).mean())
        order = torch.randperm(6)
        torch.testing.assert_close(
            loss.of_model(model, (x[order], y[order], mask[order]))[1], whole
        )


@pytest.mark.parametrize("norm", ["squared_l2", "l1", "l2", "cosine"])
def test_derivatives(norm):
    a = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]])
    assert torch.autograd.gradcheck(lambda v: right_reasons_loss(v, mask, norm), (a,))
    assert torch.autograd.gradgradcheck(lambda v: right_reasons_loss(v, mask, norm), (a,))


@pytest.mark.parametrize("norm", ["squared_l2", "l1", "l2", "cosine"])
def test_zero_attributions_have_loss_zero_and_a_finite_gradient(norm):
    a = torch.zeros(2, 4, requires_grad=True)
    loss = right_reasons_loss(a, torch.eye(2, 4), norm)
    loss.backward()
    assert loss.item() == 0
    assert a.grad.isfinite().all()


def test_cosine_sees_small_attributions():
    a = torch.tensor([[3e-30, 4e-30]])
    assert right_reasons_loss(a, torch.tensor([[1, 0]]), "cosine").item() == pytest.approx(0.6)


def test_a_mask_over_channels_is_the_mask_of_each_channel():
    model, (x, y, mask) = CNN.double(), images()
    wanted = reference.right_reasons(model, x, y, mask[:, None].expand_as(x))
    for given in (mask, mask[:, None], mask[:, None].expand_as(x), mask.bool()):
        _, loss = RightReasonsLoss(reduction="sum").of_model(model, (x, y, given))
        torch.testing.assert_close(loss, wanted)


# --- that it trains ---------------------------------------------------------------------------


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, inputs):
        return self.head(self.layers(inputs).mean(1))


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.layers = kind(8, 6, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, inputs):
        return self.head(self.layers(inputs)[0][:, -1])


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3)), (2, 5, 5)),
        (Attention(), (4, 8)),
        (Recurrent(nn.LSTM), (4, 8)),
        (Recurrent(nn.GRU), (4, 8)),
        (MLP(5, 3, (8,)), (5,)),
    ],
    ids=["convolutions", "transformer", "LSTM", "GRU", "ReLU"],
)
def test_the_penalty_reaches_the_weights(model, shape):
    x, y = torch.rand(4, *shape), torch.randint(3, (4,))
    mask = torch.rand(4, *shape) > 0.5
    _, loss = RightReasonsLoss().of_model(model, (x, y, mask))
    loss.backward()
    parameters = dict(model.named_parameters())
    weights = [p.grad for name, p in parameters.items() if "weight" in name]
    assert all(grad is not None and grad.any() for grad in weights)
    with torch.no_grad():
        for p in parameters.values():
            p -= 0 if p.grad is None else 1e-3 * p.grad
    assert RightReasonsLoss().of_model(model, (x, y, mask))[1] < loss


def test_it_works_in_inference_mode_and_in_bfloat16():
    model, (x, y, mask) = MLP(5, 3, (8,)), rows(dtype=torch.float32)
    _, wanted = RightReasonsLoss().of_model(model, (x, y, mask))
    with torch.inference_mode():
        _, loss = RightReasonsLoss().of_model(model, (x.clone(), y, mask.clone()))
        torch.testing.assert_close(loss, wanted.detach())
        few = torch.where(torch.arange(6)[:, None] < 2, mask, 0)
        _, loss = RightReasonsLoss().of_model(model, (x.clone(), y, few))
        assert 0 < loss < wanted
    with torch.autocast("cpu", torch.bfloat16):
        _, low = RightReasonsLoss().of_model(model, (x, y, mask))
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, wanted, rtol=0.1, atol=1e-4)


def test_other_explainers_are_averaged():
    model, (x, y, mask) = network(), rows()
    background = torch.zeros(1, 5).double()
    explainers = {"gradient": Gradient(), "eg": ExpectedGradients(2, background, seed=0)}
    _, (g, phi) = explain(model, x, y, list(explainers.values()), output="sum_log_prob")
    loss = RightReasonsLoss(explainers=explainers)
    wanted = (right_reasons_loss(g, mask) + right_reasons_loss(phi, mask)) / 2
    torch.testing.assert_close(loss.of_model(model, (x, y, mask))[1], wanted)


# --- bad input --------------------------------------------------------------------------------


def test_a_mask_of_ones_is_warned_of_once():
    loss, (x, y, mask) = RightReasonsLoss(), rows()
    mask[2] = 1
    with pytest.warns(UserWarning, match="1 of 6 masks of a batch mark every feature"):
        loss.of_model(network(), (x, y, mask))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss.of_model(network(), (x, y, mask))


def test_names_that_are_not_known():
    with pytest.raises(ValueError, match=r"norm must be one of .*, got 'L2'"):
        RightReasonsLoss("L2")
    with pytest.raises(ValueError, match=r"reduction must be one of .*, got 'none'"):
        RightReasonsLoss(reduction="none")
    with pytest.raises(ValueError, match=r"channels must be one of .*, got 'mean'"):
        RightReasonsLoss(channels="mean")


def test_labels_out_of_range_are_named():
    x, y, mask = rows()
    for output in ("log_prob", "sum_log_prob"):
        with pytest.raises(ValueError, match=r"target must lie in 0\.\.2"):
            RightReasonsLoss(output=output).of_model(network(), (x, y + 3, mask))


def test_a_single_output_has_no_log_probabilities():
    x, _, mask = rows()
    with pytest.raises(ValueError, match=r"logits must be \(N, C\) with C >= 2"):
        RightReasonsLoss().of_model(nn.Linear(5, 1).double(), (x, None, mask))


def test_without_a_mask_there_is_nothing_to_punish():
    assert RightReasonsLoss()(torch.rand(2, 5)).item() == 0
    assert "norm='l1'" in repr(RightReasonsLoss("l1"))


ANNOTATIONS = {
    "uneven": torch.tensor([[1, 1, 1, 1, 0], [1, 0, 0, 0, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]]),
    "one rank has none": torch.tensor([[1, 1, 1, 0, 0], [0] * 5, [1, 0, 0, 0, 0], [0] * 5]),
    "none": torch.zeros(4, 5),
}


def gradients_with_ones_counted(rank, world_size, annotations):
    torch.manual_seed(0)
    model, (x, y, _) = MLP(5, 3, (8,), activation="tanh").double(), rows(4)
    wrapped = nn.parallel.DistributedDataParallel(model) if world_size > 1 else model
    mask = ANNOTATIONS[annotations][rank::world_size]
    x, y = x[rank::world_size], y[rank::world_size]
    task = F.cross_entropy(wrapped(x), y)
    given = mask if mask.any() else None
    loss = RightReasonsLoss(reduction="mask").of_model(model, (x, y, given))[1]
    (task + loss).backward()
    return loss.item(), [p.grad for p in model.parameters()]


@pytest.mark.ddp
@pytest.mark.parametrize("annotations", ANNOTATIONS)
def test_ones_are_counted_on_all_ranks(annotations):
    """The mean of two ratios is not the ratio of the sums."""
    alone, gradients = gradients_with_ones_counted(0, 1, annotations)
    assert (alone > 0) == bool(ANNOTATIONS[annotations].any())
    for loss, of_rank in run_distributed(gradients_with_ones_counted, annotations):
        assert loss == pytest.approx(alone)
        torch.testing.assert_close(of_rank, gradients)


def loss_of_channels(rank, world_size, channels):
    torch.manual_seed(0)
    x, y = torch.rand(4, 3, 2, 2), torch.randint(3, (4,))
    mask = torch.tensor([1, 1, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0]).view(4, 2, 2)
    model = nn.Sequential(nn.Flatten(), MLP(12, 3, (8,), activation="tanh"))
    parts = tuple(part[2 * rank :][: 4 // world_size] for part in (x, y, mask))
    return RightReasonsLoss(reduction="mask", channels=channels).of_model(model, parts)[1].item()


@pytest.mark.ddp
@pytest.mark.parametrize("channels", ["separate", "sum"])
def test_ones_that_stand_for_channels_are_counted_as_on_one_rank(channels):
    alone = loss_of_channels(0, 1, channels)
    assert run_distributed(loss_of_channels, channels) == pytest.approx([alone, alone], rel=1e-5)
