"""What every loss of the model itself, not of attributions, must do: checks by name."""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

CLASSES = 3
AN_IDENTITY_THAT_IS_NOT_AFFINE = [nn.LeakyReLU(1.0)]  # to interval arithmetic, by its type


def network(dropout=0.3):
    """A CNN that differs between training and inference."""
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
        nn.MaxPool2d(2), nn.Dropout(dropout), nn.Flatten(), nn.Linear(36, 8), nn.ReLU(),
        nn.Linear(8, CLASSES),
    )  # fmt: skip


def batch(rows=6, annotated=6):
    x, y = torch.rand(rows, 2, 6, 6), torch.randint(CLASSES, (rows,))
    mask = torch.zeros(rows, 6, 6)
    mask[:annotated, :3, :2] = 1
    return x, y, mask


def reaches_the_weights(loss):
    model = network()
    loss.of_model(model, batch())[1].backward()
    for name, parameter in model.named_parameters():
        if name in ("0.weight", "6.weight"):
            assert parameter.grad.isfinite().all()
            assert parameter.grad.any(), name
    assert model.training
    assert all(each.training for each in model.modules())


def runs_the_model_as_at_inference(loss):
    model, (x, y, mask) = network(0.9), batch()
    mean = model[1].running_mean.clone()
    first, second = (loss.of_model(model, (x, y, mask))[1] for _ in range(2))
    assert torch.equal(first, second)
    torch.testing.assert_close(first, loss.of_model(model.eval(), (x, y, mask))[1])
    assert torch.equal(model[1].running_mean, mean)


def without_annotations_it_is_zero_and_leaves_the_model_alone(loss):
    def never(inputs):
        raise AssertionError

    x, y, mask = batch(annotated=0)
    for given in (None, mask):
        logits, value = loss.of_model(never, (x, y, given))
        assert (logits, value.item(), value.requires_grad) == (None, 0.0, False)


def rows_without_annotations_cost_nothing(loss):
    model, (x, y, mask) = network().eval(), batch(annotated=2)
    logits, few = loss.of_model(model, (x, y, mask))
    assert logits is None
    alone = loss.of_model(model, (x[:2], y[:2], mask[:2]))[1]
    torch.testing.assert_close(few, alone * 2 / 6)


def rows_stand_for_themselves(loss):
    model, (x, y, mask) = network().double(), batch()
    x = x.double()
    each = [loss.of_model(model, (x[[n]], y[[n]], mask[[n]]))[1] for n in range(6)]
    whole = loss.of_model(model, (x, y, mask))[1]
    torch.testing.assert_close(whole, torch.stack(each).mean())
    order = torch.randperm(6)
    torch.testing.assert_close(loss.of_model(model, (x[order], y[order], mask[order]))[1], whole)


def works_in_inference_mode_and_under_no_grad(loss):
    model, (x, y, mask) = network(), batch()
    wanted = loss.of_model(model, (x, y, mask))[1].detach()
    with torch.no_grad():
        value = loss.of_model(model, (x, y, mask))[1]
        torch.testing.assert_close(value, wanted)
        assert not value.requires_grad
    with torch.inference_mode():
        torch.testing.assert_close(
            loss.of_model(model, (x.clone(), y.clone(), mask.clone()))[1], wanted
        )


def is_float32_under_bfloat16(loss):
    model, (x, y, mask) = network(), batch()
    wanted = loss.of_model(model, (x, y, mask))[1]
    with torch.autocast("cpu", torch.bfloat16):
        low = loss.of_model(model, (x, y, mask))[1]
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, wanted, rtol=0.1, atol=1e-3)


def is_float32_of_a_model_in_half_precision(loss):
    """A model that was converted as a whole, as a trainer of "bf16-true" or "16-true" does it."""
    for dtype in (torch.bfloat16, torch.float16):
        model, (x, y, mask) = network().to(dtype), batch()
        value = loss.of_model(model, (x.to(dtype), y, mask))[1]
        value.backward()
        fine = network().eval()
        fine.load_state_dict(model.state_dict())
        wanted = loss.of_model(fine, (x.to(dtype).float(), y, mask))[1]
        wanted.backward()
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, wanted)
        both = list(zip(model.parameters(), fine.parameters(), strict=True))
        assert all(coarse.dtype == dtype for coarse, _ in both)
        coarse = torch.cat(
            [each.grad.flatten().float() for each, _ in both if each.grad is not None]
        )
        exact = torch.cat([each.grad.flatten() for _, each in both if each.grad is not None])
        # not closer: those of two passes, which may cancel, are added up in the weights' type
        torch.testing.assert_close(coarse, exact, rtol=0, atol=0.05 * exact.abs().max().item())


