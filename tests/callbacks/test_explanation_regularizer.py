import copy

import pytest
import torch
from lightning.pytorch import LightningModule, seed_everything
from lightning.pytorch.plugins import MixedPrecision
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import DataLoader, TensorDataset

from pear_lightning.callbacks import ExplanationRegularizer
from pear_lightning.explainers import ExpectedGradients
from pear_lightning.losses import ConsensusLoss, CoRMLoss, DeepLassoLoss, RightReasonsLoss
from pear_lightning.modules import PEAR
from pear_lightning.nn import MLP
from pear_lightning.scoring import Batch
from tests.ddp import run_distributed, trainer_of_rank
from tests.modules.helpers import loader, quiet_trainer, table


class Plain(LightningModule):
    """Somebody's module: cross-entropy, SGD, nothing else."""

    def __init__(self, net=None, lr=0.1):
        super().__init__()
        self.net = net or MLP(6, 2, (12,), activation="softplus")
        self.lr = lr

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


def masked(rows=48, annotated=1.0):
    x, y = table(rows).tensors
    mask = torch.zeros(rows, 6)
    mask[: int(annotated * rows), 3:] = 1
    return TensorDataset(x, y, mask)


def masked_loader(rows=48, batch_size=16, **kwargs):
    return DataLoader(masked(rows, **kwargs), batch_size=batch_size)


def fitted(module, regularizer, data=None, **trainer):
    callbacks = [] if regularizer is None else [regularizer]
    trainer = quiet_trainer(callbacks=callbacks, **trainer)
    trainer.fit(module, masked_loader() if data is None else data)
    return trainer


def by_hand(net, data, loss, weight, steps, lr=0.1):
    """The same training as a plain loop."""
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    for _ in range(steps):
        for x, y, mask in data:
            optimizer.zero_grad()
            total = F.cross_entropy(net(x), y) + weight * loss.of_model(net, (x, y, mask))[1]
            total.backward()
            optimizer.step()
    return net


def assert_same(a, b, **tolerance):
    for left, right in zip(a.parameters(), b.parameters(), strict=True):
        torch.testing.assert_close(left, right, **tolerance)


# --- the right training -----------------------------------------------------------------------


@pytest.mark.parametrize("weight", [None, 0.3])
def test_consensus_on_a_plain_module_trains_as_pear_does(weight):
    data = DataLoader(table(96), batch_size=16, shuffle=True)
    net = MLP(6, 2, (12,), activation="softplus")
    pear = PEAR(copy.deepcopy(net), 0.5 if weight is None else weight, optimizer=sgd)
    module = Plain(net)
    seed_everything(1, verbose=False)
    trainer = quiet_trainer(max_epochs=3)
    trainer.fit(pear, data)
    seed_everything(1, verbose=False)
    theirs = fitted(module, ExplanationRegularizer(ConsensusLoss(), weight), data, max_epochs=3)
    assert_same(module.net, pear.backbone, rtol=1e-5, atol=1e-6)
    logged = theirs.callback_metrics["train_explanation_loss"]
    torch.testing.assert_close(logged, trainer.callback_metrics["train_consensus"])


def sgd(params):
    return torch.optim.SGD(params, lr=0.1)


def test_it_trains_as_a_loop_by_hand_does():
    module, loss = Plain(), RightReasonsLoss()
    wanted = by_hand(copy.deepcopy(module.net), masked_loader(), loss, 2.0, steps=2)
    trainer = fitted(module, ExplanationRegularizer(RightReasonsLoss(), 2.0))
    assert_same(module.net, wanted)
    logged = trainer.callback_metrics
    _, y, _ = masked()[32:48]
    assert logged["train_explanation_loss_weight"] == 2.0
    ratio = 2.0 * logged["train_explanation_loss"] / logged["train_loss"]
    assert logged["train_explanation_loss_ratio"].item() == pytest.approx(ratio.item())
    assert logged["train_loss"] < F.cross_entropy(torch.zeros(16, 2), y) + 0.1  # the task's alone


