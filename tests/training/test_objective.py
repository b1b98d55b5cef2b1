"""The objective: what it reads, and how it compiles."""

import copy
import math
import warnings
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.torch_version import TorchVersion
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from pear_lightning.explainers import Gradient, IntegratedGradients
from pear_lightning.losses import ConsensusLoss, DoubleBackpropagationLoss, RightReasonsLoss
from pear_lightning.masking import ColumnMasker
from pear_lightning.modules import RightForTheRightReasons
from pear_lightning.nn import MLP
from pear_lightning.scoring.batch import Batch
from pear_lightning.training.matched_magnitude import MatchedMagnitude
from pear_lightning.training.objective import Objective
from pear_lightning.training.progress import epochs_so_far
from pear_lightning.training.weight_schedule import ConstantWeight, LateStart, WarmUp
from tests.modules.helpers import quiet_trainer


def consensus(**arguments):
    explainers = {"gradient": Gradient(), "integrated": IntegratedGradients(2)}
    loss = ConsensusLoss().explain_with(explainers)
    return Objective(loss, arguments.pop("schedule", 0.5), **arguments)


def rows(n=8, features=4):
    torch.manual_seed(n)
    return Batch(torch.rand(n, features), torch.randint(2, (n,)))


def terms_of(objective, network, batch, **arguments):
    return objective(
        network,
        batch,
        lambda logits: torch.nn.functional.cross_entropy(logits, batch.labels),
        **arguments,
    )


def gradients(objective, network, batch):
    network.zero_grad()
    terms_of(objective, network, batch).loss.backward()
    return [each.grad.clone() for each in network.parameters()]


class CountsQuestions(ConstantWeight):
    asked = 0

    def forward(self, epochs):
        self.asked += 1
        return super().forward(epochs)


def test_schedule_is_asked_once_in_a_step():
    schedule = CountsQuestions(0.5)
    terms_of(consensus(schedule=schedule), MLP(4, hidden_features=(5,)), rows())
    assert schedule.asked == 1


@pytest.mark.parametrize(("share", "expected"), [(None, 1), (0.5, 0), (1.0, 1)])
def test_modes_are_compared_only_if_the_logits_of_all_rows_can_be_shared(share, expected):
    asked = []
    objective = consensus(rows=share)
    network = MLP(4, hidden_features=(5,))
    terms_of(objective, network, rows(), shares_logits=lambda: asked.append(1) or True)
    assert len(asked) == expected


class CountsBinds(ColumnMasker):
    bound = 0

    def bind(self, *args, **kwargs):
        self.bound += 1
        return super().bind(*args, **kwargs)


@pytest.mark.parametrize("share", [None, 0.5])
def test_masks_are_read_once_in_a_step(share):
    masker = CountsBinds(4, groups=[[0, 1]])
    batch = rows()
    batch = Batch(batch.inputs, batch.target, torch.eye(4)[:, :3].repeat(2, 1))
    objective = Objective(RightReasonsLoss().with_masks_of(masker), 1.0, rows=share)
    network = MLP(4, hidden_features=(5,))
    found = objective.explain(network, batch)
    assert masker.bound == 1
    assert found.penalty > 0


def test_rows_with_masks_of_features_give_the_loss_of_these_rows():
    masker = ColumnMasker(4, groups=[[0, 1]])
    batch = rows()
    batch = Batch(batch.inputs, batch.target, torch.eye(4)[:, :3].repeat(2, 1))
    loss, network = RightReasonsLoss().with_masks_of(masker), MLP(4, hidden_features=(5,))
    annotated = batch.mask.any(dim=1)
    found = Objective(loss, 1.0, rows=5).explain(network, batch).penalty
    each = torch.stack([loss.of_model(network, batch.rows(slice(i, i + 1)))[1] for i in range(8)])
    # five of the six annotated rows, each with a mean over itself alone
    left_out = [(each.sum() - each[i]) / 5 * 6 / 8 for i in annotated.nonzero()]
    assert any(torch.isclose(found, other) for other in left_out)


