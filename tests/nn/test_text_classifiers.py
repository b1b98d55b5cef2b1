"""What RecurrentClassifier and TransformerTextClassifier have in common."""

import pytest
import torch
from torch import nn

from pear_lightning.explainers import InputXGradient, IntegratedGradients, KernelShap, explain
from pear_lightning.masking import TokenMasker
from pear_lightning.nn import RecurrentClassifier, TransformerTextClassifier
from pear_lightning.scoring import Batch
from pear_lightning.scoring.embedding import embedded

RIGHT = torch.tensor([[2, 7, 9, 3, 4], [2, 5, 3, 0, 0], [6, 0, 0, 0, 0]])
LEFT = torch.tensor([[2, 7, 9, 3, 4], [0, 0, 2, 5, 3], [0, 0, 0, 0, 6]])


def recurrent(**options):
    sizes = {"embedding_size": 8, "hidden_size": 6, **options}
    return RecurrentClassifier(10, 3, **sizes)


def transformer(**options):
    sizes = {"embedding_size": 8, "num_heads": 2, "max_tokens": 6, **options}
    model = TransformerTextClassifier(10, 3, **sizes)
    nn.init.normal_(model.positions.weight)  # far from zero, so that wrong positions show
    return model


BUILDS = {
    f"{cell}-{'both' if both else 'forward'}-{pooling}": lambda c=cell, b=both, p=pooling: (
        recurrent(cell=c, bidirectional=b, pooling=p, num_layers=2)
    )
    for cell in ("lstm", "gru")
    for both in (False, True)
    for pooling in ("last", "mean")
} | {
    f"transformer-{pooling}": lambda p=pooling: transformer(pooling=p)
    for pooling in ("mean", "first", "last")
}
every_model = pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)


