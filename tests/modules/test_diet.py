"""DiET: its losses, masks that keep what matters, and what a checkpoint holds."""

from copy import deepcopy
from itertools import pairwise

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset

from pear_lightning.explainers import OptimizedMask, explain
from pear_lightning.masking import ColumnMasker, TokenMasker
from pear_lightning.modules import DiET
from pear_lightning.nn import MLP, TransformerTextClassifier
from pear_lightning.scoring import Batch
from tests.ddp import run_distributed, trainer_of_rank
from tests.modules.helpers import quiet_trainer
from tests.reference import learned_explainers as reference

N = 5


def f():
    torch.manual_seed(1)
    return MLP(N, 3, hidden_features=(16,), activation="gelu")


def first_two(inputs):
    score = 4 * inputs[:, 0] + 4 * inputs[:, 1]
    return torch.stack([-score, score], dim=1)


def test_equals_the_formula():
    target, copy = f().eval(), MLP(N, 3)
    model, inputs, masks = DiET(target, copy, ColumnMasker(N)), torch.randn(4, N), torch.rand(4, N)
    found = model.loss(Batch(inputs), masks)
    wanted = 0.0
    for row, mask in zip(inputs, masks, strict=True):
        p = [z.softmax(dim=0).tolist() for z in (target(row), copy(row), copy(mask * row))]
        wanted += reference.diet_losses(mask.tolist(), *p, weight=0.5)[1] / 4
    assert found["loss"].item() == pytest.approx(wanted, rel=1e-4)


def test_a_mask_is_a_minimum_of_the_formula():
    inputs, model = torch.randn(6, N), f().eval()
    explainer = OptimizedMask(ColumnMasker(N), 300, 0.05, sparsity_weight=0.5)
    _, (masks,) = explain(model, inputs, 0, [explainer])

    def loss_of(masks):
        losses = []
        for row, mask in zip(inputs, masks, strict=True):
            p, q = (z.softmax(dim=0).tolist() for z in (model(row), model(mask * row)))
            losses.append(reference.diet_losses(mask.tolist(), p, p, q, 0.5)[0])
        return torch.tensor(losses)

    at = loss_of(masks)
    assert (at <= loss_of(torch.ones(6, N)) + 1e-3).all()
    others = torch.stack(
        [loss_of((masks + 0.1 * torch.randn(6, N)).clamp(0, 1)) for _ in range(20)]
    )
    assert (others > at - 0.02).float().mean() > 0.95


def test_masks_do_not_depend_on_autocast():
    """Both predictions that they compare are those of the model's own precision."""
    explainer, model, inputs = OptimizedMask(ColumnMasker(N), 20), f().eval(), torch.randn(6, N)
    _, (wanted,) = explain(model, inputs, 0, [explainer])
    with torch.autocast("cpu", torch.bfloat16):
        _, (found,) = explain(model, inputs, 0, [explainer])
    assert torch.equal(found, wanted)


def test_masks_keep_the_features_that_decide():
    explainer = OptimizedMask(ColumnMasker(N), sparsity_weight=0.3)
    inputs = torch.randn(50, N).sign() * (1 + torch.rand(50, N))
    inputs[:, 1] = inputs[:, 0]
    _, (masks,) = explain(first_two, inputs, 0, [explainer])
    assert (masks[:, 2:] < 0.05).all()
    assert (masks[:, :2].sum(dim=1) > 0.3).all()
    alone = torch.cat([explain(first_two, row[None], 0, [explainer])[1][0] for row in inputs[:3]])
    torch.testing.assert_close(alone, masks[:3], atol=1e-3, rtol=0)


def test_training_makes_masked_samples_predictable():
    torch.manual_seed(0)
    model = DiET(
        first_two, MLP(N, 2, (32,)), ColumnMasker(N), mask_steps=3, explanation_steps=50,
        optimizer=lambda params: torch.optim.Adam(params, lr=1e-2),
    )  # fmt: skip
    rows = torch.randn(256, N)
    loader = DataLoader(rows, batch_size=64)
    trainer = quiet_trainer(max_epochs=25)
    trainer.fit(model, loader)
    same = (model(rows).argmax(dim=1) == first_two(rows).argmax(dim=1)).float().mean()
    assert same > 0.9
    assert trainer.callback_metrics["train_masked_loss"] < 0.3
    saliency = torch.cat([each["saliency"] for each in trainer.predict(model, loader)])
    assert saliency[:, :2].mean() > 3 * saliency[:, 2:].mean()


def test_the_given_model_is_not_changed_and_masks_are_kept(tmp_path):
    target = f()
    before = [each.clone() for each in target.parameters()]
    model = DiET(target, deepcopy(target), ColumnMasker(N), mask_steps=2, explanation_steps=3)
    loader = DataLoader(torch.randn(32, N), batch_size=16)
    trainer = quiet_trainer(max_epochs=2)
    trainer.fit(model, loader, loader)
    assert all(torch.equal(a, b) for a, b in zip(before, target.parameters(), strict=True))
    assert all(p.grad is None for p in target.parameters())
    trainer.validate(model, loader, verbose=False)
    assert trainer.test(model, loader, verbose=False)[0]["test_loss"] > 0
    assert len(model._masks) == 32
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    again = DiET.load_from_checkpoint(
        tmp_path / "model.ckpt", target_model=None, network=f(), masker=ColumnMasker(N)
    )
    for number, mask in model._masks.items():
        assert torch.equal(again._masks[number], mask)


