import copy
import warnings

import pytest
import torch
from lightning.pytorch import seed_everything
from lightning.pytorch.strategies import DDPStrategy
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import DataLoader, TensorDataset

from pear_lightning.callbacks import ExplanationRegularizer, PredictionWriter
from pear_lightning.datamodules import DecoyDigits, IrisCancer
from pear_lightning.explainers import ExpectedGradients
from pear_lightning.losses import ConsensusLoss, RightReasonsLoss
from pear_lightning.masking import ColumnMasker, PatchMasker, TokenMasker
from pear_lightning.modules import ExplainedModule, RightForTheRightReasons
from pear_lightning.nn import MLP, TransformersClassifier
from pear_lightning.scoring import Batch
from pear_lightning.training import MatchedMagnitude
from tests.ddp import run_distributed
from tests.modules.helpers import loader, quiet_trainer, sgd, table, weights
from tests.reference.right_reasons import right_reasons


def masked(rows=48, annotated=1.0):
    x, y = table(rows).tensors
    mask = torch.zeros(rows, 6)
    mask[: int(annotated * rows), 3:] = 1
    return TensorDataset(x, y, mask)


def masked_loader(rows=48, batch_size=16, **kwargs):
    return DataLoader(masked(rows, **kwargs), batch_size=batch_size)


def small(weight=1.0, loss=None, **kwargs):
    backbone = MLP(6, 2, (12,), activation="softplus")
    return RightForTheRightReasons(backbone, weight, loss, **{"optimizer": sgd} | kwargs)


def test_loss_is_the_papers_formula():
    model, (x, y, mask) = small(3.0), masked(8, annotated=0.75).tensors
    parts = model.training_loss((x, y, mask))
    reasons = right_reasons(model.backbone, x, y, mask) / 8
    loss = F.cross_entropy(model.backbone(x), y) + 3.0 * reasons
    torch.testing.assert_close(parts["reasons"], reasons)
    torch.testing.assert_close(parts["loss"], loss)
    torch.testing.assert_close(parts["ratio"], (3.0 * reasons / (loss - 3.0 * reasons)).detach())
    wanted = torch.autograd.grad(loss, list(model.backbone.parameters()))
    actual = torch.autograd.grad(parts["loss"], list(model.backbone.parameters()))
    torch.testing.assert_close(actual, wanted)


def test_compiled_loss_equals_the_eager_one():
    x, y, mask = torch.rand(6, 4), torch.tensor([0, 1, 2, 1, 0, 2]), torch.eye(6, 4)
    model = RightForTheRightReasons(MLP(4, 3, (5,)), 10.0, num_classes=3)
    compiled = torch.compile(model.training_loss, backend="aot_eager", fullgraph=True)
    parts, gradients = [], []
    for loss in (model.training_loss, compiled):  # the first step compares the backbone's modes
        parts.append(loss((x, y, mask)))
        gradients.append(torch.autograd.grad(parts[-1]["loss"], model.backbone.parameters()))
    torch.testing.assert_close(*parts)
    torch.testing.assert_close(*gradients)


def test_few_annotations_cost_few_rows():
    rows = []

    class Counting(MLP):
        def forward(self, inputs):
            rows.append(len(inputs))
            return super().forward(inputs)

    model, (x, y, mask) = small(), masked(16, annotated=0.25).tensors
    parts = [model.training_loss((x, y, mask))["loss"].item()]
    model.backbone = Counting(6, 2, (12,), activation="softplus")
    model.training_loss((x, y, mask))
    assert sorted(rows[-2:]) == [4, 16]
    rows.clear()
    model.training_loss((x, y, None))
    assert rows == [16]
    assert parts[0] > 0


