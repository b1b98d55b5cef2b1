import re

import pytest
import torch

from pear_lightning.explainers import Gradient, InputXGradient, IntegratedGradients, Lime
from pear_lightning.losses import (
    AttributionLoss,
    ConsensusLoss,
    CoRMLoss,
    CounterexamplesLoss,
    DeepLassoLoss,
    DoubleBackpropagationLoss,
    IBPExLoss,
    PGDExLoss,
    PGDR4Loss,
    R4Loss,
    RandR4Loss,
    RightReasonsLoss,
    SparsityPrior,
)
from pear_lightning.losses.masks import aligned_mask, annotated_rows, as_masked, element_mask
from pear_lightning.masking import ColumnMasker, PatchMasker
from pear_lightning.nn import MLP
from pear_lightning.scoring import Batch
from pear_lightning.training.row_sample import sample_rows


class Marked(AttributionLoss):
    """Squares of the marked attributions."""

    needs_mask = True

    def forward(self, *attributions, mask=None):
        (attribution,) = attributions
        return (attribution * mask).square().sum()


class Counting(torch.nn.Module):
    """Counts the rows that go through a network."""

    def __init__(self):
        super().__init__()
        self.network = MLP(5, 3, (7,), activation="tanh")
        self.rows = 0

    def forward(self, inputs):
        self.rows += len(inputs)
        return self.network(inputs)


def batch(rows=8):
    return torch.rand(rows, 5), torch.randint(3, (rows,))


def test_a_model_is_explained_in_one_pass_that_returns_its_logits():
    model, (x, y) = Counting(), batch()
    logits, loss = Marked(output="logit").of_model(model, (x, y, torch.ones(8, 5)))
    assert model.rows == 8
    torch.testing.assert_close(logits, model.network(x))
    x = x.requires_grad_()
    score = model.network(x).gather(1, y[:, None]).sum()
    torch.testing.assert_close(loss, torch.autograd.grad(score, x)[0].square().sum())


def test_rows_without_annotations_are_not_explained_where_they_are_many():
    model, (x, y) = Counting(), batch()
    mask = torch.zeros(8, 5)
    mask[[2, 7], 1] = 1
    logits, few = Marked().of_model(model, (x, y, mask))
    assert logits is None
    assert model.rows == 2
    logits, alone = Marked().of_model(model, (x[[2, 7]], y[[2, 7]], mask[[2, 7]]))
    torch.testing.assert_close(few, alone)
    few.backward()
    assert all(p.grad.any() for p in list(model.parameters())[:-1])


@pytest.mark.parametrize("annotated", [4, 5])
def test_more_than_half_of_the_rows_are_explained_with_all_others(annotated):
    """The pass that explains them returns the logits of the batch."""
    model, (x, y) = Counting(), batch()
    mask = torch.zeros(8, 5)
    mask[:annotated, 1] = 1
    logits, _ = Marked().of_model(model, (x, y, mask))
    assert model.rows == (8 if annotated > 4 else annotated)
    assert (logits is None) == (annotated <= 4)


@pytest.mark.parametrize("mask", [None, torch.zeros(8, 5)])
def test_without_annotations_the_model_is_left_alone(mask):
    model, (x, y) = Counting(), batch()
    logits, loss = Marked().of_model(model, (x, y, mask))
    assert (logits, loss.item(), loss.requires_grad, model.rows) == (None, 0.0, False, 0)


def test_keyword_tensors_follow_their_rows():
    class Scaled(torch.nn.Module):
        def forward(self, inputs, scale):
            return inputs[:, :3] * scale[:, None]

    mask = torch.zeros(8, 5)
    mask[5] = 1
    x, y = batch()
    scale = torch.arange(8.0)
    _, loss = Marked(output="logit").of_model(Scaled(), (x, y, mask, {"scale": scale}))
    assert loss.item() == pytest.approx(25.0)


def test_explainers_and_output_can_be_chosen():
    loss = Marked(output="log_prob").explain_with({"ixg": InputXGradient()})
    assert list(loss.explainers) == ["ixg"]
    assert loss.output == "log_prob"
    assert loss.explain_with(output="margin").output == "margin"
    assert list(Marked().explainers) == ["gradient"]


