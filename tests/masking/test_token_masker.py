import pytest
import torch

from pear_lightning.masking import TokenBaseline, TokenMasker

IDS = torch.tensor([[2, 7, 9, 8, 3], [2, 5, 3, 0, 0]])
MASK = (IDS != 0).long()
TOKENS = torch.tensor([[0, 1, 1, 1, 0], [0, 1, 0, 0, 0]]).bool()
MASKER = TokenMasker(4, special_token_ids=[2, 3])


def test_words_are_features():
    bound = MASKER.bind(IDS, {"attention_mask": MASK})
    assert bound.n_features == 5
    assert torch.equal(bound.present, TOKENS)
    keep = torch.rand(2, 6, 5) < 0.5
    assert torch.equal(bound.apply(keep), IDS[:, None].where(keep | ~TOKENS[:, None], 4))


@pytest.mark.parametrize(
    "sample_data",
    [
        {"special_tokens_mask": (~TOKENS).long()},
        {"attention_mask": MASK, "special_tokens_mask": (IDS == 2) | (IDS == 3)},
        {"attention_mask": MASK.bool(), "special_tokens_mask": ~TOKENS},
        {"attention_mask": TOKENS.float()},
    ],
    ids=["special", "both", "bool", "float"],
)
def test_masks_of_a_tokenizer(sample_data):
    for inputs in (IDS, torch.randn(2, 5, 3)):
        assert torch.equal(TokenMasker(4).bind(inputs, sample_data).present, TOKENS)


def test_padding_by_its_id():
    masker = TokenMasker(4, special_token_ids=[2, 3], pad_token_id=0)
    assert torch.equal(masker.bind(IDS).present, TOKENS)
    assert torch.equal(masker.bind(torch.randn(2, 5, 3), {"input_ids": IDS}).present, TOKENS)


def test_with_an_attention_mask_the_id_of_padding_may_be_a_token():
    masker = TokenMasker(4, special_token_ids=[9], pad_token_id=0)
    ids = torch.tensor([[5, 0, 7, 9], [5, 0, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    wanted = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]]).bool()
    assert torch.equal(masker.bind(ids, {"attention_mask": mask}).present, wanted)


def test_without_any_mask_every_token_is_a_feature():
    bound = TokenMasker(4).bind(IDS)
    assert bound.present.all()
    keep = torch.rand(2, 3, 5) < 0.5
    assert torch.equal(bound.apply(keep), IDS[:, None].where(keep, 4))


def test_attributions_pool_to_tokens():
    sample_data = {"attention_mask": MASK, "input_ids": IDS}
    of_tokens, of_components = torch.randn(2, 5), torch.randn(2, 5, 3)
    for inputs in (IDS, torch.randn(2, 5, 3)):
        bound = MASKER.bind(inputs, sample_data)
        assert torch.equal(bound.pool(of_tokens), of_tokens * TOKENS)
        torch.testing.assert_close(bound.pool(of_components), of_components.sum(2) * TOKENS)
    assert torch.equal(MASKER.pool(of_tokens, **sample_data), of_tokens * TOKENS)
    torch.testing.assert_close(
        MASKER.pool(of_components, **sample_data), of_components.sum(2) * TOKENS
    )
    with pytest.raises(ValueError, match="shape of the inputs"):
        MASKER.bind(IDS, sample_data).pool(torch.randn(2, 1))


def test_attributions_are_as_long_as_the_text():
    bound = MASKER.bind(IDS, {"attention_mask": MASK})
    saliency = torch.randn(2, 5)
    attributions = bound.spread(saliency)
    assert torch.equal(attributions, saliency * TOKENS)
    embeddings = MASKER.bind(torch.randn(2, 5, 3), {"attention_mask": MASK, "input_ids": IDS})
    assert embeddings.spread(saliency).shape == (2, 5, 3)


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [
        ("zeros", torch.zeros(3)),
        (1.5, torch.full((3,), 1.5)),
        (torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 3.0])),
    ],
    ids=["zeros", "number", "vector"],
)
def test_embeddings_take_a_baseline(baseline, expected):
    embeddings = torch.randn(2, 5, 3)
    masker = TokenMasker(baseline=baseline)
    bound = masker.bind(embeddings, {"special_tokens_mask": ~TOKENS})
    nothing = bound.apply(torch.zeros(2, 1, 5, dtype=torch.bool))[:, 0]
    assert torch.equal(nothing, embeddings.where(~TOKENS[..., None], expected))


def test_mean_token_is_that_of_the_words():
    embeddings = torch.randn(2, 5, 3)
    bound = TokenMasker(baseline="own_mean").bind(embeddings, {"special_tokens_mask": ~TOKENS})
    nothing = bound.apply(torch.zeros(2, 1, 5, dtype=torch.bool))[:, 0]
    torch.testing.assert_close(nothing[0, 1:4], embeddings[0, 1:4].mean(0).expand(3, 3))
    torch.testing.assert_close(nothing[1], embeddings[1])  # its only word is the mean


def test_shuffled_ids_are_the_words_of_the_text():
    masker = TokenMasker(special_token_ids=[2, 3], baseline="shuffle")
    bound = masker.bind(IDS, {"attention_mask": MASK})
    nothing = bound.apply(torch.zeros(2, 20, 5, dtype=torch.bool), torch.arange(20))
    assert nothing.dtype == torch.long
    assert (nothing[0].sort(dim=1).values == IDS[0].sort().values).all()
    assert (nothing[:, :, 0] == 2).all()
    assert len({tuple(row) for row in nothing[0].tolist()}) == 6  # 3! orders of 20 draws
    assert (nothing[1] == IDS[1]).all()


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("baseline", ["own_mean", "uniform", "gaussian", "shuffle"])
def test_padding_changes_nothing(side, baseline):
    text = torch.randn(1, 4, 3)
    padding = torch.randn(1, 3, 3)
    padded = torch.cat([text, padding] if side == "right" else [padding, text], dim=1)
    there = slice(0, 4) if side == "right" else slice(3, 7)
    mask = torch.zeros(1, 7)
    mask[:, there] = 1
    masker = TokenMasker(baseline=baseline)
    short, long = masker.bind(text), masker.bind(padded, {"attention_mask": mask})
    assert torch.equal(short.seeds, long.seeds)
    keep = torch.rand(1, 3, 7) < 0.5
    draws = torch.arange(3)
    torch.testing.assert_close(
        long.apply(keep, draws)[:, :, there], short.apply(keep[..., there], draws)
    )


