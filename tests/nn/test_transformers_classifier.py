import sys

import pytest
import torch

from pear_lightning.explainers import InputXGradient, IntegratedGradients, explain
from pear_lightning.nn import TransformersClassifier

pytest.importorskip("transformers")

SIZES = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
BERT = {"model_type": "bert", "intermediate_size": 16, "hidden_dropout_prob": 0.1, **SIZES}
ROBERTA = {"model_type": "roberta", "intermediate_size": 16, **SIZES}
# weights far from zero, so that wrong positions show in the logits
LLAMA = {"model_type": "llama", "intermediate_size": 16, "initializer_range": 0.5, **SIZES}
GPT2 = {"model_type": "gpt2", "vocab_size": 20, "n_embd": 8, "n_layer": 2, "n_head": 2}
GPT2 |= {"initializer_range": 0.5, "bos_token_id": 1, "eos_token_id": 1}
CTRL = {"model_type": "ctrl", "vocab_size": 20, "n_embd": 8, "dff": 16, "n_layer": 1, "n_head": 2}
CTRL |= {"pad_token_id": 0}
MODELS = [BERT, ROBERTA, LLAMA, GPT2]

IDS = torch.tensor([[2, 7, 9, 3, 4], [2, 5, 3, 0, 0]])
MASK = (IDS != 0).long()


def test_token_types_reach_the_model():
    model = TransformersClassifier(BERT).eval()
    kinds = torch.tensor([[0, 0, 1, 1, 1], [0, 1, 1, 0, 0]])
    wanted = model.model(IDS, attention_mask=MASK, token_type_ids=kinds).logits
    for inputs in (IDS, model.embed(IDS)):
        found = model(inputs, attention_mask=MASK, token_type_ids=kinds)
        torch.testing.assert_close(found, wanted)
    assert not torch.allclose(model(IDS, attention_mask=MASK), wanted)


def name_of(config: dict) -> str:
    return config["model_type"]


@pytest.mark.parametrize("config", MODELS, ids=name_of)
class TestModels:
    def test_embeddings_give_the_logits_of_ids(self, config):
        model = TransformersClassifier(config, num_classes=3).eval()
        model.model.config.pad_token_id = 0  # transformers finds the last token by it
        expected = model.model(IDS, attention_mask=MASK).logits
        torch.testing.assert_close(model(model.embed(IDS), attention_mask=MASK), expected)
        torch.testing.assert_close(model(IDS, attention_mask=MASK), expected)
        assert expected.shape == (2, model.num_classes) == (2, 3)

    def test_padding_does_not_change_logits(self, config):
        model = TransformersClassifier(config).eval()
        padded = model(model.embed(IDS), attention_mask=MASK)
        alone = torch.cat([model(model.embed(IDS[:1])), model(model.embed(IDS[1:, :3]))])
        torch.testing.assert_close(padded, alone)

    def test_training_on_explanations_reaches_the_weights(self, config):
        model = TransformersClassifier(config)
        embeddings = model.embed(IDS).detach()
        _, attributions = explain(
            model,
            embeddings,
            torch.tensor([0, 1]),
            [InputXGradient(), IntegratedGradients(n_steps=3, baseline="zeros")],
            forward_kwargs={"attention_mask": MASK},
            create_graph=True,
        )
        for attribution in attributions:
            assert attribution.shape == embeddings.shape
            assert attribution[1, :3].abs().sum() > 0
            assert attribution[1, 3:].abs().max() == 0  # padding has no say
        sum(attribution.square().sum() for attribution in attributions).backward()
        inner = [p for p in model.model.base_model.parameters() if p.grad is not None]
        assert sum(p.grad.abs().sum() for p in inner) > 0
        assert model.training


@pytest.mark.parametrize(("config", "n_positions"), [(BERT, 512), (ROBERTA, 510), (GPT2, 1024)])
def test_too_long_a_text(config, n_positions):
    model = TransformersClassifier(config).eval()
    assert model(torch.full((1, n_positions), 3)).isfinite().all()
    with pytest.raises(ValueError, match=f"at most {n_positions} tokens.* got {n_positions + 1}"):
        model(torch.full((1, n_positions + 1), 3))