def test_rounds_divide_the_training():
    model = DiET(f(), f(), ColumnMasker(N), mask_steps=1, explanation_steps=1)
    seen = []

    class Recorded(DiET):
        def training_step(self, batch, batch_idx):
            seen.append(self.round)
            return super().training_step(batch, batch_idx)

    assert model.round == 4
    recorded = Recorded(f(), f(), ColumnMasker(N), mask_steps=1)
    quiet_trainer(max_epochs=10).fit(recorded, DataLoader(torch.randn(4, N), batch_size=4))
    assert seen == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"max_epochs": None, "max_steps": 10}, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]),
        ({"max_epochs": 1, "limit_train_batches": 5}, [0, 1, 2, 3, 4]),
        ({"max_epochs": 5}, [each for each in range(5) for _ in range(6)]),
        ({"max_epochs": 4}, None),
        ({"max_epochs": 1}, None),
    ],
)
def test_rounds_divide_a_training_of_unknown_length(limits, expected):
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(torch.randn(24, N))

    seen = []

    class Recorded(DiET):
        def training_step(self, batch, batch_idx):
            seen.append(self.round)
            return super().training_step(batch, batch_idx)

    model, data = Recorded(f(), f(), ColumnMasker(N), 1), DataLoader(Stream(), batch_size=4)
    if expected is None:
        with pytest.raises(ValueError, match="max_epochs must be at least 5 for DiET and data of"):
            quiet_trainer(**limits).fit(model, data)
    else:
        quiet_trainer(**limits).fit(model, data)
        assert seen == expected


def test_texts_with_padding():
    classifier = TransformerTextClassifier(20, 2, max_tokens=6)
    model = DiET(
        classifier, deepcopy(classifier), TokenMasker(4, pad_token_id=0), mask_steps=1,
        explanation_steps=2,
    )  # fmt: skip
    ids = torch.tensor([[5, 6, 7, 8], [9, 10, 0, 0]])
    batch = {"input_ids": ids, "attention_mask": (ids != 0).long()}
    loader = DataLoader([batch], batch_size=None)
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, loader, loader)
    assert (trainer.predict(model, loader)[0]["saliency"][1, 2:] == 0).all()


def test_masks_of_texts_do_not_depend_on_the_padding_of_the_batch():
    torch.manual_seed(0)
    classifier = TransformerTextClassifier(20, 2, max_tokens=8, dropout=0.0)
    model = DiET(
        classifier, deepcopy(classifier), TokenMasker(4, pad_token_id=0), mask_steps=5,
    )  # fmt: skip
    model.progress = 0.0
    text = torch.tensor([[5, 6, 7, 8]])
    started = []
    for width in (4, 6, 5, 8):
        ids = torch.nn.functional.pad(text, (0, width - 4))
        read = Batch.of({"input_ids": ids, "attention_mask": (ids != 0).long()})
        bound = model.explainer.masker.bind(read.inputs, read.sample_data)
        started.append(model._kept_masks(bound)[0, :4])
        masks = model.explainer.optimized(model.backbone, read, model._kept_masks(bound), n_steps=5)
        model._keep(bound, masks)
        assert (masks[0, 4:] == 0).all()
        started[-1] = started[-1], masks[0, :4]
    for (_, left), (found, _) in pairwise(started):
        assert torch.equal(left, found)
    assert (started[0][0] == 1).all()
    assert (started[-1][1] < 0.5).any()


def test_rounds_follow_steps_and_a_given_progress():
    seen = []

    class Recorded(DiET):
        def training_step(self, batch, batch_idx):
            seen.append(self.round)
            return super().training_step(batch, batch_idx)

    loader = DataLoader(torch.randn(8, N), batch_size=4)
    quiet_trainer(max_steps=10, max_epochs=-1).fit(Recorded(f(), f(), ColumnMasker(N)), loader)
    assert seen == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    seen.clear()
    long = DataLoader(torch.randn(40, N), batch_size=4)
    quiet_trainer(max_epochs=1).fit(Recorded(f(), f(), ColumnMasker(N)), long)
    assert seen == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    seen.clear()
    model = Recorded(f(), f(), ColumnMasker(N))
    model.progress = 0.5
    quiet_trainer(max_epochs=1).fit(model, loader)
    assert seen == [2, 2]
    with pytest.raises(ValueError, match="max_epochs or max_steps must be given for DiET"):
        quiet_trainer(max_epochs=-1).fit(DiET(f(), f(), ColumnMasker(N)), loader)


def test_models_without_gradient_are_refused():
    def steps(inputs):
        return torch.stack([(inputs[:, 0] > 0).float(), (inputs[:, 1] > 0).float()], dim=1)

    with pytest.raises(ValueError, match="model must be differentiable for OptimizedMask"):
        explain(steps, torch.randn(4, N), 0, [OptimizedMask(ColumnMasker(N))])


def masks_of_rank(rank, world_size):
    torch.manual_seed(0)
    rows = torch.randn(16, N)
    model = DiET(f(), f(), ColumnMasker(N), mask_steps=2)
    trainer = trainer_of_rank(rank, world_size, max_epochs=2)
    trainer.fit(model, DataLoader(rows, batch_size=4, shuffle=True))
    return model._masks


@pytest.mark.ddp
def test_two_processes_keep_the_masks_of_all_samples():
    first, second = run_distributed(masks_of_rank)
    assert len(first) == 16
    assert first.keys() == second.keys()
    for number, mask in first.items():
        assert torch.equal(mask, second[number])


def test_bad_arguments():
    with pytest.raises(TypeError, match="network must be"):
        DiET(f(), None, ColumnMasker(N))
    with pytest.raises(TypeError, match="masker must be a Masker"):
        OptimizedMask(None)
    with pytest.raises(ValueError, match="mask_steps must be"):
        DiET(f(), f(), ColumnMasker(N), mask_steps=0)
    with pytest.raises(ValueError, match="sparsity_weight must be"):
        OptimizedMask(ColumnMasker(N), sparsity_weight=-1.0)
