import pytest
import torch

from pear_lightning.reports.tokens import tokens_of

IDS = torch.arange(4)
WORD_PIECES = ["un", "##bear", "##able", "##"]
MARKED = ["▁un", "bear", "▁able", "!"]


class OfTransformers:
    """What tokenizers of transformers have; byte-level tokens stand for bytes of UTF-8."""

    def convert_ids_to_tokens(self, ids):
        return [["Ġcaf", "Ã©", "Ġbar", "!"][number] for number in ids]

    def convert_tokens_to_string(self, tokens):
        return {"Ġcaf": " caf", "Ã©": "é", "Ġbar": " bar", "!": "!"}["".join(tokens)]


class OfTokenizers:
    def id_to_token(self, number):
        return MARKED[number]


@pytest.mark.parametrize(
    ("tokenizer", "expected"),
    [
        (WORD_PIECES, [("un", True), ("bear", False), ("able", False), ("##", False)]),
        (MARKED, [("un", True), ("bear", False), ("able", True), ("!", False)]),
        (OfTokenizers(), [("un", True), ("bear", False), ("able", True), ("!", False)]),
        (OfTransformers(), [("caf", True), ("é", False), ("bar", True), ("!", False)]),
        (lambda ids: [f"w{number}" for number in ids], [(f"w{n}", True) for n in range(4)]),
        (None, [(str(n), True) for n in range(4)]),
    ],
    ids=["word pieces", "sentence pieces", "tokenizers", "transformers", "function", "none"],
)
def test_tokens_are_shown_without_the_marks_of_the_tokenizer(tokenizer, expected):
    assert [tuple(token) for token in tokens_of(tokenizer, IDS)] == expected


def test_anything_else_is_refused():
    with pytest.raises(TypeError, match=r"tokenizer must be .*, got int"):
        tokens_of(3, IDS)


def test_a_real_tokenizer(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.models.WordPiece(
        {"[UNK]": 0, "un": 1, "##like": 2, "film": 3}, unk_token="[UNK]"
    )
    found = tokens_of(tokenizers.Tokenizer(words), torch.tensor([1, 2, 3, 0]))
    assert [token.text for token in found] == ["un", "like", "film", "[UNK]"]