def passes_keyword_tensors_with_their_rows(loss):
    class Shifted(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network()

        def forward(self, inputs, shift):
            return self.network(inputs) + shift[:, None] * 0

    model, (x, y, mask) = Shifted(), batch(annotated=2)
    named = model.network if not hasattr(loss, "layer") else None
    value = loss.of_model(model, (x, y, mask, {"shift": torch.rand(6)}))[1]
    if named is not None:
        torch.testing.assert_close(value, loss.of_model(named, (x, y, mask))[1])


def trains_beside_a_task_loss(loss):
    model, (x, y, mask) = network(), batch()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    model.eval()
    first = loss.of_model(model, (x, y, mask))[1]
    for _ in range(5):
        optimizer.zero_grad()
        value = loss.of_model(model, (x, y, mask))[1]
        (0 * nn.functional.cross_entropy(model(x), y) + value).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    assert loss.of_model(model, (x, y, mask))[1] < first


def one_mask_applies_to_all_rows(loss):
    model, (x, y, mask) = network().eval(), batch()
    torch.manual_seed(0)
    one = loss.of_model(model, (x, y, mask[:1]))[1]
    torch.manual_seed(0)
    torch.testing.assert_close(one, loss.of_model(model, (x, y, mask[:1].expand_as(mask)))[1])


def refuses_bad_input(loss):
    model, (x, y, mask) = network(), batch()
    with pytest.raises(ValueError, match="mask must have the shape"):
        loss.of_model(model, (x, y, mask[:, :3]))
    with pytest.raises(ValueError, match="zeros and ones only"):
        loss.of_model(model, (x, y, mask * 0.5))
    with pytest.raises(ValueError, match=r"target must lie in 0\.\.2"):
        loss.of_model(model, (x, y + 3, mask))
    with pytest.raises(ValueError, match=r"one label per sample|one class index per sample"):
        loss.of_model(model, (x, y[:3], mask))
    with pytest.raises(ValueError, match=r"one label per sample|one of the 3 outputs"):
        loss.of_model(model, (x, None, mask))
    with pytest.raises(TypeError, match="must hold class indices"):
        loss.of_model(model, (x, y.float(), mask))
    with pytest.raises(ValueError, match=r"inputs (must be finite, got|holds?) .*NaN"):
        loss.of_model(model, (x * float("nan"), y, mask))


CHECKS = {
    check.__name__: check
    for check in (
        reaches_the_weights,
        runs_the_model_as_at_inference,
        without_annotations_it_is_zero_and_leaves_the_model_alone,
        rows_without_annotations_cost_nothing,
        rows_stand_for_themselves,
        works_in_inference_mode_and_under_no_grad,
        is_float32_under_bfloat16,
        passes_keyword_tensors_with_their_rows,
        trains_beside_a_task_loss,
        one_mask_applies_to_all_rows,
        refuses_bad_input,
    )
}

# of losses that take their inputs into float32, and with them the model
IN_FLOAT32 = CHECKS | {
    is_float32_of_a_model_in_half_precision.__name__: is_float32_of_a_model_in_half_precision
}


class OldFunction(torch.autograd.Function):
    """The identity, without a separate setup_context."""

    @staticmethod
    def forward(ctx, x):
        return 1 * x

    @staticmethod
    def backward(ctx, gradient):
        return 1 * gradient


class Counted(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(3).double())

    def forward(self, logits):
        self.calls.copy_(logits.detach()[0])
        return logits


class Old(nn.Module):
    def forward(self, logits):
        return OldFunction.apply(logits)


class Checkpointed(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return checkpoint(self.model, x, use_reentrant=False)


def hooked(model):
    model = nn.Sequential(model)
    model.register_full_backward_hook(lambda *_: None)
    return model


REFUSED_BY_TRANSFORMS = {
    "full backward hook": hooked,
    "old Function": lambda model: nn.Sequential(model, Old()),
    "checkpointing": lambda model: nn.Sequential(Checkpointed(model)),
    "write to a buffer": lambda model: nn.Sequential(model, Counted()),
}