def test_batches_with_and_without_masks():
    model, plain = small(5.0), small(0.0)
    plain.load_state_dict(model.state_dict())
    no_part, reason = "RightReasonsLoss had no part in", "no row of any batch was annotated"
    with pytest.warns(UserWarning, match=f"{no_part} .*: {reason}") as caught:
        quiet_trainer(max_epochs=3).fit(model, loader(48))
    messages = [str(each.message) for each in caught]
    after_the_first_epoch, at_the_end = (each for each in messages if "no part" in each)
    assert after_the_first_epoch.startswith(
        f"{no_part} this training up to the end of epoch 0: {reason}"
    )
    assert at_the_end.startswith(f"{no_part} this training: {reason}")
    quiet_trainer(max_epochs=3).fit(plain, masked_loader())
    for a, b in zip(weights(model), weights(plain), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert len(model.training_loss(table(4).tensors)) == 4
    with pytest.raises(TypeError, match=r"batch must be \(inputs, target\), .* got tuple of 4"):
        model.training_step((1, 2, 3, 4), 0)


def test_it_is_the_callback_on_a_plain_module():
    class Plain(RightForTheRightReasons):
        """Cross-entropy alone."""

    model, plain = small(2.0), small(0.0)
    plain.backbone.load_state_dict(model.backbone.state_dict())
    quiet_trainer().fit(model, masked_loader())
    regularizer = ExplanationRegularizer(RightReasonsLoss(), 2.0, model="backbone")
    quiet_trainer(callbacks=[regularizer]).fit(plain, masked_loader())
    for a, b in zip(weights(model), weights(plain), strict=True):
        torch.testing.assert_close(a, b)
    assert issubclass(Plain, ExplainedModule)


def test_any_loss_of_the_family_and_its_own_objective():
    model = small(0.25, ConsensusLoss())
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, masked_loader())
    x, y, mask = masked(8).tensors
    parts = model.training_loss((x, y, mask))
    wanted = 0.75 * parts["task_loss"] + 0.25 * parts["reasons"]
    torch.testing.assert_close(parts["loss"], wanted)
    with pytest.raises(ValueError, match=r"weight must lie in \[0, 1\]"):
        small(2.0, ConsensusLoss())
    with pytest.raises(TypeError, match="loss must be an ExplanationLoss"):
        small(2.0, F.cross_entropy)
    with pytest.raises(TypeError, match=r"got the class RightReasonsLoss; write RightReasonsL"):
        small(2.0, RightReasonsLoss)


def test_masks_of_patches_and_of_columns():
    images, y = torch.rand(4, 2, 6, 6), torch.randint(2, (4,))
    backbone = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Softplus(), nn.Flatten(), nn.Linear(48, 2))
    model = RightForTheRightReasons(backbone, masker=PatchMasker(3, 6))
    patches = torch.tensor([[1, 0, 0, 0], [0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]])
    pixels = torch.zeros(4, 6, 6)
    pixels[0, :3, :3] = pixels[2, :3, 3:] = pixels[2, 3:, :3] = pixels[3, 3:, 3:] = 1
    by_patch = model.training_loss((images, y, patches))["reasons"]
    by_pixel = RightForTheRightReasons(backbone).training_loss((images, y, pixels))["reasons"]
    torch.testing.assert_close(by_patch, by_pixel)
    given = model.training_loss((images, y, pixels))["reasons"]  # has no 4 columns, so of pixels
    torch.testing.assert_close(given, by_pixel)
    with pytest.raises(ValueError, match=r"masker's features, \(4, 4\), .*, got \(4, 5, 6\)"):
        model.training_loss((images, y, pixels[:, :5]))
    with pytest.raises(ValueError, match="mask must hold zeros and ones only"):
        model.training_loss((images, y, 0.5 * patches))
    grouped = small(masker=ColumnMasker(6))
    x, y, mask = masked(8).tensors
    by_column = grouped.training_loss((x, y, mask))["reasons"]
    grouped.masker = None
    torch.testing.assert_close(by_column, grouped.training_loss((x, y, mask))["reasons"])


class OfTokenIds(RightForTheRightReasons):
    """What a project with texts adds: ids become embeddings before each step."""

    def on_after_batch_transfer(self, batch, dataloader_idx):
        ids, target, mask = batch
        attended = (ids != 0).long()
        return self.backbone.embed(ids), target, mask, {"attention_mask": attended}


