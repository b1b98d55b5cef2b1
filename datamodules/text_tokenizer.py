"""Tokenizers: by name, from a folder, or trained on the texts at hand."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def load_tokenizer(name: str, **kwargs: Any) -> Any:
    """Load a tokenizer of transformers.

    Args:
        name: Name of a model on the Hugging Face hub, or a folder.
        **kwargs: Other arguments of ``AutoTokenizer.from_pretrained``, such as ``revision``.

    Returns:
        The tokenizer.

    Raises:
        ImportError: If transformers is not installed.
    """
    return _transformers().AutoTokenizer.from_pretrained(name, **kwargs)


def train_tokenizer(texts: Iterable[str], vocab_size: int, *, lowercase: bool = True) -> Any:
    """Train a WordPiece tokenizer: frequent words are one token, other words several.

    Texts are normalised and split into words and punctuation as for BERT, and get [CLS] in front
    and [SEP] at the end. The special tokens [PAD], [UNK], [CLS], [SEP] and [MASK] have the ids 0 to
    4. The same texts give the same tokenizer.

    Args:
        texts: Texts of the training samples.
        vocab_size: Largest number of tokens, special tokens included; at least two tokens for each
            letter are kept.
        lowercase: Whether to convert texts to lower case and to remove accents.

    Returns:
        The tokenizer, a ``PreTrainedTokenizerFast`` of transformers.

    Raises:
        ImportError: If transformers, which brings ``tokenizers``, is not installed.
        ValueError: If ``vocab_size`` does not exceed the number of special tokens.

    Example:
        >>> tokenizer = train_tokenizer(["a good film", "a bad film"], 40)
        >>> tokenizer.convert_ids_to_tokens(tokenizer("A good film")["input_ids"])
        ['[CLS]', 'a', 'good', 'film', '[SEP]']
    """
    if vocab_size <= len(_SPECIAL):
        raise ValueError(f"vocab_size must be above {len(_SPECIAL)}, got {vocab_size}")
    transformers = _transformers()
    from tokenizers import (
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )

    normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    splitter = pre_tokenizers.BertPreTokenizer()
    texts = [normalizer.normalize_str(text) for text in texts]
    # The trainer numbers pieces inside of words in the order of a hash table, which differs between
    # processes, and breaks ties by these numbers. Pieces that it is given keep their order.
    letters = sorted({letter for text in texts for letter in text if not letter.isspace()})
    trainer = trainers.WordPieceTrainer(
        vocab_size=max(vocab_size, len(_SPECIAL) + 2 * len(letters)),
        special_tokens=[*_SPECIAL, *(f"##{letter}" for letter in letters)],
        show_progress=False,
    )
    learner = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    learner.pre_tokenizer = splitter
    learner.train_from_iterator(texts, trainer)
    vocabulary = learner.get_vocab()

    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return _wrapped(tokenizer, transformers)


def tokenizer_from_json(json: str) -> Any:
    """Return the tokenizer of :func:`train_tokenizer` whose ``backend_tokenizer`` gave this text.

    Args:
        json: Result of ``tokenizer.backend_tokenizer.to_str()``.
    """
    transformers = _transformers()
    from tokenizers import Tokenizer

    return _wrapped(Tokenizer.from_str(json), transformers)


def is_folder_or_name(tokenizer: str) -> str:
    """Return the name of a tokenizer; a path that looks like a folder must exist.

    Args:
        tokenizer: Name or path.

    Raises:
        FileNotFoundError: If it begins with ``.``, ``/`` or ``~`` and is no folder.
    """
    path = Path(tokenizer).expanduser()
    if path.is_dir():
        return str(path)
    if tokenizer.startswith((".", "/", "~")):
        raise FileNotFoundError(f"tokenizer must be a name or a folder, got {tokenizer!r}")
    return tokenizer


def _wrapped(tokenizer: Any, transformers: Any) -> Any:
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **dict(zip(names, _SPECIAL, strict=True))
    )


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise ImportError(
            "tokenizers need transformers: pip install 'pear-lightning[text]'"
        ) from error
    return transformers
