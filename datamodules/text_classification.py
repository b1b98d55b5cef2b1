"""Data module for texts with one class each, from files or the Hugging Face hub."""

import csv
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from lightning.pytorch.utilities import rank_zero_info
from typing_extensions import override

from pear_lightning.datamodules.hub_splits import load_hub_splits
from pear_lightning.datamodules.split_data_module import SplitDataModule
from pear_lightning.datamodules.table_source import read_file
from pear_lightning.datamodules.text_dataset import TextDataset, UntokenizedTexts
from pear_lightning.datamodules.text_source import LabelledTexts, texts_of
from pear_lightning.datamodules.text_tokenizer import (
    is_folder_or_name,
    load_tokenizer,
    tokenizer_from_json,
    train_tokenizer,
)
from pear_lightning.masking import TokenMasker
from pear_lightning.masking.baseline_spec import BaselineSpec
from pear_lightning.masking.bound_masker import Pooling

if TYPE_CHECKING:
    from pandas import DataFrame


class TextClassification(SplitDataModule):
    """Data module for texts with one class each, from files or the Hugging Face hub.

    Texts are tokenized once and kept in memory; each batch is padded to its longest text. The
    tokenizer is that of a pretrained model, or a new one that is trained on the training texts,
    without those that are held out. Checkpoints contain a trained tokenizer, because a network is
    useless without it.

    Batches are mappings, as those of Hugging Face. Modules of this library embed the token ids if a
    method needs gradients.

    Shapes:
        - ``input_ids``: ``(B, L)`` long
        - ``attention_mask``: ``(B, L)`` long, 1 for a token and 0 for padding
        - ``labels``: ``(B,)`` long

    To support another data set, subclass it and override :meth:`load_texts`.

    Args:
        data: The training texts: a path (``.csv``, ``.tsv``, either compressed, or ``.parquet``) or
            a ``pandas.DataFrame``. None with ``hub_id``.
        val_data: The validation texts, in the same form, or None. Without ``test_data``,
            ``test_fraction`` of the training texts are for testing.
        test_data: The test texts, in the same form, or None.
        hub_id: A data set on the Hugging Face hub, or anything else that ``datasets.load_dataset``
            takes (a local folder, ``"csv"`` with ``data_files``). If its only split besides
            ``train`` is ``validation``, this is for testing.
        hub_config: Name of the configuration of the data set.
        data_files: Files of the data set to read.
        revision: Branch, tag or commit of the data set.
        cache_dir: Folder for the data set. None is the default folder of ``datasets``.
        separator: Separator of a text file. None derives it from the suffix.
        quotes: Whether quotation marks in a text file enclose values; false if they are part of the
            texts, as in the files of GLUE.
        text: Name of the column of texts, or names of columns that are joined by a space.
        target: Name of the column of labels.
        class_names: Names of the classes, in the order of the sorted labels. None takes the labels.
        tokenizer: Name of a model on the hub, or a folder, whose tokenizer is used; or a tokenizer
            of transformers. None trains a WordPiece tokenizer on the training texts.
        vocab_size: Largest number of tokens of a trained tokenizer, special tokens included.
        lowercase: Whether a trained tokenizer converts texts to lower case.
        max_tokens: Largest number of tokens of a text, special tokens included; more than the
            tokenizer adds to every text.
        too_long: ``"truncate"`` cuts the end of longer texts off, and says how many there are;
            ``"error"`` raises.
        test_fraction: Share of the training texts held out for testing if there are no others, 0
            to below 1.
        kwargs: Other arguments of
            :class:`~pear_lightning.datamodules.split_data_module.SplitDataModule`:
            ``val_fraction``, ``seed``, ``shuffle``, ``batch_size``, ``eval_batch_size``,
            ``num_workers``, ``drop_last`` and ``pin_memory``.

    Raises:
        FileNotFoundError: If a file does not exist.
        ImportError: If transformers is not installed.
        ValueError: If an argument is out of range, a column, a text or a label is missing, a label
            is not among the classes, or with ``too_long="error"``, if a text is too long.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"text": ["a good film", "bad"] * 8, "label": [1, 0] * 8})
        >>> data = TextClassification(table, test_data=table, class_names=["bad", "good"])
        >>> data.setup()
        >>> data.splits, data.num_classes
        ({'train': 16, 'test': 16}, 2)
        >>> batch = next(iter(data.test_dataloader()))
        >>> data.tokenizer.decode(batch["input_ids"][0])
        '[CLS] a good film [SEP]'
        >>> batch["attention_mask"].sum(dim=1)[:4], batch["labels"][:4]
        (tensor([5, 3, 5, 3]), tensor([1, 0, 1, 0]))
    """

    def __init__(
        self,
        data: Any = None,
        val_data: Any = None,
        test_data: Any = None,
        *,
        hub_id: str | None = None,
        hub_config: str | None = None,
        data_files: str | list[str] | dict[str, str] | None = None,
        revision: str | None = None,
        cache_dir: str | None = None,
        separator: str | None = None,
        quotes: bool = True,
        text: str | Sequence[str] = "text",
        target: str = "label",
        class_names: list[str] | None = None,
        tokenizer: Any = None,
        vocab_size: int = 8000,
        lowercase: bool = True,
        max_tokens: int = 128,
        too_long: Literal["truncate", "error"] = "truncate",
        test_fraction: float = 0.25,
        **kwargs: Any,
    ) -> None:
        # a checkpoint must hold plain values only to be readable under weights_only
        tables = {"data": data, "val_data": val_data, "test_data": test_data}
        for name, table in tables.items():
            tables[name] = str(table) if isinstance(table, os.PathLike) else table
        data, val_data, test_data = tables.values()
        tokenizer = str(tokenizer) if isinstance(tokenizer, os.PathLike) else tokenizer
        given = {**tables, "tokenizer": tokenizer}
        self.not_hyperparameters = [
            n for n, each in given.items() if not isinstance(each, str | None)
        ]
        super().__init__(**kwargs)
        if data is not None and hub_id is not None:
            raise ValueError("data must be None with hub_id, got both; give one source")
        if max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, got {max_tokens}")
        if too_long not in ("truncate", "error"):
            raise ValueError(f"too_long must be 'truncate' or 'error', got {too_long!r}")
        if not 0 <= test_fraction < 1:
            raise ValueError(f"test_fraction must lie in [0, 1), got {test_fraction}")
        self.data = data
        self.val_data = val_data
        self.test_data = test_data
        self.hub_id = hub_id
        self.hub_config = hub_config
        self.data_files = data_files
        self.revision = revision
        self.cache_dir = cache_dir
        self.separator = separator
        self.quotes = quotes
        self.text = text
        self.target = target
        self.name_classes(class_names or [])
        self.vocab_size = vocab_size
        self.lowercase = lowercase
        self.max_tokens = max_tokens
        self.too_long = too_long
        self.test_fraction = test_fraction
        self.val_is_given = val_data is not None
        self.truncated: dict[str, int] = {}
        """Number of texts of each split that were cut off."""
        self._given = tokenizer
        self._tokenizer: Any = None
        self._restored: str | None = None

    # --- texts ------------------------------------------------------------------------------

    def load_texts(self) -> dict[str, LabelledTexts]:
        """Return the texts of ``"train"``, and of ``"val"`` and ``"test"`` if there are any.

        Sets :attr:`class_names`.
        """
        splits, names = texts_of(
            self.load_tables(), self.text, self.target, self.class_names or None
        )
        self.name_classes(names)
        return splits

    def load_tables(self) -> "dict[str, DataFrame]":
        """Return the tables of the splits."""
        if self.hub_id is not None:
            splits = load_hub_splits(
                self.hub_id,
                self.hub_config,
                data_files=self.data_files,
                revision=self.revision,
                cache_dir=self.cache_dir,
            )
            return {split: rows.to_pandas() for split, rows in splits.items()}
        if self.data is None:
            raise ValueError("data (a path or a DataFrame) or hub_id must be given, got neither")
        named = {"train": self.data, "val": self.val_data, "test": self.test_data}
        return {
            split: self.read(table) if isinstance(table, str) else table
            for split, table in named.items()
            if table is not None
        }

    def read(self, path: Any, **kwargs: Any) -> "DataFrame":
        """Read a file of texts, in which ``NA`` and ``null`` are words and not missing values.

        Args:
            path: The file.
            **kwargs: Other arguments of ``pandas.read_csv``.
        """
        quoting = csv.QUOTE_MINIMAL if self.quotes else csv.QUOTE_NONE
        options = {"keep_default_na": False, "quoting": quoting, **kwargs}
        return read_file(path, self.separator, **options)

    @override
    def prepare_data(self) -> None:
        if self.hub_id is not None:
            self.load_tables()  # fills the cache for the other processes
        if isinstance(self._given, str):
            load_tokenizer(is_folder_or_name(self._given))

    # --- tokens -----------------------------------------------------------------------------

    @override
    def load_rows(self) -> dict[str, Any]:
        splits = self.load_texts()
        for split, (texts, _) in splits.items():
            # before texts are held out, so that rows are those of the table
            _check_tokens(split, texts, [n for n, each in enumerate(texts) if not each.strip()])
        return {
            split: UntokenizedTexts(each.texts, torch.tensor(each.labels))
            for split, each in splits.items()
        }

    @override
    def finish_rows(self, rows: dict[str, Any]) -> dict[str, Any]:
        """Return the tokenized texts; a new tokenizer is trained on those that are left to train.

        Args:
            rows: Texts of each split.
        """
        self._tokenizer = self._make_tokenizer(rows["train"].texts)
        return {
            split: self._tokenized(split, each.texts, each.target) for split, each in rows.items()
        }

    def _make_tokenizer(self, texts: Sequence[str]) -> Any:
        if self._given is None and self._restored is not None:
            return tokenizer_from_json(self._restored)
        if self._given is None:
            return train_tokenizer(texts, self.vocab_size, lowercase=self.lowercase)
        if isinstance(self._given, str):
            return load_tokenizer(is_folder_or_name(self._given))
        return self._given

    def _tokenized(self, split: str, texts: list[str], target: torch.Tensor) -> TextDataset:
        tokenizer = self._tokenizer
        if self.max_tokens <= (added := tokenizer.num_special_tokens_to_add()):
            raise ValueError(
                f"max_tokens must be above {added}, the number of special tokens that the "
                f"tokenizer adds to a text, got {self.max_tokens}"
            )
        ids = tokenizer(texts, verbose=False)["input_ids"]
        too_long = [number for number, each in enumerate(ids) if len(each) > self.max_tokens]
        self.truncated[split] = len(too_long)
        if too_long:
            longest = max(len(ids[number]) for number in too_long)
            found = (
                f"{len(too_long)} of {len(ids)} {split} texts with more, the longest with {longest}"
            )
            if self.too_long == "error":
                raise ValueError(
                    f"texts must have at most max_tokens={self.max_tokens} tokens, got {found}; "
                    "raise max_tokens, or use too_long='truncate'"
                )
            rank_zero_info(
                f"{type(self).__name__} cuts texts off after {self.max_tokens} tokens: {found}"
            )
            cut = tokenizer(
                [texts[number] for number in too_long], truncation=True, max_length=self.max_tokens
            )["input_ids"]
            for number, each in zip(too_long, cut, strict=True):
                ids[number] = each
        special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
        empty = [row for row, each in enumerate(ids) if special.issuperset(each)]
        _check_tokens(split, texts, empty)  # of what is left after the cut
        return TextDataset(texts, ids, target, self.pad_token_id, tokenizer.padding_side)

    @property
    def tokenizer(self) -> Any:
        """The tokenizer, of transformers."""
        self.rows("train")
        return self._tokenizer

    @property
    def pad_token_id(self) -> int:
        """Token id of padding; 0 if the tokenizer has none."""
        return int(self._tokenizer.pad_token_id or 0)

    @property
    def special_token_ids(self) -> list[int]:
        """Token ids that the tokenizer adds to every text, such as those of [CLS] and [SEP]."""
        names = ("bos_token_id", "cls_token_id", "sep_token_id", "eos_token_id")
        found = (getattr(self.tokenizer, name, None) for name in names)
        return sorted({int(each) for each in found if each is not None})

    def masker(self, baseline: BaselineSpec = "zeros", pooling: Pooling = "sum") -> TokenMasker:
        """Return the masker of the tokens, which leaves special tokens and padding in place.

        Args:
            baseline: Values of removed tokens; see :class:`~pear_lightning.masking.Masker`.
            pooling: ``"sum"`` or ``"mean"`` of the attributions of a token.
        """
        return TokenMasker(
            special_token_ids=[*self.special_token_ids],
            pad_token_id=self.pad_token_id,
            baseline=baseline,
            pooling=pooling,
        )

    # --- checkpoints ------------------------------------------------------------------------

    @override
    def state_dict(self) -> dict[str, Any]:
        if self._given is not None or self._tokenizer is None:
            return {}
        return {"tokenizer": self._tokenizer.backend_tokenizer.to_str()}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._restored = state_dict.get("tokenizer")
        if self._restored is None or self._given is not None or not self._datasets:
            return
        if self._restored != self._tokenizer.backend_tokenizer.to_str():
            self._tokenizer = tokenizer_from_json(self._restored)
            self._datasets = {
                split: self._tokenized(split, rows.texts, rows.target)
                for split, rows in self._datasets.items()
            }

    def _refuse_source(self) -> None:
        """Raise for arguments that name a source, in a class with a fixed source."""
        given = [self.data, self.val_data, self.test_data]
        given += [self.hub_id, self.hub_config, self.data_files]
        if (self.text, self.target) != ("text", "label"):
            raise ValueError(
                f"text and target must not be given for {type(self).__name__}, which has fixed "
                f"columns, got {self.text!r} and {self.target!r}"
            )
        if any(each is not None for each in given):
            raise ValueError(
                f"data and hub_id must be None for {type(self).__name__}, which has fixed texts, "
                "got a source; use TextClassification for other texts"
            )


def _check_tokens(split: str, texts: Sequence[str], empty: Sequence[int]) -> None:
    """Raise for rows of texts without tokens."""
    if empty:
        raise ValueError(
            f"texts must have at least one token that is not special, got {len(empty)} of "
            f"{len(texts)} {split} texts without, the first at row {empty[0]}: "
            f"{texts[empty[0]]!r}; leave these rows out"
        )