def test_gradient_checkpointing_changes_no_gradient():
    from pear_lightning.modules import PEAR

    def gradients(**options):
        torch.manual_seed(0)
        config = {**BERT, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        model = PEAR(TransformersClassifier(config, num_classes=2, **options),
                     explainers={"a": InputXGradient(), "b": IntegratedGradients(2, "zeros")},
                     rows=1)  # fmt: skip
        model.backbone.train()
        batch = {"input_ids": IDS, "attention_mask": MASK, "labels": torch.tensor([0, 1])}
        model.training_loss(batch)["loss"].backward()
        return model, [p.grad for p in model.backbone.parameters() if p.grad is not None]

    _, wanted = gradients()
    model, found = gradients(gradient_checkpointing=True)
    assert any(getattr(m, "gradient_checkpointing", False) for m in model.backbone.modules())
    assert len(found) == len(wanted) > 10
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("config", MODELS, ids=name_of)
def test_padding_in_front_is_padding_behind(config):
    model = TransformersClassifier(config).eval()
    ids = torch.tensor([[0, 0, 2, 5, 3], [0, 2, 7, 4, 3]])
    behind = torch.stack([ids[0].roll(-2), ids[1].roll(-1)])
    kinds = {}
    if config["model_type"] == "bert":
        kinds = {"token_type_ids": torch.tensor([[0, 0, 0, 1, 1], [0, 0, 1, 1, 1]])}
    moved = {
        name: torch.stack([each[0].roll(-2), each[1].roll(-1)]) for name, each in kinds.items()
    }
    for inputs in (lambda row: row, model.embed):
        found = model(inputs(ids), attention_mask=(ids != 0).long(), **kinds)
        wanted = model(inputs(behind), attention_mask=(behind != 0).long(), **moved)
        torch.testing.assert_close(found, wanted)


def test_a_model_that_reads_padding_refuses_it():
    model = TransformersClassifier(CTRL).eval()
    assert model(model.embed(IDS)).shape == (2, 2)
    with pytest.raises(ValueError, match="CTRLForSequenceClassification, whose logits depend"):
        model(model.embed(IDS), attention_mask=MASK)


class TestSources:
    def test_config_object_stays_as_it_is(self):
        from transformers import BertConfig

        config = BertConfig(**{k: v for k, v in BERT.items() if k != "model_type"})
        assert TransformersClassifier(config, num_classes=4).num_classes == 4
        assert config.num_labels == 2
        assert TransformersClassifier(config).num_classes == 2

    def test_pretrained_folder(self, tmp_path):
        saved = TransformersClassifier(BERT, num_classes=3)
        saved.model.half().save_pretrained(tmp_path)
        model = TransformersClassifier(str(tmp_path), local_files_only=True)
        assert model.num_classes == 3
        assert all(module.training for module in model.modules())  # a Trainer would not do this
        for loaded, written in zip(model.parameters(), saved.parameters(), strict=True):
            assert loaded.dtype == torch.float32
            assert torch.equal(loaded, written.float())

    def test_pretrained_weights_for_other_classes_get_a_new_last_layer(self, tmp_path):
        saved = TransformersClassifier(BERT, num_classes=3)
        saved.model.save_pretrained(tmp_path)
        model = TransformersClassifier(str(tmp_path), num_classes=5)
        assert model(IDS).shape == (2, 5)
        for loaded, written in zip(
            model.model.base_model.parameters(), saved.model.base_model.parameters(), strict=True
        ):
            assert torch.equal(loaded, written)

    def test_finished_model(self):
        from transformers import AutoConfig, AutoModelForSequenceClassification

        config = AutoConfig.for_model(**BERT)
        finished = AutoModelForSequenceClassification.from_config(config).half()
        model = TransformersClassifier(finished)
        assert model.model is finished
        assert {p.dtype for p in model.parameters()} == {torch.float32}
        assert finished.config._attn_implementation == "sdpa"  # as it was
        with pytest.raises(ValueError, match="num_classes must be 2, as in the model, got 5"):
            TransformersClassifier(finished, num_classes=5)

    @pytest.mark.parametrize("model", [BERT, "bert-base-uncased"])
    def test_no_classes(self, model):
        with pytest.raises(ValueError, match="num_classes must be at least 1, got 0"):
            TransformersClassifier(model, num_classes=0)

    def test_building_leaves_the_random_state_alone_but_for_weights(self):
        """The look at padding draws no random number, and modes are given back."""
        torch.manual_seed(0)
        first = TransformersClassifier(BERT)
        torch.manual_seed(0)
        again = TransformersClassifier(BERT)
        for a, b in zip(first.parameters(), again.parameters(), strict=True):
            assert torch.equal(a, b)
            assert a.grad is None

    def test_encoder_decoder(self):
        sizes = {"encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 8}
        sizes |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "decoder_ffn_dim": 8}
        with pytest.raises(ValueError, match="an encoder-decoder, which takes no embeddings"):
            TransformersClassifier(
                {"model_type": "bart", "vocab_size": 20, "d_model": 8, **sizes}, num_classes=2
            )

    @pytest.mark.parametrize(
        ("model", "arguments", "error", "message"),
        [
            (torch.nn.Linear(2, 2), {}, TypeError, "model must be a name, a .* got Linear"),
            ({"hidden_size": 8}, {}, ValueError, r"'model_type' .* got \['hidden_size'\]"),
            (BERT, {"revision": "main"}, TypeError, r"pretrained weights, got \['revision'\]"),
        ],
    )
    def test_errors(self, model, arguments, error, message):
        with pytest.raises(error, match=message):
            TransformersClassifier(model, **arguments)

    def test_without_transformers(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "transformers", None)
        with pytest.raises(ImportError, match=r"pip install 'pear-lightning\[text\]'"):
            TransformersClassifier(BERT)


@pytest.mark.parametrize(
    ("inputs", "mask", "message"),
    [
        (torch.ones(2, 8), None, r"inputs must be embeddings .* shape \(2, 8\)"),
        (torch.ones(2, 5, 8), torch.ones(2, 4), r"mask must have shape \(2, 5\), got \(2, 4\)"),
    ],
)
def test_shapes(inputs, mask, message):
    with pytest.raises(ValueError, match=message):
        TransformersClassifier(BERT)(inputs, attention_mask=mask)


@pytest.mark.filterwarnings("ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning")
def test_yaml(tmp_path):
    from lightning.pytorch.cli import LightningArgumentParser

    sizes = "".join(f"    {name}: {value}\n" for name, value in BERT.items())
    (tmp_path / "model.yaml").write_text(
        "class_path: pear_lightning.nn.TransformersClassifier\n"
        f"init_args:\n  num_classes: 3\n  model:\n{sizes}"
    )
    parser = LightningArgumentParser()
    parser.add_subclass_arguments(torch.nn.Module, "backbone")
    config = parser.parse_args([f"--backbone={tmp_path / 'model.yaml'}"])
    assert parser.instantiate_classes(config).backbone(IDS).shape == (2, 3)
