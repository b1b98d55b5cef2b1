"""The surrogate: its loss, its subsets, and a fit that learns a conditional expectation."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from pear_lightning.explainers import KernelShap, explain
from pear_lightning.masking import ColumnMasker, PatchMasker, TokenMasker
from pear_lightning.modules import Surrogate
from pear_lightning.nn import MLP, MaskedAttention, TransformerTextClassifier
from pear_lightning.scoring import Batch, BernoulliLaw, ShapleyLaw
from pear_lightning.scoring.drawn_subsets import drawn_subsets
from tests.modules.helpers import quiet_trainer
from tests.reference import learned_explainers as reference

N = 5


def f():
    torch.manual_seed(1)
    return MLP(N, 3, hidden_features=(8,), dropout=0.5)


def build(target=None, **kwargs):
    target = f() if target is None else target
    torch.manual_seed(2)
    network = MLP(N, 3, hidden_features=(16,))
    return Surrogate(target, network, ColumnMasker(N), **kwargs)


def test_equals_the_formula():
    model, inputs = build(n_subsets=4, law=BernoulliLaw(0.3)), torch.randn(6, N)
    batch = Batch(inputs)
    drawn = drawn_subsets(model, batch, ColumnMasker(N).bind(inputs), model.law, 4, seed=7)
    logits = f().eval()(inputs)
    wanted = [
        reference.surrogate_loss(
            logits[b].tolist(), [model(keep * inputs[b]).tolist() for keep in drawn.keep[:, b]]
        )
        for b in range(6)
    ]
    assert model.loss(batch, 7).item() == pytest.approx(sum(wanted) / 6, rel=1e-5)


def test_sizes_of_the_subsets_are_uniform():
    chi2 = pytest.importorskip("scipy.stats").chisquare
    model, inputs = build(), torch.randn(400, N)
    drawn = drawn_subsets(model, Batch(inputs), ColumnMasker(N).bind(inputs), model.law, 20)
    sizes = drawn.keep.sum(dim=2).flatten().bincount(minlength=N + 1)
    assert chi2(sizes.numpy()).pvalue > 0.01
    of_size_2 = drawn.keep[drawn.keep.sum(dim=2) == 2]
    pairs = (of_size_2.long() @ (2 ** torch.arange(N))).unique(return_counts=True)[1]
    assert len(pairs) == 10
    assert chi2(pairs.numpy()).pvalue > 0.01


def test_learns_the_expectation_given_the_features_that_are_left():
    """Two equal columns: f reads the first, and either tells the surrogate the class."""

    def model(inputs):
        return torch.stack([3 * inputs[:, 0], -3 * inputs[:, 0]], dim=1)

    signs = torch.randn(1024, 1).sign()
    rows = torch.cat([signs, signs, torch.randn(1024, 1)], dim=1)
    torch.manual_seed(0)
    surrogate = Surrogate(
        model, MLP(3, 2, (32,)), ColumnMasker(3), n_subsets=4,
        optimizer=lambda params: torch.optim.Adam(params, lr=1e-2),
    )  # fmt: skip
    trainer = quiet_trainer(max_epochs=12)
    loader = DataLoader(rows, batch_size=128)
    trainer.fit(surrogate, loader, loader)
    assert trainer.callback_metrics["val_loss"] < 0.35
    probs = surrogate(torch.tensor([[0.0, 1, 0], [0.0, 0, 1.5], [1.0, 0, 0]])).softmax(dim=1)[:, 0]
    torch.testing.assert_close(probs, torch.tensor([1.0, 0.5, 1.0]), atol=0.1, rtol=0)
    torch.testing.assert_close(  # where f sees nothing in the second column
        model(torch.tensor([[0.0, 1, 0]])).softmax(dim=1)[:, 0], torch.tensor([0.5])
    )
    _, (shares,) = explain(surrogate, rows[:20], 0, [KernelShap()])
    assert (shares[:, 1].abs() > 0.5 * shares[:, 0].abs()).all()


def test_the_given_model_is_neither_trained_nor_saved(tmp_path):
    target = f()
    before = [each.clone() for each in target.parameters()]
    model = build(target)
    trainer = quiet_trainer(max_epochs=2)
    loader = DataLoader(torch.randn(64, N), batch_size=16)
    trainer.fit(model, loader, loader)
    assert all(torch.equal(a, b) for a, b in zip(before, target.parameters(), strict=True))
    assert all(each.grad is None for each in target.parameters())
    trainer.validate(model, loader, verbose=False)
    assert trainer.test(model, loader, verbose=False)[0]["test_loss"] > 0
    logits = torch.cat([each["logits"] for each in trainer.predict(model, loader)])
    trainer.save_checkpoint(tmp_path / "surrogate.ckpt")
    saved = torch.load(tmp_path / "surrogate.ckpt", weights_only=True)["state_dict"]
    assert {name.split(".")[0] for name in saved} == {"backbone", "removal"}
    again = Surrogate.load_from_checkpoint(
        tmp_path / "surrogate.ckpt", target_model=None, network=MLP(N, 3, hidden_features=(16,)),
        masker=ColumnMasker(N),
    )  # fmt: skip
    rows = torch.cat(list(loader))
    torch.testing.assert_close(again.eval()(rows), logits)


def test_the_mean_of_the_training_rows_is_the_baseline():
    model = Surrogate(f(), MLP(N, 3), ColumnMasker(N, baseline="mean"))
    quiet_trainer(max_epochs=1).fit(model, DataLoader(torch.full((32, N), 3.0), batch_size=16))
    (mean,) = model.removal.baseline.state_dict().values()
    assert (mean == 3).all()


def test_texts_with_padding():
    model = Surrogate(
        TransformerTextClassifier(20, 2, max_tokens=6), TransformerTextClassifier(20, 2),
        TokenMasker(4, pad_token_id=0), n_subsets=3,
    )  # fmt: skip
    ids = torch.tensor([[5, 6, 7, 8], [9, 10, 0, 0]])
    batch = {"input_ids": ids, "attention_mask": (ids != 0).long()}
    quiet_trainer(max_epochs=1).fit(model, DataLoader([batch], batch_size=None))


@pytest.mark.parametrize("law", [None, ShapleyLaw()])
def test_a_text_has_the_same_loss_beside_a_longer_one(law):
    """Also with a random baseline."""
    torch.manual_seed(0)
    model = Surrogate(
        TransformerTextClassifier(20, 2, max_tokens=9), TransformerTextClassifier(20, 2),
        TokenMasker(baseline="gaussian"), law, n_subsets=8,
    ).eval()  # fmt: skip
    mask = torch.tensor([[1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]])
    inputs = torch.randn(2, 6, model.backbone.embedding.embedding_dim)
    batch = Batch(inputs, forward_kwargs={"attention_mask": mask})
    alone = [model.loss(batch.rows(slice(b, b + 1)), 3) for b in range(2)]
    torch.testing.assert_close(model.loss(batch, 3), torch.stack(alone).mean())


def test_one_output_is_regressed():
    model = Surrogate(
        lambda x: x.sum(dim=1), MLP(N, 1, hidden_features=()), ColumnMasker(N), BernoulliLaw(), 2
    )
    batch = Batch(torch.randn(3, N))
    drawn = drawn_subsets(model, batch, ColumnMasker(N).bind(batch.inputs), model.law, 2, seed=3)
    errors = model(drawn.keep * batch.inputs)[..., 0] - batch.inputs.sum(dim=1)
    torch.testing.assert_close(model.loss(batch, 3), errors.square().mean())


class Transformer(nn.Module):
    """A minimal vision transformer: one layer of attention from a class token."""

    num_prefix_tokens = 1

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 2, 2)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, inputs, attn_mask):
        tokens = nn.functional.pad(self.patches(inputs).flatten(2).mT, (0, 0, 1, 0))
        found, _ = self.attention(tokens, tokens, tokens, key_padding_mask=~attn_mask[:, 0, 0])
        return self.head(found[:, 0])


def test_masked_attention_does_not_see_removed_patches():
    torch.manual_seed(0)
    network = MaskedAttention(Transformer(), 2, value=-7).eval()
    images = torch.randn(3, 1, 6, 6)
    masker = PatchMasker(2, 6, baseline=-7.0)
    keep = torch.rand(3, 1, 9) < 0.5
    masked = network(masker.apply(images, keep)[:, 0])
    # what a removed patch holds has no influence: an attention mask that is passed along
    seen = nn.functional.pad(keep[:, 0], (1, 0), value=True)[:, None, None]
    for value in (0.0, 55.0):
        other = masker.with_baseline(value).apply(images, keep)[:, 0]
        torch.testing.assert_close(network.model(other, attn_mask=seen), masked)
    assert not torch.allclose(network(images), masked)
    whole = network.model(images, attn_mask=torch.ones(3, 1, 1, 10, dtype=torch.bool))
    torch.testing.assert_close(network(images), whole)
    nothing = masker.apply(images, torch.zeros(3, 1, 9, dtype=torch.bool))[:, 0]
    assert network(nothing).isfinite().all()


@pytest.mark.vision
def test_masked_attention_of_timm():
    from pear_lightning.nn import timm_model

    vit = timm_model("vit_tiny_patch16_224", num_classes=3, img_size=32, patch_size=8, depth=2)
    network = MaskedAttention(vit, 8, value=-7).eval()
    images, masker = torch.randn(2, 3, 32, 32), PatchMasker(8, 32, baseline=-7.0)
    torch.testing.assert_close(network(images), vit(images))
    keep = torch.rand(2, 1, 16) < 0.5
    seen = nn.functional.pad(keep[:, 0], (1, 0), value=True)[:, None, None]
    masked = network(masker.apply(images, keep)[:, 0])
    other = masker.with_baseline(3.0).apply(images, keep)[:, 0]
    torch.testing.assert_close(vit(other, attn_mask=seen), masked, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(network(images), masked)


def test_bad_arguments():
    with pytest.raises(TypeError, match="network must be"):
        Surrogate(f(), None, ColumnMasker(N))
    with pytest.raises(TypeError, match="masker must be a Masker"):
        Surrogate(f(), MLP(N), None)
    with pytest.raises(ValueError, match="n_subsets must be"):
        build(n_subsets=0)
    with pytest.raises(ValueError, match="network must have the 3 outputs"):
        Surrogate(f(), MLP(N, 2), ColumnMasker(N)).loss(Batch(torch.randn(2, N)), 0)
    with pytest.raises(TypeError, match="model must take attn_mask"):
        MaskedAttention(MLP(N), 4)
    with pytest.raises(ValueError, match="inputs must be images"):
        MaskedAttention(Transformer(), 4)(torch.randn(1, 1, 6, 6))