def test_weight_zero_changes_nothing():
    module = Plain()
    other = Plain(copy.deepcopy(module.net))
    fitted(module, None)
    fitted(other, ExplanationRegularizer(RightReasonsLoss(), 0.0))
    assert_same(module, other, rtol=0, atol=0)


def test_the_penalty_is_accumulated_as_the_loss_is():
    module = Plain()
    other = Plain(copy.deepcopy(module.net))
    fitted(module, ExplanationRegularizer(RightReasonsLoss(), 2.0), masked_loader(48, 24))
    fitted(other, ExplanationRegularizer(RightReasonsLoss(), 2.0), masked_loader(48, 12),
           accumulate_grad_batches=2)  # fmt: skip
    assert_same(module, other)


def test_clipping_sees_the_whole_gradient():
    module = Plain(lr=1.0)
    before = [p.detach().clone() for p in module.parameters()]
    fitted(module, ExplanationRegularizer(RightReasonsLoss(), 1e4), max_epochs=1,
           limit_train_batches=1, gradient_clip_val=0.01)  # fmt: skip
    moved = torch.stack([(a - b).norm() for a, b in zip(before, module.parameters(), strict=True)])
    assert moved.norm().item() == pytest.approx(0.01, rel=1e-4)


@pytest.mark.parametrize("kind", ["dictionary", "in inference terms"])
def test_a_step_may_return_a_dictionary(kind):
    class Other(Plain):
        def training_step(self, batch, batch_idx):
            return {"loss": super().training_step(batch, batch_idx), "extra": 1}

    module = Other()
    wanted = by_hand(copy.deepcopy(module.net), masked_loader(), RightReasonsLoss(), 1.0, 2)
    fitted(module, ExplanationRegularizer(RightReasonsLoss(), 1.0))
    assert_same(module.net, wanted)


def test_a_loss_that_autograd_has_saved_can_be_added_to():
    class Rooted(Plain):
        def training_step(self, batch, batch_idx):
            return super().training_step(batch, batch_idx).exp()  # its backward reads its result

    module = Rooted()
    fitted(module, ExplanationRegularizer(RightReasonsLoss(), 1.0))
    assert all(p.isfinite().all() for p in module.parameters())


def test_closures_that_are_called_several_times():
    class Newton(Plain):
        def configure_optimizers(self):
            return torch.optim.LBFGS(self.parameters(), lr=0.1, max_iter=4)

    module = Newton()
    net = copy.deepcopy(module.net)
    optimizer, loss = torch.optim.LBFGS(net.parameters(), lr=0.1, max_iter=4), RightReasonsLoss()
    for x, y, mask in masked_loader():

        def closure(x=x, y=y, mask=mask):
            optimizer.zero_grad()
            total = F.cross_entropy(net(x), y) + loss.of_model(net, (x, y, mask))[1]
            total.backward()
            return total

        optimizer.step(closure)
    fitted(module, ExplanationRegularizer(RightReasonsLoss(), 1.0), max_epochs=1)
    assert_same(module.net, net)


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed", "bf16-true"])
def test_precisions(precision):
    reference, module = Plain(), None
    module = Plain(copy.deepcopy(reference.net))
    fitted(reference, ExplanationRegularizer(RightReasonsLoss(), 5.0), max_epochs=1)
    if precision == "64-true":
        module = module.double()
    fitted(module, ExplanationRegularizer(RightReasonsLoss(), 5.0), precision=precision,
           max_epochs=1)  # fmt: skip
    loose = {"rtol": 0.1, "atol": 0.02} if "bf16" in precision else {"rtol": 1e-4, "atol": 1e-5}
    for a, b in zip(module.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(a.float(), b, **loose)


def test_loss_scaling_scales_the_penalty_too():
    """float16 with a loss scaler, on the CPU: the penalty is scaled, the explanation is not."""
    module = Plain()
    other = Plain(copy.deepcopy(module.net))
    scaled = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=1024.0))
    regularizer = ExplanationRegularizer(RightReasonsLoss(), 5.0)
    fitted(module, ExplanationRegularizer(RightReasonsLoss(), 5.0))
    trainer = fitted(other, regularizer, plugins=[scaled])
    assert trainer.precision == "16-mixed"
    assert trainer.scaler.get_scale() == 1024.0
    assert_same(module, other, rtol=1e-2, atol=1e-3)
    ratio = trainer.callback_metrics["train_explanation_loss_ratio"]
    wanted = 5 * trainer.callback_metrics["train_explanation_loss"]
    torch.testing.assert_close(ratio, wanted / trainer.callback_metrics["train_loss"].float(),
                               rtol=1e-2, atol=1e-3)  # fmt: skip


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["16-mixed", "bf16-mixed"])
def test_mixed_precision_on_a_gpu(precision):
    module = Plain()
    other = Plain(copy.deepcopy(module.net))
    fitted(module, ExplanationRegularizer(RightReasonsLoss(), 5.0), accelerator="gpu")
    fitted(other, ExplanationRegularizer(RightReasonsLoss(), 5.0), accelerator="gpu",
           precision=precision)  # fmt: skip
    assert_same(module.cpu(), other.cpu(), rtol=0.05, atol=0.01)