def test_texts_with_padding_and_masks_of_tokens():
    pytest.importorskip("transformers")
    config = {
        "model_type": "bert",
        "vocab_size": 30,
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "num_labels": 2,
    }
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    backbone = TransformersClassifier(config)
    model = OfTokenIds(backbone, 10.0, masker=TokenMasker(special_token_ids=[]), optimizer=sgd)
    ids = torch.randint(1, 30, (12, 5))
    ids[::2, 3:] = 0  # every other text has three tokens
    target = torch.arange(12) % 2
    mask = torch.zeros(12, 5).long()
    mask[:, 1] = 1
    rows = TensorDataset(ids, target, mask)

    whole = model.training_loss(model.on_after_batch_transfer(rows[0:1], 0))
    short = model.training_loss(
        model.on_after_batch_transfer((ids[:1, :3], target[:1], mask[:1, :3]), 0)
    )
    torch.testing.assert_close(whole["loss"], short["loss"])
    assert whole["reasons"] > 0

    batches = DataLoader(rows, batch_size=4)
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, batches, batches)
    trainer.test(model, batches, verbose=False)
    predicted = torch.cat([each["logits"] for each in trainer.predict(model, batches)])
    backbone.eval()
    with torch.no_grad():
        expected = backbone(ids, attention_mask=(ids != 0).long())
    torch.testing.assert_close(predicted, expected)


def test_validation_test_and_prediction_in_inference_mode(tmp_path):
    model, data = small(), masked_loader(annotated=0.5)
    trainer = quiet_trainer(callbacks=[PredictionWriter(tmp_path)])
    trainer.fit(model, data, data)
    for results in (
        trainer.validate(model, data, verbose=False)[0],
        trainer.test(model, data, verbose=False)[0],
    ):
        stage = next(iter(results)).split("_")[0]
        values = [model.objective.of_model(model.backbone, Batch(x, y, m))[1] for x, y, m in data]
        wanted = torch.stack(values).mean().item()
        assert results[f"{stage}_reasons"] == pytest.approx(wanted, rel=1e-5)
        assert 0 < results[f"{stage}_entropy"] < 0.7
        assert set(results) >= {f"{stage}_loss", f"{stage}_accuracy"}
    trainer.predict(model, data)
    saved = torch.load(tmp_path / "predictions.pt")
    x = masked().tensors[0].requires_grad_()
    score = model.backbone(x).softmax(1).amax(1).sum()
    gradient = torch.autograd.grad(score, x)[0]
    torch.testing.assert_close(saved["attributions"]["gradient"], gradient)