def test_what_cannot_train_a_model_is_refused():
    with pytest.raises(ValueError, match=r"\['lime'\] must be differentiable .* got Lime"):
        Marked({"lime": Lime()})
    with pytest.raises(TypeError, match="must be an Explainer, got str"):
        Marked({"gradient": "gradient"})
    with pytest.raises(TypeError, match=r"explainers must be explainers by name, .* got Gradient"):
        Marked(Gradient())
    with pytest.raises(ValueError, match=r"\['lime'\] must be differentiable .* got Lime"):
        Marked([Gradient(), Lime()])
    for none in ({}, []):
        with pytest.raises(ValueError, match="explainers must hold at least one explainer"):
            Marked(none)
    with pytest.raises(ValueError, match="output must be one of"):
        Marked(output="logits")


OUT_OF_RANGE = {
    "eps must be at least 0 and finite": [
        lambda value: R4Loss(value),
        lambda value: IBPExLoss(value),
        lambda value: CoRMLoss(value),
        lambda value: PGDExLoss(value),
        lambda value: PGDR4Loss(value),
        lambda value: RandR4Loss(value),
        lambda value: DeepLassoLoss(value),
    ],
    "(low|high) must be finite": [
        lambda value: CounterexamplesLoss(0, value),
        lambda value: CounterexamplesLoss(-value, 0),
    ],
}
NOT_WHOLE = {
    "n_steps": [PGDExLoss, PGDR4Loss],
    "n_samples": [RandR4Loss],
    "ramp_steps": [IBPExLoss],
}


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
@pytest.mark.parametrize("message", OUT_OF_RANGE)
def test_settings_that_would_give_nan_are_refused(message, value):
    for make in OUT_OF_RANGE[message]:
        with pytest.raises(ValueError, match=f"{message}, got -?{value}"):
            make(value)
        with pytest.raises(TypeError, match="must be a number, got '1'"):
            make("1") if "eps" in message else CounterexamplesLoss(0, "1")


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_counts_are_integers(name):
    for loss in NOT_WHOLE[name]:
        for value in (1.5, "2", True):
            with pytest.raises(TypeError, match=f"{name} must be an integer, got {value!r}"):
                loss(**{name: value})


def test_what_is_wrong_with_a_batch_is_said_of_the_whole_batch():
    model, (x, y), mask = MLP(5, 3), batch(), torch.zeros(8, 5)
    mask[:2] = 1
    for loss in (Marked(), R4Loss()):
        for target in (y[:, None], y[:4]):
            shape = str(tuple(target.shape))
            with pytest.raises(ValueError, match=rf"per sample, \(8,\), got {re.escape(shape)}"):
                loss.of_model(model, (x, target, mask))
        with pytest.raises(ValueError, match=r"one row per sample, \(8, ...\), got \(4, 3\)"):
            loss.of_model(model, (x, y, mask, {"scale": torch.rand(4, 3)}))


def test_labels_for_a_model_with_one_output_are_explained():
    x, y = torch.rand(8, 5), torch.arange(8) % 2
    with pytest.raises(
        ValueError, match=r"one output.* values from 0 to 1.*Batch\(batch\[0\], None"
    ):
        Marked().of_model(MLP(5, 1), (x, y, torch.ones(8, 5)))
    logits, _ = Marked().of_model(MLP(5, 1), (x, None, torch.ones(8, 5)))
    assert logits.shape == (8, 1)


def test_a_loss_for_each_sample_cannot_be_trained():
    loss = ConsensusLoss(reduction="none").explain_with({"a": Gradient(), "b": InputXGradient()})
    with pytest.raises(ValueError, match=r"must return a scalar .* got shape \(8,\)"):
        loss.of_model(MLP(5), (batch()[0], torch.zeros(8, dtype=torch.long)))


