"""20 Newsgroups: atheism versus Christianity."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from typing_extensions import override

from pear_lightning.datamodules.annotated import AnnotatedDataModule
from pear_lightning.datamodules.annotated_dataset import AnnotatedDataset
from pear_lightning.datamodules.table_source import read_file
from pear_lightning.datamodules.text_dataset import UntokenizedTexts

_GROUPS = ("alt.atheism", "soc.religion.christian")
Texts = tuple[list[str], list[int]]


class TwentyNewsgroups(AnnotatedDataModule):
    r"""20 Newsgroups: messages of alt.atheism and soc.religion.christian, as weighted words.

    1,079 training and 717 later test messages. Headers are kept, so the name of a frequent author
    reveals the class. The features are TF-IDF weights of the 5,000 most frequent words of the
    training messages, without those held out for validation; case-sensitive, without stemming or
    removal of words.

    Shapes:
        - ``inputs``: ``(B, max_features)`` float32, rows with norm 1
        - ``target``: ``(B,)`` long: 0 atheism, 1 Christianity
        - ``mask``: ``(B, max_features)`` bool; empty unless ``irrelevant_words`` is given

    Args:
        data_dir: Folder with ``atheism-christian-train.csv`` and ``-test.csv`` (or ``.csv.gz``;
            columns ``label`` and ``text``), or with the folders of the archive
            (``20news-bydate-train/alt.atheism`` and so on), or the folder above it
            (``20newsgroups``). None downloads the archive with scikit-learn.
        max_features: Number of words.
        irrelevant_words: Words that are marked as irrelevant in every message.
        cache_dir: Folder for downloads of scikit-learn. None is its default.
        seed: Seed of the validation rows.
        kwargs: Other arguments of
            :class:`~pear_lightning.datamodules.annotated.AnnotatedDataModule`.

    Raises:
        FileNotFoundError: If the messages are not in ``data_dir``.
        ValueError: If ``max_features`` is below 1, or an irrelevant word is not among the words.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> for part in ("train", "test"):
        ...     text = "label,text\n0,no God there\n1,thank God\n"
        ...     _ = Path(folder.name, f"atheism-christian-{part}.csv").write_text(text)
        >>> data = TwentyNewsgroups(folder.name, irrelevant_words=["God"])
        >>> data.setup()
        >>> data.words, data.rows("train").mask[0]
        (['God', 'no', 'thank', 'there'], tensor([ True, False, False, False]))
        >>> folder.cleanup()

    References:
        A. Ross, M. Hughes, F. Doshi-Velez. *Right for the right reasons: training differentiable
        models by constraining their explanations.* IJCAI 2017, arXiv 1703.03717.
    """

    class_names: ClassVar[tuple[str, ...]] = _GROUPS
    marked_by: ClassVar[str] = "irrelevant_words, which lists the marked words"

    def __init__(
        self,
        data_dir: str | None = None,
        max_features: int = 5000,
        irrelevant_words: Sequence[str] = (),
        cache_dir: str | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        data_dir = None if data_dir is None else str(data_dir)
        if max_features < 1:
            raise ValueError(f"max_features must be at least 1, got {max_features}")
        super().__init__(seed=seed, **kwargs)
        self.data_dir = data_dir
        self.max_features = max_features
        self.irrelevant_words = list(irrelevant_words)
        self.cache_dir = cache_dir
        self._words: list[str] = []

    @property
    def words(self) -> list[str]:
        """The words, in the order of the columns of ``inputs``."""
        self.rows("train")
        return list(self._words)

    @override
    def prepare_data(self) -> None:
        if self.data_dir is None:
            self._fetch("train")  # fills the cache for the other processes

    @override
    def load_rows(self) -> dict[str, Any]:
        read = self._fetch if self.data_dir is None else self._read
        found = {split: read(split) for split in ("train", "test")}
        return {
            split: UntokenizedTexts(texts, torch.tensor(labels))
            for split, (texts, labels) in found.items()
        }

    @override
    def finish_rows(self, rows: dict[str, Any]) -> dict[str, Any]:
        """Return the weights of the words of the messages that are left to train.

        Args:
            rows: Messages of each split.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(lowercase=False, max_features=self.max_features)
        vectorizer.fit(rows["train"].texts)
        self._words = [str(word) for word in vectorizer.get_feature_names_out()]
        if unknown := [word for word in self.irrelevant_words if word not in self._words]:
            raise ValueError(
                f"irrelevant_words must be among the {len(self._words)} most frequent words of the "
                f"training messages, got {unknown}"
            )
        marked = torch.tensor([word in self.irrelevant_words for word in self._words])
        finished = {}
        for split, each in rows.items():
            inputs = torch.from_numpy(vectorizer.transform(each.texts).toarray()).float()
            finished[split] = AnnotatedDataset(inputs, each.target, marked.expand_as(inputs))
        return finished

    def _fetch(self, part: str) -> Texts:
        from sklearn.datasets import fetch_20newsgroups

        try:
            found = fetch_20newsgroups(
                subset=part, categories=list(_GROUPS), data_home=self.cache_dir, shuffle=True
            )
        except Exception as error:
            error.add_note("TwentyNewsgroups can also read the messages from files: give data_dir")
            raise
        return list(found.data), [_GROUPS.index(found.target_names[i]) for i in found.target]

    def _read(self, part: str) -> Texts:
        assert self.data_dir is not None
        root = Path(self.data_dir).expanduser()
        for folder in (root, root / "20newsgroups"):
            for name in (f"atheism-christian-{part}.csv", f"atheism-christian-{part}.csv.gz"):
                if (folder / name).is_file():
                    table = read_file(folder / name)
                    return table["text"].astype(str).tolist(), table["label"].astype(int).tolist()
            archive = folder / f"20news-bydate-{part}"
            if all((archive / group).is_dir() for group in _GROUPS):
                paths = [(each, label) for label, group in enumerate(_GROUPS)
                         for each in sorted((archive / group).iterdir())]  # fmt: skip
                texts = [path.read_text(encoding="latin-1") for path, _ in paths]
                return texts, [label for _, label in paths]
        raise FileNotFoundError(
            f"data_dir must hold atheism-christian-{part}.csv (or .csv.gz) or "
            f"20news-bydate-{part}, directly or in the folder '20newsgroups', got {self.data_dir!r}"
        )
