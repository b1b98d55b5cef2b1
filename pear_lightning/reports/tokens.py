"""The tokens of a text as they are shown."""

from typing import Any

from torch import Tensor

from pear_lightning.figures.tokens import Token

_SPACE = ("▁", "Ġ")  # what SentencePiece and byte-level tokenizers write for a space
_CONTINUES = "##"  # how WordPiece begins a token inside a word


def tokens_of(tokenizer: Any, ids: Tensor) -> list[Token]:
    """Return the tokens of a text, without the marks of the tokenizer for spaces.

    Args:
        tokenizer: A tokenizer of transformers or tokenizers, a list of tokens, or a function from a
            list of ids to a list of tokens. ``None`` shows the ids.
        ids: Token ids, ``(T,)``.

    Raises:
        TypeError: If the tokenizer is none of these.

    Example:
        >>> import torch
        >>> vocabulary = ["[PAD]", "un", "##bear", "##able", "film"]
        >>> [(token.text, token.starts_word) for token in tokens_of(vocabulary, torch.arange(1, 5))]
        [('un', True), ('bear', False), ('able', False), ('film', True)]
    """
    raw = _raw_tokens(tokenizer, [int(number) for number in ids])
    marks_spaces = any(token.startswith(_SPACE) for token in raw)
    tokens = []
    for token in raw:
        spaced = token.startswith(_SPACE) if marks_spaces else not token.startswith(_CONTINUES)
        text = token.removeprefix(_CONTINUES) if len(token) > len(_CONTINUES) else token
        if marks_spaces:
            text = _decoded(tokenizer, token) or text.lstrip("".join(_SPACE))
        tokens.append(Token(text, spaced))
    return tokens


def _raw_tokens(tokenizer: Any, ids: list[int]) -> list[str]:
    if tokenizer is None:
        return [str(number) for number in ids]
    if hasattr(tokenizer, "convert_ids_to_tokens"):
        return [str(token) for token in tokenizer.convert_ids_to_tokens(ids)]
    if hasattr(tokenizer, "id_to_token"):
        return [str(tokenizer.id_to_token(number)) for number in ids]
    if isinstance(tokenizer, list | tuple):
        return [str(tokenizer[number]) for number in ids]
    if callable(tokenizer):
        return [str(token) for token in tokenizer(ids)]
    raise TypeError(
        "tokenizer must be a tokenizer, a list of tokens or a function from ids to tokens, got "
        f"{type(tokenizer).__name__}"
    )


def _decoded(tokenizer: Any, token: str) -> str:
    """Return the text of a token that stands for bytes; empty if the tokenizer cannot tell."""
    if not hasattr(tokenizer, "convert_tokens_to_string"):
        return ""
    return str(tokenizer.convert_tokens_to_string([token])).strip()