def test_a_text_without_words():
    ids = torch.tensor([[2, 7, 3], [2, 3, 0]])
    with pytest.raises(ValueError, match=r"got 1 of 2 .* from TokenMasker; the first is sample 1"):
        MASKER.bind(ids, {"attention_mask": (ids != 0).long()})


def test_other_baselines_keep_the_mask_token():
    masker = MASKER.with_baseline("gaussian")
    assert masker.baseline.mask_token_id == 4
    assert masker.baseline.is_random
    assert not MASKER.baseline.is_random
    sample_data = {"attention_mask": MASK}
    keep = torch.zeros(2, 1, 5, dtype=torch.bool)
    assert torch.equal(masker.apply(IDS, keep, **sample_data),
                       MASKER.apply(IDS, keep, **sample_data))  # fmt: skip


def test_number_of_tokens():
    assert TokenMasker(n_tokens=7).n_features == 7
    with pytest.raises(ValueError, match="n_tokens=7 tokens, got 5"):
        TokenMasker(4, n_tokens=7).bind(IDS)
    with pytest.raises(ValueError, match="n_tokens"):
        _ = TokenMasker().n_features


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mask_token_id": -1}, "mask_token_id"),
        ({"n_tokens": 0}, "n_tokens"),
        ({"baseline": "mean"}, "embedding.weight.mean"),
        ({"baseline": "median"}, "median"),
        ({"mask_token_id": 1, "baseline": TokenBaseline(2)}, "baseline is a TokenBaseline, got 1"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        TokenMasker(**arguments)


@pytest.mark.parametrize(
    ("masker", "inputs", "sample_data", "message"),
    [
        (MASKER, IDS, {"attention_mask": MASK[:, :4]}, "attention_mask must have one entry per"),
        (MASKER, IDS[..., None], {}, "ids .B, T. or embeddings"),
        (MASKER, IDS.bool(), {}, "ids .B, T. or embeddings"),
        (MASKER, torch.randn(2, 5, 3), {"attention_mask": MASK}, "input_ids or special"),
        (TokenMasker(pad_token_id=0), torch.randn(2, 5, 3), {}, "input_ids or attention"),
    ],
)
def test_inputs_that_do_not_fit(masker, inputs, sample_data, message):
    with pytest.raises(ValueError, match=message):
        masker.bind(inputs, sample_data)


def test_ids_without_a_mask_token():
    bound = TokenMasker().bind(IDS)
    with pytest.raises(ValueError, match="mask_token_id"):
        bound.apply(torch.zeros(2, 1, 5, dtype=torch.bool))


def test_embedding_baseline_of_another_size():
    bound = TokenMasker(baseline=torch.zeros(4)).bind(torch.randn(2, 5, 3))
    with pytest.raises(ValueError, match="baseline must have the shape"):
        bound.apply(torch.zeros(2, 1, 5, dtype=torch.bool))


class Tokenizer:
    """What is read of a tokenizer."""

    def __init__(self, **ids):
        names = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
        for name in names:
            setattr(self, f"{name}_token_id", ids.get(name))
        self.all_special_ids = list(ids.values())


def test_ids_of_a_tokenizer():
    bert = Tokenizer(unk=100, sep=102, pad=0, cls=101, mask=103)
    masker = TokenMasker.from_tokenizer(bert, n_tokens=8)
    assert masker.baseline.mask_token_id == 103
    assert masker.special_token_ids == [0, 101, 102, 103]  # an unknown word is a word
    assert (masker.pad_token_id, masker.n_tokens) == (0, 8)


def test_ids_of_a_decoders_tokenizer():
    gpt2 = Tokenizer(bos=50256, eos=50256, unk=50256)
    with pytest.raises(ValueError, match="must be given for Tokenizer, which has no mask token"):
        TokenMasker.from_tokenizer(gpt2)
    masker = TokenMasker.from_tokenizer(gpt2, mask_token_id=11)
    assert masker.special_token_ids == [50256]


def test_tokenizer_of_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "good", "film"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    tokenizer = transformers.BertTokenizerFast(str(tmp_path / "vocab.txt"))
    batch = tokenizer(["a good film", "good bananas"], padding=True, return_tensors="pt",
                      return_special_tokens_mask=True)  # fmt: skip
    bound = TokenMasker.from_tokenizer(tokenizer).bind(batch["input_ids"])
    assert bound.present.tolist() == [[False, True, True, True, False],
                                      [False, True, True, False, False]]  # fmt: skip
    nothing = bound.apply(torch.zeros(2, 1, 5, dtype=torch.bool))[:, 0]
    assert tokenizer.decode(nothing[0]) == "[CLS] [MASK] [MASK] [MASK] [SEP]"
    # the tokenizer's own mask says the same
    by_mask = TokenMasker(4).bind(batch["input_ids"], batch)
    assert torch.equal(by_mask.present, bound.present)


def test_repr_names_the_settings():
    assert "special_token_ids=[2, 3]" in repr(MASKER)
    assert "mask_token_id=4" in repr(MASKER)