@every_model
class TestEveryModel:
    def test_padding_does_not_change_the_logits_on_either_side(self, build):
        model = build().eval()
        alone = torch.cat([model(row[row != 0][None]) for row in RIGHT])
        torch.testing.assert_close(model(RIGHT, attention_mask=(RIGHT != 0).long()), alone)
        torch.testing.assert_close(model(LEFT, attention_mask=LEFT != 0), alone)
        assert (alone[0] - alone[1]).abs().max() > 1e-3  # texts are told apart

    def test_the_order_of_tokens_matters(self, build):
        model = build().eval()
        assert (model(RIGHT[:1]) - model(RIGHT[:1].flip(1))).abs().max() > 1e-4

    def test_embeddings_give_the_logits_of_ids(self, build):
        model, mask = build().eval(), RIGHT != 0
        torch.testing.assert_close(model(model.embed(RIGHT), mask), model(RIGHT, mask))

    @pytest.mark.parametrize("ids", [RIGHT, LEFT], ids=["right", "left"])
    def test_training_on_explanations_reaches_the_weights_and_not_the_padding(self, build, ids):
        model = build()
        batch = embedded(Batch.of({"input_ids": ids, "attention_mask": ids != 0}), model)
        _, attributions = explain(
            model,
            batch.inputs.detach(),
            torch.tensor([0, 1, 2]),
            [InputXGradient(), IntegratedGradients(n_steps=3, baseline="zeros")],
            forward_kwargs=batch.forward_kwargs,
            create_graph=True,
        )
        for attribution in attributions:
            assert (attribution.abs().sum(2) > 0)[0].any()
            assert attribution[ids == 0].abs().max() == 0
        sum(each.square().sum() for each in attributions).backward()
        inner = [p for n, p in model.named_parameters() if p.ndim == 2 and "embedding" not in n]
        assert all(p.grad is not None and p.grad.isfinite().all() for p in inner)
        assert sum(p.grad.abs().sum() for p in inner) > 0

    def test_explanations_do_not_depend_on_the_batch(self, build):
        model, target = build().eval(), torch.tensor([0, 1, 2])
        masker = TokenMasker(mask_token_id=1, pad_token_id=0)
        explainers = [KernelShap(16, seed=0, masker=masker)]
        explained = explain(model, RIGHT, target, explainers,
                            forward_kwargs={"attention_mask": RIGHT != 0})[1][0]  # fmt: skip
        for row in range(3):
            ids = RIGHT[row : row + 1]
            alone = explain(model, ids, target[row : row + 1], explainers,
                            forward_kwargs={"attention_mask": ids != 0})[1][0]  # fmt: skip
            torch.testing.assert_close(explained[row : row + 1], alone, rtol=1e-4, atol=1e-5)

    def test_an_id_outside_the_vocabulary(self, build):
        with pytest.raises(ValueError, match=r"ids in 0..9 \(vocab_size=10\), got .* 0 to 10"):
            build()(torch.tensor([[0, 10]]))


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize(("cell", "layer"), [("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_without_padding_it_is_the_layer_of_torch(cell, layer, both):
    model = recurrent(cell=cell, bidirectional=both, num_layers=2).eval()
    reference = layer(8, 6, num_layers=2, batch_first=True, bidirectional=both)
    with torch.no_grad():
        for number, directions in enumerate(model.layers):
            for direction, suffix in zip(directions, ("", "_reverse"), strict=False):
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                    value = getattr(direction, f"{name}_l0")
                    getattr(reference, f"{name}_l{number}{suffix}").copy_(value)
    embeddings = torch.randn(4, 5, 8)
    _, state = reference(embeddings)
    final = state[0] if cell == "lstm" else state
    last = torch.cat(list(final[-2:] if both else final[-1:]), dim=1)
    torch.testing.assert_close(model(embeddings), model.head(last))
    # and packed sequences give what padding gives here
    lengths = torch.tensor([5, 2, 3, 1])
    packed = nn.utils.rnn.pack_padded_sequence(
        embeddings, lengths, batch_first=True, enforce_sorted=False
    )
    _, state = reference(packed)
    final = state[0] if cell == "lstm" else state
    last = torch.cat(list(final[-2:] if both else final[-1:]), dim=1)
    mask = torch.arange(5) < lengths[:, None]
    torch.testing.assert_close(model(embeddings, mask), model.head(last))


def test_ids_without_embeddings():
    for model in (RecurrentClassifier(embedding_size=8), TransformerTextClassifier(None)):
        with pytest.raises(ValueError, match=r"got token ids .*; give the network vocab_size"):
            model(RIGHT)
    assert RecurrentClassifier(embedding_size=4)(torch.randn(2, 3, 4)).shape == (2, 2)


def test_too_long_a_text():
    with pytest.raises(ValueError, match=r"at most 6 tokens, .* got 7; .*max_tokens=6"):
        transformer()(torch.ones(1, 7, dtype=torch.long))


@pytest.mark.parametrize("build", [recurrent, transformer])
@pytest.mark.parametrize(
    ("inputs", "mask", "message"),
    [
        (torch.ones(2, 8), None, r"token ids \(B, L\), got torch.float32, shape \(2, 8\)"),
        (torch.ones(2, 5, 8).long(), None, "got torch.int64"),
        (torch.ones(2, 5, 7), None, r"inputs must have shape \(B, L, 8\), got \(2, 5, 7\)"),
        (torch.ones(2, 5, 8), torch.ones(2, 4), r"mask must have shape \(2, 5\), got \(2, 4\)"),
    ],
)
def test_shapes(build, inputs, mask, message):
    with pytest.raises(ValueError, match=message):
        build()(inputs, attention_mask=mask)


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (recurrent, {"cell": "rnn"}, "cell must be one of .*, got 'rnn'"),
        (recurrent, {"pooling": "max"}, "pooling must be 'last' or 'mean', got 'max'"),
        (recurrent, {"hidden_size": 0}, "hidden_size must be at least 1, got 0"),
        (recurrent, {"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
        (recurrent, {"embedding_size": 0}, "embedding_size must be at least 1, got 0"),
        (transformer, {"num_heads": 3}, "num_heads must divide embedding_size=8, got 3"),
        (transformer, {"pooling": "max"}, "pooling must be 'mean', 'first' or 'last', got 'max'"),
        (transformer, {"max_tokens": 0}, "max_tokens must be at least 1, got 0"),
        (transformer, {"dropout": -0.1}, r"dropout must lie in \[0, 1\), got -0.1"),
    ],
)
def test_arguments_that_cannot_be(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


@pytest.mark.filterwarnings("ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning")
@pytest.mark.parametrize(
    "arguments",
    [
        "RecurrentClassifier\ninit_args: {vocab_size: 10, cell: gru, pooling: mean}",
        "TransformerTextClassifier\ninit_args: {vocab_size: 10, pooling: first}",
        "SmallCNN\ninit_args: {channels: [8, 8], normalization: batch}",
    ],
)
def test_yaml(tmp_path, arguments):
    from lightning.pytorch.cli import LightningArgumentParser

    (tmp_path / "model.yaml").write_text(f"class_path: pear_lightning.nn.{arguments}\n")
    parser = LightningArgumentParser()
    parser.add_subclass_arguments(nn.Module, "backbone")
    config = parser.parse_args([f"--backbone={tmp_path / 'model.yaml'}"])
    backbone = parser.instantiate_classes(config).backbone
    assert type(backbone).__name__ == arguments.partition("\n")[0]