def compiled_by(monkeypatch, backend="aot_eager"):
    """Let torch.compile do without C++, which takes a minute."""
    torch.compiler.reset()
    original, called = torch.compile, []

    def replacement(function, **arguments):
        called.append(arguments)
        return original(function, backend=backend, **(arguments | {"mode": None}))

    monkeypatch.setattr(torch, "compile", replacement)
    return called


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit")  # torch's compiler calls what torch deprecated
@pytest.mark.parametrize("share", [None, 0.5])
def test_compiled_twice_and_never_again_for_other_numbers_of_rows(monkeypatch, share):
    compiled_by(monkeypatch)
    network = MLP(4, hidden_features=(5,))
    eager, compiled = consensus(rows=share), consensus(rows=share, compile=True)
    for batch in (rows(16), rows(12)):  # the ordinary batch, and a smaller last one
        torch.testing.assert_close(
            gradients(compiled, network, batch), gradients(eager, network, batch)
        )
    with torch.compiler.set_stance("fail_on_recompile"):
        for batch in (rows(16), rows(10), rows(12), rows(32), rows(16)):
            torch.testing.assert_close(
                gradients(compiled, network, batch), gradients(eager, network, batch)
            )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_compiled_objective_follows_changes_of_the_model(monkeypatch):
    compiled_by(monkeypatch)
    network, batch = MLP(4, hidden_features=(5,)), rows(16)
    eager, compiled = consensus(), consensus(compile=True)
    gradients(compiled, network, batch)
    with torch.no_grad():
        network.layers[0].weight.mul_(-2)
    torch.testing.assert_close(
        gradients(compiled, network, batch), gradients(eager, network, batch)
    )
    network.layers[0].register_forward_hook(lambda module, args, output: 3 * output)
    torch.testing.assert_close(
        gradients(compiled, network, batch), gradients(eager, network, batch)
    )
    torch.nn.utils.parametrizations.weight_norm(network.layers[0])
    gradients(eager, network, batch)
    torch.testing.assert_close(
        gradients(compiled, network, batch), gradients(eager, network, batch)
    )


@pytest.mark.parametrize(
    ("compile", "mode"), [(True, None), ("reduce-overhead", "reduce-overhead")]
)
def test_the_mode_reaches_the_compiler(monkeypatch, compile, mode):
    modes = []
    monkeypatch.setattr(
        torch, "compile", lambda function, mode: modes.append(mode) or partial(function)
    )
    objective, network = consensus(compile=compile), MLP(4, hidden_features=(5,))
    for _ in range(2):
        terms_of(objective, network, rows())
    assert modes == [mode]


def test_old_compilers_are_refused(monkeypatch):
    monkeypatch.setattr(torch, "__version__", TorchVersion("2.12.1"))
    with pytest.raises(ValueError, match=r"torch must be version 2\.13 or newer for compile=True"):
        consensus(compile=True)
    consensus()


def test_unknown_modes_are_refused():
    with pytest.raises(ValueError, match="compile must be a bool, 'reduce-overhead'"):
        consensus(compile="fast")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_compiled_gradients_do_not_follow_later_running_statistics(monkeypatch):
    """A pass in training mode writes to the statistics to which a compiled graph would refer."""
    compiled_by(monkeypatch)
    network = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Softplus(), nn.Linear(5, 2))
    objectives = [consensus(), consensus(compile=True)]

    def gradients_of(objective):
        torch.manual_seed(0)  # for the average gradient of the consensus
        copied, batch = copy.deepcopy(network).train(), rows(16)
        _, penalty = objective.of_model(copied, batch)
        copied(5 + batch.inputs)
        penalty.backward()
        named = copied.named_parameters()
        return {name: each.grad for name, each in named if name != "3.bias"}  # not reached

    for _ in range(3):
        wanted, found = map(gradients_of, objectives)
        torch.testing.assert_close(found, wanted)
        network.train()(rows(16).inputs)


@pytest.mark.parametrize(
    ("epoch", "batch", "before", "batches", "expected"),
    [
        (0, -1, 0, 4, 0.0),  # before the first batch
        (2, 3, 8, 4, 2.75),
        (2, 0, 2, 1, 2.0),
        (0, 5, 0, math.inf, 0.0),  # the first epoch of a stream has no fractions
        (1, 5, 10, math.inf, 1.5),  # others have those of the epochs before
        (2, 3, 12, math.inf, 2.5),
        (2, 9, 12, math.inf, 3.0),  # longer than those
        (1, 5, 0, 0, 1.0),
    ],
)
def test_epochs_so_far_count_batches(epoch, batch, before, batches, expected):
    loop = SimpleNamespace(max_batches=batches, batch_idx=batch, total_batch_idx=before + batch)
    trainer = SimpleNamespace(fit_loop=loop, current_epoch=epoch)
    assert epochs_so_far(trainer) == expected


class Stream(IterableDataset):
    """A data set of unknown length, 6 batches of 4 rows."""

    def __iter__(self):
        return iter(TensorDataset(rows(24).inputs, rows(24).target))