def test_consensus_knows_its_explainers_and_its_objective():
    loss = ConsensusLoss()
    assert not list(loss.children())  # not before they are asked for
    assert list(loss.explainers) == ["gradient", "integrated_gradients"]
    assert (loss.default_weight, loss.task_weight(0.25), Marked().task_weight(0.25)) == (
        0.5,
        0.75,
        1.0,
    )
    with pytest.raises(ValueError, match=r"weight must lie in \[0, 1\]"):
        loss.task_weight(2.0)
    a, b = torch.rand(2, 4, 5)
    torch.testing.assert_close(loss(a, b, mask=torch.ones(4, 5)), loss(a, b))


@pytest.mark.parametrize(
    "loss",
    [ConsensusLoss(), DoubleBackpropagationLoss(), SparsityPrior(), RightReasonsLoss(), R4Loss()],
    ids=lambda loss: type(loss).__name__,
)
def test_a_batch_without_samples_costs_nothing(loss):
    rows = torch.rand(0, 6), torch.zeros(0).long(), torch.zeros(0, 6)
    for explainer in loss.explainers.values():
        explainer.fit_reference(torch.zeros(6), torch.rand(3, 6))
    assert loss.of_model(MLP(6), rows)[1].item() == 0


def test_masks_are_broadcast_over_channels():
    images, flat = torch.rand(2, 3, 4, 4), torch.rand(2, 6)
    for shape in ((2, 4, 4), (2, 1, 4, 4)):
        mask = aligned_mask(torch.ones(shape), images)
        assert mask.shape == (2, 1, 4, 4)
        assert mask.dtype == torch.bool
        torch.testing.assert_close(as_masked(images, mask), images.sum(1, keepdim=True))
    assert aligned_mask(torch.zeros(2, 6, dtype=torch.long), flat).shape == (2, 6)
    assert aligned_mask(torch.ones(2, 1), flat).shape == (2, 1)
    assert annotated_rows(aligned_mask(torch.eye(2)[:, :1], flat)).tolist() == [True, False]


def test_masks_of_tokens_are_broadcast_over_the_embedding():
    mask = torch.tensor([[1, 0, 0, 1, 0], [0, 0, 0, 0, 0]])
    tokens = aligned_mask(mask, torch.rand(2, 5, 7))
    assert torch.equal(tokens, mask.bool()[..., None])
    model = torch.nn.Sequential(torch.nn.Flatten(), MLP(35, 3))
    x, y = torch.rand(2, 5, 7), torch.tensor([0, 2])
    _, short = RightReasonsLoss().of_model(model, (x, y, mask))
    _, full = RightReasonsLoss().of_model(model, (x, y, mask[..., None].expand(2, 5, 7)))
    torch.testing.assert_close(short, full)
    assert short > 0
    square = torch.rand(2, 5, 5)  # of tokens or of channels?
    with pytest.raises(ValueError, match=r"got \(2, 5\); .* give mask\[\.\.\., None\]"):
        aligned_mask(mask, square)
    assert aligned_mask(mask[..., None], square).shape == (2, 5, 1)
    with pytest.raises(ValueError, match=r"got \(2, 5\)$"):
        aligned_mask(mask, torch.rand(2, 7, 5))


def test_one_mask_applies_to_all_samples():
    mask, flat = torch.tensor([[1, 0, 0, 1, 0, 0]]), torch.rand(2, 6)
    assert torch.equal(aligned_mask(mask, flat), mask.bool().expand(2, 6))
    assert aligned_mask(torch.ones(1, 4, 4), torch.rand(2, 3, 4, 4)).shape == (2, 1, 4, 4)
    assert aligned_mask(torch.ones(1, 5), torch.rand(2, 5, 7)).shape == (2, 5, 1)
    groups = ColumnMasker(6, [[0, 1], [2, 3], [4, 5]])
    shared = element_mask(Batch(flat, mask=mask[:, :3]), groups)
    assert shared.int().tolist() == [[1, 1, 0, 0, 0, 0]] * 2
    model, y = MLP(6, 3), torch.tensor([0, 2])
    for loss in (RightReasonsLoss(), RightReasonsLoss().with_masks_of(groups), R4Loss(), Marked()):
        given = mask[:, : 6 if loss.mask_features is None else 3]
        one = loss.of_model(model, (flat, y, given))[1]
        torch.testing.assert_close(one, loss.of_model(model, (flat, y, given.expand(2, -1)))[1])
        assert one > 0