def test_switching_on_later_is_plain_training_until_then():
    model, plain = small(5.0, start_epoch=2), small(0.0)
    plain.load_state_dict(model.state_dict())
    with pytest.warns(UserWarning, match="no part in this training: training ended before start_e"):
        quiet_trainer(max_epochs=2).fit(model, masked_loader())
    quiet_trainer(max_epochs=2).fit(plain, masked_loader())
    for a, b in zip(weights(model), weights(plain), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    trainer = quiet_trainer(max_epochs=3)
    trainer.fit(model, masked_loader())
    assert trainer.callback_metrics["train_ratio"] > 0


def test_magnitudes_are_matched_and_the_ratio_is_logged(tmp_path):
    model = small(0.5, start_epoch=40, match_magnitude=True, optimizer=fast)
    trainer = quiet_trainer(max_epochs=42)
    trainer.fit(model, masked_loader())
    assert model.weight.is_matched
    assert 0.05 < trainer.callback_metrics["train_ratio"] < 5
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    again = RightForTheRightReasons.load_from_checkpoint(
        tmp_path / "model.ckpt", backbone=copy.deepcopy(model.backbone)
    )
    assert again.weight.factor == model.weight.factor
    assert (again.weight.start_epoch, type(again.weight)) == (40, MatchedMagnitude)


def fast(params):
    return torch.optim.Adam(params, lr=0.03)


def test_a_checkpoint_holds_reference_data_and_resumes(tmp_path):
    def build():
        seed_everything(0, verbose=False)
        return small(0.5, RightReasonsLoss(explainers={"eg": ExpectedGradients(1, seed=0)}))

    whole, half = build(), build()
    quiet_trainer(max_epochs=4).fit(whole, masked_loader())
    trainer = quiet_trainer(max_epochs=2)
    trainer.fit(half, masked_loader())
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    resumed = build()
    quiet_trainer(max_epochs=4).fit(resumed, masked_loader(), ckpt_path=tmp_path / "half.ckpt")
    for a, b in zip(weights(whole), weights(resumed), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.parametrize("epochs", [0, 3, 5])
def test_a_run_that_resumes_in_the_warm_up_matches_the_same_magnitudes(epochs, tmp_path):
    def fit(max_epochs, **resume):
        seed_everything(0, verbose=False)
        model = small(0.5, start_epoch=6, match_magnitude=True, optimizer=fast)
        trainer = quiet_trainer(max_epochs=max_epochs, num_sanity_val_steps=0)
        trainer.fit(model, masked_loader(), **resume)
        trainer.save_checkpoint(tmp_path / f"{max_epochs}.ckpt")
        return model

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "match_magnitude: at epoch 6")  # early, here
        warnings.filterwarnings("ignore", ".* had no part in this training: training ended before")
        whole = fit(8)
        fit(epochs)
        resumed = fit(8, ckpt_path=tmp_path / f"{epochs}.ckpt")
    assert resumed.weight.factor == whole.weight.factor
    for a, b in zip(weights(whole), weights(resumed), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_bfloat16_trains_and_other_precisions_are_refused():
    model = small(2.0)
    other = small(2.0)
    other.load_state_dict(model.state_dict())
    quiet_trainer(max_epochs=1).fit(model, masked_loader())
    quiet_trainer(max_epochs=1, precision="bf16-mixed").fit(other, masked_loader())
    for a, b in zip(weights(model), weights(other), strict=True):
        torch.testing.assert_close(a, b, rtol=0.1, atol=0.02)
    with pytest.raises(ValueError, match=r"precision must .* RightReasonsLoss, got '16-true'"):
        quiet_trainer(precision="16-true").fit(model, masked_loader())


def test_batch_norm_and_dropout_are_explained_as_they_will_be_used():
    backbone = MLP(6, 2, (12,), dropout=0.5, normalization="batch")
    model = RightForTheRightReasons(backbone)
    x, y, mask = masked(8).tensors
    first, second = (model.training_loss((x, y, mask)) for _ in range(2))
    assert first["reasons"] != 0
    model.eval()
    torch.testing.assert_close(model.training_loss((x, y, mask))["task_loss"],
                               F.cross_entropy(backbone(x), y))  # fmt: skip
    assert first["task_loss"] != second["task_loss"]  # dropout


def test_bad_input():
    model, (x, y, mask) = small(), masked(8).tensors
    with pytest.raises(ValueError, match=r"target must lie in 0\.\.1 \(num_classes=2\)"):
        model.training_loss((x, y + 1, mask))
    with pytest.raises(ValueError, match="mask must have the shape of the inputs"):
        model.training_loss((x, y, mask[:, :4]))
    with pytest.raises(ValueError, match=r"zeros and ones only, got 0\.5"):
        model.training_loss((x, y, mask / 2))
    with pytest.raises(ValueError, match=r"logits \(B, 2\) for num_classes=2, got \(8, 3\)"):
        RightForTheRightReasons(MLP(6, 3)).training_loss((x, y, mask))
    with pytest.raises(ValueError, match=r"target must lie in 0\.\.1"):
        quiet_trainer().validate(model, DataLoader(TensorDataset(x, y - 1), batch_size=8))
    with pytest.raises(TypeError, match="masker must be a Masker"):
        small(masker="patches")
    with pytest.raises(TypeError, match=r"optimizer must be a callable .* got SGD"):
        small(optimizer=sgd(model.parameters()))
    with pytest.raises(TypeError, match=r"backbone must be a torch\.nn\.Module, got <class"):
        RightForTheRightReasons(MLP)
    with pytest.warns(UserWarning, match="penalises any certainty"):
        model.training_loss((x, y, torch.ones(8, 6)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.training_loss((x, y, torch.ones(8, 6)))


# --- ranks ------------------------------------------------------------------------------------


def gradients_of_rank(rank, world_size):
    torch.manual_seed(0)
    model = small(5.0)
    x, y, mask = (value[rank::world_size] for value in masked(32, annotated=0.4)[:])

    class Step(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x, y, mask):
            return self.model.training_loss((x, y, mask))["loss"]

    step = nn.parallel.DistributedDataParallel(Step()) if world_size > 1 else Step()
    for _ in range(2):
        model.zero_grad()
        step(x, y, mask).backward()
    return [p.grad for p in model.backbone.parameters()]


@pytest.mark.ddp
def test_two_ranks_have_the_gradients_of_one_process():
    alone = gradients_of_rank(0, 1)
    for of_rank in run_distributed(gradients_of_rank):
        torch.testing.assert_close(of_rank, alone, rtol=1e-5, atol=1e-7)


def fit_on(**trainer):
    seed_everything(0, verbose=False)
    model = small(0.5, start_epoch=40, match_magnitude=True, optimizer=fast)
    world = trainer.get("devices", 1)
    data = DataLoader(masked(64, annotated=0.3), batch_size=64 // world)
    trainer = quiet_trainer(max_epochs=44, **trainer)
    trainer.fit(model, data, data)
    return model, {name: value.item() for name, value in trainer.callback_metrics.items()}


@pytest.mark.slow
@pytest.mark.ddp
@pytest.mark.filterwarnings("ignore:Using `DistributedSampler` with the dataloaders")
def test_trainer_on_two_ranks_trains_and_measures_as_on_one():
    strategy = DDPStrategy(process_group_backend="gloo", start_method="spawn")
    alone, metrics = fit_on()
    together, metrics_of_two = fit_on(devices=2, strategy=strategy)
    for a, b in zip(weights(alone), weights(together), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)
    assert together.weight.factor == pytest.approx(alone.weight.factor, rel=1e-3)
    names = ["val_loss", "val_accuracy", "val_reasons", "val_entropy"]
    wanted = [metrics[n] for n in names]
    assert [metrics_of_two[n] for n in names] == pytest.approx(wanted, rel=1e-3)


@pytest.mark.ddp
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Using `DistributedSampler` with the dataloaders")
def test_annotated_rows_in_every_batch_of_every_rank():
    strategy = DDPStrategy(process_group_backend="gloo", start_method="spawn")
    data = IrisCancer(n_annotated=4, annotated_per_batch=2, batch_size=8)
    model = RightForTheRightReasons(MLP(34, 2, (8,), activation="elu"))
    trainer = quiet_trainer(max_epochs=1, devices=2, strategy=strategy)
    trainer.fit(model, data)
    # the last batch has 2 ordinary rows and 2 annotated ones, and no other epoch follows
    assert trainer.callback_metrics["train_reasons"] > 0


# --- the measured numbers ---------------------------------------------------------------------


def decoy_digits(seed, weight, epochs=64, **kwargs):
    data = DecoyDigits(seed=seed, batch_size=64, eval_batch_size=512)
    seed_everything(seed, verbose=False)
    backbone = MLP(64, 10, (50, 30))
    model = RightForTheRightReasons(backbone, weight, num_classes=10, **kwargs)
    trainer = quiet_trainer(max_epochs=epochs)
    trainer.fit(model, data)
    accuracy = trainer.test(model, data, verbose=False)[0]["test_accuracy"]
    return accuracy, model


@pytest.mark.slow
def test_decoy_digits_as_measured():
    """Without masks .829, with them .96 for any λ from 0.01 to 10, over four seeds."""
    plain = sum(decoy_digits(seed, 0.0)[0] for seed in range(4)) / 4
    right = sum(decoy_digits(seed, 1.0)[0] for seed in range(4)) / 4
    assert plain == pytest.approx(0.829, abs=0.015)
    assert right == pytest.approx(0.960, abs=0.01)


@pytest.mark.slow
def test_decoy_digits_with_magnitudes_matched():
    accuracy, model = decoy_digits(0, 1.0, start_epoch=4, match_magnitude=True)
    assert accuracy > 0.945
    assert 1e-3 < model.weight.factor < 1e2