def weights_in_a_stream(schedule, **limits):
    """Return the weight of each step of 2 epochs."""
    seen = []

    class Watched(RightForTheRightReasons):
        def training_step(self, batch, batch_idx):
            seen.append(self.weight(self.objective.epochs(self.trainer)))
            return super().training_step(batch, batch_idx)

    module = Watched(MLP(4), 1.0, DoubleBackpropagationLoss())
    module.objective.schedule = schedule
    quiet_trainer(max_epochs=2, **limits).fit(module, DataLoader(Stream(), batch_size=4))
    return seen


def test_a_schedule_in_a_stream_has_fractions_after_the_first_epoch():
    with pytest.warns(UserWarning, match="WarmUp of DoubleBackpropagationLoss depends on"):
        seen = weights_in_a_stream(WarmUp(1.0, 2.0))
    assert seen == pytest.approx([0.0] * 6 + [0.5 + i / 12 for i in range(6)])
    assert weights_in_a_stream(LateStart(1.0, 1.5)) == [0.0] * 9 + [1.0] * 3  # without a warning
    known = weights_in_a_stream(WarmUp(1.0, 2.0), limit_train_batches=6)
    assert known == pytest.approx([i / 12 for i in range(12)])


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (ConstantWeight(1.0), False),
        (WarmUp(1.0, 3.0), True),
        (LateStart(1.0, 0.5), True),
        (LateStart(1.0, 1.0), False),
        (MatchedMagnitude(1.0, 1.0), True),  # it measures the last quarter
        (MatchedMagnitude(1.0, 2.0), False),
    ],
)
def test_schedules_say_whether_they_need_the_fraction_of_the_first_epoch(schedule, expected):
    assert schedule.changes_in_first_epoch is expected


def test_a_compiled_loss_says_what_a_logit_leaves_free(monkeypatch):
    """In the compiled function itself nothing can be looked at."""

    def compiled(function, mode=None):
        def call(*arguments, **kwargs):
            monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
            try:
                return function(*arguments, **kwargs)
            finally:
                monkeypatch.setattr(torch.compiler, "is_compiling", lambda: False)

        return call

    monkeypatch.setattr(torch, "compile", compiled)
    pair = {"gradient": Gradient(), "integrated": IntegratedGradients(2, 0.5)}
    loss = ConsensusLoss().explain_with(pair, output="logit")
    objective = Objective(loss, ConstantWeight(0.5), compile=True)
    with pytest.warns(UserWarning, match="ConsensusLoss explains output='logit'"):
        terms_of(objective, MLP(4, hidden_features=(5,)), rows())


@pytest.mark.parametrize("acts_elsewhere", [False, True])
def test_an_epoch_without_annotations_is_warned_of_if_no_rank_had_any(acts_elsewhere):
    def reduced(decision, all):
        return decision if all else decision or acts_elsewhere

    trainer = SimpleNamespace(
        fast_dev_run=False,
        current_epoch=4,
        fit_loop=SimpleNamespace(epoch_loop=SimpleNamespace(total_batch_idx=7)),
        strategy=SimpleNamespace(reduce_boolean_decision=reduced),
    )
    objective = Objective(RightReasonsLoss(), 1.0)
    terms_of(objective, MLP(4, hidden_features=(5,)), rows())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            objective.on_train_epoch_end(trainer)
        objective.on_train_end(trainer)
    messages = [str(each.message) for each in caught]
    assert len(messages) == (not acts_elsewhere)
    assert all("this training up to the end of epoch 4: no row" in each for each in messages)


def test_epochs_are_counted_for_schedules_that_depend_on_them_only():
    model = RightForTheRightReasons(MLP(4, hidden_features=(5,)))
    trainer = quiet_trainer(max_epochs=3)
    x, y = torch.rand(8, 4), torch.arange(8) % 2
    trainer.fit(model, DataLoader(TensorDataset(x, y, torch.eye(8, 4)), batch_size=4))
    warm_up = Objective(RightReasonsLoss(), WarmUp(0.5, 2))
    assert warm_up.epochs(None) == 0
    assert warm_up.epochs(trainer) == epochs_so_far(trainer) >= 3
    assert Objective(RightReasonsLoss(), 0.5).epochs(trainer) == 0


@pytest.mark.parametrize(("shared", "passes"), [(True, 1), (False, 2)])
def test_the_task_loss_takes_the_logits_of_the_explanation_where_both_modes_are_one(shared, passes):
    network, batch = MLP(4, hidden_features=(5,)), rows()
    batch = Batch(batch.inputs, batch.labels, torch.eye(4).repeat(2, 1))
    seen = []
    network.register_forward_hook(lambda *_: seen.append(1))
    loss = RightReasonsLoss(output="log_prob")
    terms = terms_of(Objective(loss, 0.5), network, batch, shares_logits=lambda: shared)
    assert len(seen) == passes
    assert terms.loss.requires_grad