def test_a_loss_with_a_masker_takes_masks_of_the_inputs_too():
    """Tables encode categories: a data module marks columns, of which a feature has several."""
    groups, (x, y) = ColumnMasker(5, [[1, 2, 3]]), batch()
    mask = torch.zeros(8, 5)
    mask[:2, 2] = 1
    model = MLP(5, 3)
    for make in (RightReasonsLoss, R4Loss, Marked):
        wanted = make().of_model(model, (x, y, mask))[1]
        loss = make().with_masks_of(groups)
        torch.testing.assert_close(loss.of_model(model, (x, y, mask))[1], wanted)
        (drawn,) = sample_rows(Batch(x, y, mask), loss, 1, step=0, rank=0).batch.marks
        assert drawn.tolist() == [False, False, True, False, False]
        assert wanted > 0
    image = Batch(torch.rand(2, 3, 4, 4), mask=torch.ones(2, 4, 4))
    assert element_mask(image, PatchMasker(2)).shape == (2, 1, 4, 4)
    with pytest.raises(ValueError, match=r"\(8, 3\), or .* inputs, \(8, 5\), got \(8, 4\)"):
        element_mask(Batch(x, y, mask[:, :4]), groups)
    with pytest.raises(ValueError, match="mask must hold zeros and ones only"):
        element_mask(Batch(x, y, mask / 2), groups)


def test_a_mask_that_fits_features_and_inputs_marks_features():
    class Reversed(ColumnMasker):
        def feature_map(self, inputs, sample_data):
            return super().feature_map(inputs, sample_data).flip(1)

    mask = torch.tensor([[1, 0, 0]])
    marked = element_mask(Batch(torch.rand(2, 3), mask=mask), Reversed(3))
    assert marked.int().tolist() == [[0, 0, 1]] * 2


@pytest.mark.slow
@pytest.mark.parametrize("loss", [RightReasonsLoss(), R4Loss()], ids=["attributions", "model"])
@pytest.mark.filterwarnings("ignore:.*torch.jit")  # torch's compiler calls what torch deprecated
@pytest.mark.filterwarnings("ignore:The .grad attribute")  # and looks at gradients of all tensors
def test_compiled_losses_take_batches_of_several_sizes(loss):
    torch.compiler.reset()
    model = MLP(6, 3)
    compiled = torch.compile(loss.of_model, backend="eager")
    for rows in (8, 5, 3):  # the second size makes the number of rows symbolic
        given = torch.rand(rows, 6), torch.arange(rows) % 3, torch.eye(rows, 6)
        values = compiled(model, given)[1], loss.of_model(model, given)[1]
        torch.testing.assert_close(*values)
        gradients = (torch.autograd.grad(each, model.layers[0].weight)[0] for each in values)
        torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("shape", [(2, 5), (3, 6), (1, 5), (6,), (2, 6, 1)])
def test_a_mask_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"mask must have the shape of the inputs, \(2, 6\)"):
        aligned_mask(torch.ones(shape), torch.rand(2, 6))


@pytest.mark.parametrize("value", [0.5, 2.0, -1.0, float("nan")])
def test_a_mask_that_is_not_binary_is_refused(value):
    mask = torch.zeros(2, 6)
    mask[1, 3] = value
    with pytest.raises(ValueError, match=f"mask must hold zeros and ones only, got {value}"):
        aligned_mask(mask, torch.rand(2, 6))


def test_a_loss_without_annotations_leaves_masks_of_any_form_alone():
    model, (x, y) = MLP(5, 3), batch()
    loss = ConsensusLoss().explain_with(
        {"a": Gradient(), "b": IntegratedGradients(2, baseline="zeros")}
    )
    _, wanted = loss.of_model(model, (x, y))
    for mask in (torch.ones(8, 2), torch.ones(8, 5)):
        torch.testing.assert_close(loss.of_model(model, (x, y, mask))[1], wanted)