# --- what is explained ------------------------------------------------------------------------


class Embedded(Plain):
    """No forward of its own, dictionaries as batches, and a network with a second argument."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(6, 2)

        def forward(self, x, scale):
            return self.layer(x) * scale[:, None]

    forward = LightningModule.forward

    def __init__(self):
        super().__init__(self.Net())

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self.net(batch["x"], batch["scale"]), batch["y"])


class Dictionaries(torch.utils.data.Dataset):
    def __init__(self):
        self.data = masked(32)

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        x, y, mask = self.data[index]
        return {"x": x, "y": y, "mask": mask, "scale": torch.tensor(2.0)}


def parse(batch):
    return Batch(batch["x"], batch["y"], batch["mask"], {"scale": batch["scale"]})


def test_any_batch_and_any_part_of_the_module():
    module = Embedded()
    net = copy.deepcopy(module.net)
    data = DataLoader(Dictionaries(), batch_size=16)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for batch in data:
        optimizer.zero_grad()
        read = parse(batch)
        _, reasons = RightReasonsLoss().of_model(net, read)
        answers = net(read.inputs, **read.forward_kwargs)
        (F.cross_entropy(answers, read.target) + 3 * reasons).backward()
        optimizer.step()
    regularizer = ExplanationRegularizer(
        RightReasonsLoss(), 3.0, model="net", batch_to_inputs=parse
    )
    fitted(module, regularizer, data, max_epochs=1)
    assert_same(module.net, net)


def test_batches_it_cannot_parse_are_described():
    data = DataLoader(Dictionaries(), batch_size=16)
    with pytest.raises(TypeError, match=r"batch must .*, got a dict of 'x', 'y', 'mask', 'scale'"):
        fitted(Embedded(), ExplanationRegularizer(RightReasonsLoss(), model="net"), data)
    regularizer = ExplanationRegularizer(RightReasonsLoss(), batch_to_inputs=lambda batch: batch[0])
    with pytest.raises(TypeError, match=r"batch_to_inputs must return .*, got a Tensor"):
        fitted(Plain(), regularizer)


@pytest.mark.parametrize("loss", [RightReasonsLoss(), ConsensusLoss()])
def test_keyword_arguments_of_the_model_are_never_dropped(loss):
    regularizer, kept = ExplanationRegularizer(loss), {"attention_mask": torch.ones(4, 5)}
    x, y = torch.rand(4, 5), torch.zeros(4, dtype=torch.long)
    with pytest.raises(TypeError, match=r"mask may be None and forward_kwargs is a mapping"):
        regularizer.batch_of((x, y, kept), Plain())
    assert regularizer.batch_of((x, y, None, kept), Plain()).forward_kwargs == kept


def test_a_module_without_forward_must_name_its_network():
    with pytest.raises(TypeError, match=r"model must name .* of Embedded .* no forward"):
        fitted(Embedded(), ExplanationRegularizer(RightReasonsLoss()))
    with pytest.raises(ValueError, match=r"model must name .* of Embedded, got 'nett'"):
        fitted(Embedded(), ExplanationRegularizer(RightReasonsLoss(), model="nett"))
    with pytest.raises(TypeError, match="model must name a module or a method, got 'lr'"):
        fitted(Plain(), ExplanationRegularizer(RightReasonsLoss(), model="lr"))


def test_what_cannot_work_is_refused():
    class Manual(Plain):
        def __init__(self):
            super().__init__()
            self.automatic_optimization = False

    with pytest.raises(RuntimeError, match=r"optimization must be True, .* got False in Manual"):
        fitted(Manual(), ExplanationRegularizer(RightReasonsLoss()))
    with pytest.raises(TypeError, match="must be an ExplanationLoss"):
        ExplanationRegularizer(F.cross_entropy)
    with pytest.raises(TypeError, match=r"got the class ConsensusLoss; write ConsensusLoss\(\)$"):
        ExplanationRegularizer(ConsensusLoss)
    with pytest.raises(TypeError, match=r"such as ConsensusLoss\(\) .*, got the class Plain$"):
        ExplanationRegularizer(Plain)
    with pytest.raises(TypeError, match="points_per_pass must be an integer"):
        ExplanationRegularizer(RightReasonsLoss(), points_per_pass=1.5)
    with pytest.raises(TypeError, match="batch_to_inputs must be a function, got 'x'"):
        ExplanationRegularizer(RightReasonsLoss(), batch_to_inputs="x")
    with pytest.raises(ValueError, match="weight must be at least 0 and finite, got nan"):
        ExplanationRegularizer(RightReasonsLoss(), float("nan"))
    with pytest.raises(ValueError, match=r"weight must lie in \[0, 1\]"):
        ExplanationRegularizer(ConsensusLoss(), 2.0)
    with pytest.raises(ValueError, match="weight must be at least 0 and finite"):
        ExplanationRegularizer(RightReasonsLoss(), -1.0)
    with pytest.raises(ValueError, match="start_epoch must be above 0 with match_magnitude"):
        ExplanationRegularizer(RightReasonsLoss(), match_magnitude=True)
    with pytest.raises(ValueError, match=r"precision must be one of .*, got '16-true'"):
        fitted(Plain(), ExplanationRegularizer(RightReasonsLoss()), precision="16-true")


def test_sharded_weights_are_refused():
    regularizer = ExplanationRegularizer(RightReasonsLoss())
    trainer = quiet_trainer()
    trainer.strategy.__class__ = FSDPStrategy
    with pytest.raises(RuntimeError, match=r"strategy must keep whole .*, got FSDPStrategy"):
        regularizer.on_fit_start(trainer, Plain())


def test_a_step_without_a_backward_pass_is_noticed():
    class Detached(Plain):
        def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure):
            optimizer_closure._backward_fn = None
            optimizer.step(optimizer_closure)

    with pytest.raises(RuntimeError, match="the explanation loss was never added"):
        fitted(Detached(), ExplanationRegularizer(RightReasonsLoss()))


def idle(reason):
    return pytest.warns(UserWarning, match=f"RightReasonsLoss had no part in .*: {reason}")


def parts(caught):
    """The parts of the training of which it was warned."""
    found = [str(each.message).partition("RightReasonsLoss had no part in ")[2] for each in caught]
    return [each.split(":")[0] for each in found if each]


def test_a_loss_that_never_acted_is_warned_of():
    nothing = masked_loader(annotated=0)
    for data in (nothing, loader(48)):
        with idle("no row of any batch was annotated"):
            fitted(Plain(), ExplanationRegularizer(RightReasonsLoss()), data)
    with idle("training ended before start_epoch=2.5"):
        fitted(Plain(), ExplanationRegularizer(RightReasonsLoss(), start_epoch=2.5))
    matched = {"start_epoch": 1, "match_magnitude": True}
    with idle("no row was annotated in the steps that match_magnitude compared"):
        fitted(Plain(), ExplanationRegularizer(RightReasonsLoss(), **matched), nothing)


@pytest.mark.parametrize(
    ("settings", "epochs", "warned_at"),
    [
        ({}, 3, ["this training up to the end of epoch 0", "this training"]),
        ({}, 1, ["this training up to the end of epoch 0"]),  # not again after the same step
        ({"every": 2}, 3, ["this training up to the end of epoch 0", "this training"]),
        ({"every": 5}, 3, ["this training up to the end of epoch 0", "this training"]),
        # epoch 1 is not whole
        ({"start_epoch": 1.5}, 4, ["this training up to the end of epoch 2", "this training"]),
        ({"start_epoch": 1.5}, 3, ["this training up to the end of epoch 2"]),
        ({"start_epoch": 1.5}, 2, ["this training"]),
    ],
    ids=str,
)
def test_a_loss_without_annotations_is_warned_of_after_its_first_whole_epoch(
    settings, epochs, warned_at
):
    with idle("no row of any batch was annotated") as caught:
        regularizer = ExplanationRegularizer(RightReasonsLoss(), **settings)
        fitted(Plain(), regularizer, loader(48), max_epochs=epochs)
    assert parts(caught) == warned_at


def test_a_loss_that_acts_in_a_later_epoch_is_warned_of_only_while_it_does_not():
    class Later(Plain):
        def on_train_epoch_start(self):
            self.annotates = self.current_epoch > 0

    module = Later()
    regularizer = ExplanationRegularizer(
        RightReasonsLoss(),
        batch_to_inputs=lambda batch: (*batch[:2], batch[2] * module.annotates),
    )
    with idle("no row of any batch was annotated") as caught:
        fitted(module, regularizer, masked_loader(), max_epochs=3)
    assert parts(caught) == ["this training up to the end of epoch 0"]


def test_a_loss_that_acted_once_or_was_switched_off_is_not_warned_of():
    once = ExplanationRegularizer(RightReasonsLoss())
    fitted(Plain(), once, masked_loader(annotated=0.1), max_epochs=1)
    with idle("no row of any batch was annotated"):  # each fit for itself
        fitted(Plain(), once, loader(48))
    fitted(Plain(), ExplanationRegularizer(RightReasonsLoss(), 0.0), loader(48))
    fitted(Plain(), ExplanationRegularizer(RightReasonsLoss()), loader(48), fast_dev_run=True)
    fitted(Plain(), ExplanationRegularizer(ConsensusLoss()), loader(48))


# --- magnitudes, state, ranks -----------------------------------------------------------------


class Regression(Plain):
    def training_step(self, batch, batch_idx):
        return F.mse_loss(self(batch[0])[:, 0], batch[1])


@pytest.mark.parametrize("loss", [RightReasonsLoss(output="logit"), ConsensusLoss()])
def test_a_regression_is_explained_by_its_output(loss):
    inputs, target, mask = masked(48)[:]
    data = DataLoader(TensorDataset(inputs, target.float(), mask), batch_size=16)
    module = Regression(MLP(6, 1, (12,)))
    plain = Regression(copy.deepcopy(module.net))
    with pytest.raises(ValueError, match=r"use a loss .* RightReasonsLoss\(output='logit'\)"):
        fitted(plain, ExplanationRegularizer(CoRMLoss()), data)
    trainer = fitted(module, ExplanationRegularizer(loss), data, log_every_n_steps=1)
    assert trainer.callback_metrics["train_explanation_loss"] > 0


def test_a_loss_of_the_task_loss_receives_the_values_of_a_regression():
    inputs, target, _ = masked(48)[:]
    data = DataLoader(TensorDataset(inputs, target.float()), batch_size=48)
    module = Regression(MLP(6, 1, (12,)))
    wanted = DeepLassoLoss().of_model(module.net, (inputs, target.float()))[1].item()
    trainer = fitted(
        module, ExplanationRegularizer(DeepLassoLoss()), data, max_epochs=1, log_every_n_steps=1
    )
    assert trainer.callback_metrics["train_explanation_loss"].item() == pytest.approx(wanted)


def fast(module):
    module.configure_optimizers = lambda: torch.optim.Adam(module.parameters(), lr=0.03)
    return module


@pytest.mark.filterwarnings("ignore:RightReasonsLoss had no part")  # that is the point
def test_magnitudes_are_matched_after_a_warm_up():
    module = fast(Plain())
    plain = fast(Plain(copy.deepcopy(module.net)))
    regularizer = ExplanationRegularizer(
        RightReasonsLoss(), 0.25, start_epoch=40, match_magnitude=True
    )
    fitted(plain, None, max_epochs=40)
    trainer = fitted(module, regularizer, max_epochs=40)
    assert_same(module, plain, rtol=0, atol=0)  # nothing was added so far
    assert not regularizer.weight.is_matched
    assert "train_explanation_loss" not in trainer.callback_metrics


@pytest.mark.filterwarnings("ignore:match_magnitude. at epoch 2")  # at a rate of 0
def test_the_matched_weight_is_the_ratio_of_the_first_task_loss_and_the_mean_explanation_loss():
    module = Plain(lr=0.0)
    regularizer = ExplanationRegularizer(
        RightReasonsLoss(), 0.25, start_epoch=2, match_magnitude=True
    )
    trainer = fitted(module, regularizer, max_epochs=4)
    batches = list(masked_loader())
    loss = RightReasonsLoss()
    task = [F.cross_entropy(module(x), y) for x, y, _ in batches[:1]]
    reasons = [loss.of_model(module, batch)[1] for batch in batches]
    # the last quarter of two epochs, and the first batch of the third
    heard = [*reasons[(len(reasons) + 1) // 2 :], reasons[0]]
    wanted = task[0] * len(heard) / sum(heard)
    assert regularizer.weight.factor == pytest.approx(wanted.item(), rel=1e-4)
    weight = trainer.callback_metrics["train_explanation_loss_weight"].item()
    assert weight == pytest.approx(0.25 * wanted.item(), rel=1e-4)


def test_the_checkpoint_holds_references_and_the_matched_weight(tmp_path):
    def regularizer():
        explainers = {"eg": ExpectedGradients(2)}
        return ExplanationRegularizer(
            RightReasonsLoss(explainers=explainers), 0.5, start_epoch=40, match_magnitude=True
        )

    first, module = regularizer(), fast(Plain())
    trainer = fitted(module, first, max_epochs=41)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    second = regularizer()
    again = quiet_trainer(callbacks=[second], max_epochs=42)
    again.fit(fast(Plain()), masked_loader(), ckpt_path=tmp_path / "half.ckpt")
    assert second.weight.factor == first.weight.factor
    background = second.loss.explainers["eg"].background
    torch.testing.assert_close(background, first.loss.explainers["eg"].background)
    assert len(background) == 48


@pytest.mark.filterwarnings("ignore:match_magnitude. at epoch 6")  # early, here
@pytest.mark.filterwarnings("ignore:RightReasonsLoss had no part")  # of the first half
def test_a_run_that_resumes_in_the_warm_up_matches_the_same_magnitudes(tmp_path):
    def fit(max_epochs, **resume):
        seed_everything(0, verbose=False)
        module = Adaptive()
        regularizer = ExplanationRegularizer(
            RightReasonsLoss(), 0.5, start_epoch=6, match_magnitude=True
        )
        trainer = quiet_trainer(callbacks=[regularizer], max_epochs=max_epochs)
        trainer.fit(module, masked_loader(), **resume)
        trainer.save_checkpoint(tmp_path / f"{max_epochs}.ckpt")
        return module, regularizer.weight.factor

    whole, factor = fit(8)
    fit(5)
    resumed, again = fit(8, ckpt_path=tmp_path / "5.ckpt")
    assert again == factor
    assert_same(whole, resumed, rtol=0, atol=0)


class Adaptive(Plain):
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.03)


def fit_on(**trainer):
    seed_everything(0, verbose=False)
    module = Adaptive()
    world = trainer.get("devices", 1)
    data = DataLoader(masked(64, annotated=0.3), batch_size=64 // world)
    regularizer = ExplanationRegularizer(
        RightReasonsLoss(), 0.5, start_epoch=40, match_magnitude=True
    )
    fitted(module, regularizer, data, max_epochs=44, **trainer)
    return module, regularizer.weight.factor


def gradients_of_rank(rank, world_size):
    """Two steps through DistributedDataParallel with the penalty outside its forward pass."""
    torch.manual_seed(0)
    net = MLP(6, 2, (12,))
    wrapped = nn.parallel.DistributedDataParallel(net) if world_size > 1 else net
    x, y, mask = (value[rank::world_size] for value in masked(32, annotated=0.5)[:])
    for _ in range(2):
        net.zero_grad()
        loss = F.cross_entropy(wrapped(x), y)
        loss.add_(RightReasonsLoss().of_model(net, (x, y, mask))[1])
        loss.backward()
    return [p.grad for p in net.parameters()]


@pytest.mark.ddp
def test_two_ranks_have_the_gradients_of_one_process():
    alone = gradients_of_rank(0, 1)
    for of_rank in run_distributed(gradients_of_rank):
        torch.testing.assert_close(of_rank, alone, rtol=1e-5, atol=1e-7)


def logged_by_rank(rank, world_size):
    """Masks on rank 0 alone, so that rank 1 never has logits of the loss to log."""
    inputs, target, mask = masked(32)[:]
    rows = TensorDataset(inputs, target, mask * (1 - rank))
    trainer = trainer_of_rank(
        rank, world_size, max_epochs=1, log_every_n_steps=1, use_distributed_sampler=False,
        callbacks=[ExplanationRegularizer(RightReasonsLoss(output="log_prob"))],
    )  # fmt: skip
    trainer.fit(Plain(), DataLoader(rows, batch_size=8))
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


@pytest.mark.ddp
def test_a_rank_without_annotations_does_not_wait_for_the_other():
    first, second = run_distributed(logged_by_rank)
    name = "train_explanation_loss_common_share"
    assert name in first
    assert name not in second


@pytest.mark.slow
@pytest.mark.ddp
@pytest.mark.filterwarnings("ignore:Using `DistributedSampler` with the dataloaders")
def test_two_ranks_train_as_one():
    strategy = DDPStrategy(process_group_backend="gloo", start_method="spawn")
    alone, factor = fit_on()
    together, _ = fit_on(devices=2, strategy=strategy)
    assert factor > 0
    assert_same(alone, together, rtol=1e-3, atol=1e-5)


@pytest.mark.filterwarnings("ignore:RightReasonsLoss had no part")  # of training without masks
def test_loader_of_pairs_needs_no_mask():
    module = Plain()
    plain = Plain(copy.deepcopy(module.net))
    fitted(module, ExplanationRegularizer(RightReasonsLoss(), 5.0), loader(48))
    fitted(plain, None, loader(48))
    assert_same(module, plain, rtol=0, atol=0)
