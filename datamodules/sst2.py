"""SST-2: sentiment of phrases of film reviews."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from pear_lightning.datamodules.paper_texts import PaperTexts

if TYPE_CHECKING:
    from pandas import DataFrame


class SST2(PaperTexts):
    """SST-2 (Stanford Sentiment Treebank, as in GLUE): is a phrase negative or positive?

    67,349 training texts, sentences and phrases of them, and 872 validation sentences. GLUE keeps
    the labels of its test sentences back. If labelled test sentences are given, the validation
    sentences are validation samples; otherwise, they are the test samples, and ``val_fraction``
    holds training texts out for validation. A phrase may be part of a sentence, so validation
    accuracy on texts that are held out is higher than accuracy on new sentences.

    Shapes:
        - ``input_ids``, ``attention_mask``: ``(B, L)`` long
        - ``labels``: ``(B,)`` long: 0 negative, 1 positive

    Args:
        data_dir: Folder with ``train.tsv`` and ``dev.tsv`` (or ``.tsv.gz``; columns ``sentence``
            and ``label``, without quotation marks around texts) and, optionally,
            ``test_labelled.tsv``; or the folder above ``sst2``. None reads from the hub
            (``stanfordnlp/sst2``).
        kwargs: Other arguments of :class:`TextClassification`, except those that name a source or
            columns.

    Raises:
        FileNotFoundError: If the files are not in ``data_dir``.

    Example:
        >>> SST2("some/folder", max_tokens=64).class_names
        ['negative', 'positive']

    References:
        R. Socher et al. *Recursive deep models for semantic compositionality over a sentiment
        treebank.* EMNLP 2013.

        A. Wang et al. *GLUE: a multi-task benchmark and analysis platform for natural language
        understanding.* ICLR 2019, arXiv 1804.07461.
    """

    folder: ClassVar[str] = "sst2"
    hub_name: ClassVar[str] = "stanfordnlp/sst2"
    columns: ClassVar[tuple[str, str]] = ("sentence", "label")
    has_quotes: ClassVar[bool] = False
    names: ClassVar[tuple[str, ...]] = ("negative", "positive")

    @override
    def read_files(self, root: Path) -> "dict[str, DataFrame]":
        names = {"train": "train.tsv", "val": "dev.tsv", "test": "test_labelled.tsv"}
        paths = {
            split: self.find(root, [name], needed=split != "test") for split, name in names.items()
        }
        return {split: self.read(path) for split, path in paths.items() if path is not None}
