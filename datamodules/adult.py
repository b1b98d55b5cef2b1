"""Adult: incomes of the census of 1994."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from typing_extensions import override

from pear_lightning.datamodules.one_hot import one_hot
from pear_lightning.datamodules.scaling import Scaling
from pear_lightning.datamodules.table_source import read_hub
from pear_lightning.datamodules.tabular import TabularDataModule

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

HUB_ID = "scikit-learn/adult-census-income"

COLUMNS = ["age", "workclass", "fnlwgt", "education", "education-num", "marital-status"]
COLUMNS += ["occupation", "relationship", "race", "sex", "capital-gain", "capital-loss"]
COLUMNS += ["hours-per-week", "native-country"]


class Adult(TabularDataModule):
    r"""Adult (census income): does a person earn more than 50,000 dollars a year?

    32,561 training and 16,281 test rows of 14 features of the census of 1994, six of them numbers
    (age, fnlwgt, education-num, capital-gain, capital-loss, hours-per-week), eight of them words
    (workclass, education, marital-status, occupation, relationship, race, sex, native-country).
    Words are coded as columns of 0 and 1, 108 columns in all; :attr:`groups` says which columns are
    one feature, so that a gate, a masker or a score can treat them as one. Class 1 is an income
    above 50,000 dollars (24 % of the rows).

    Numbers are scaled; columns of 0 and 1 stay as they are, because scaling would blow a rare word
    up to a hundred standard deviations. The columns of a word have a variance of at most 1
    together, as a standardised number has.

    ``education`` and ``education-num`` say the same, and ``fnlwgt`` is the number of people that a
    row stands for: leave them out with ``features`` where that matters.

    From the UCI repository (licence not checked). On the hub: ``scikit-learn/adult-census-income``,
    which has the training rows only, so that test rows are held out of them; that its columns and
    rows are those of the files is not verified.

    Shapes:
        - ``inputs``: ``(B, 108)`` float32
        - ``target``: ``(B,)`` long
        - ``groups``: 108 numbers from 0 to 13

    Args:
        data_dir: Folder with ``adult.data`` and ``adult.test`` (or ``.gz``), or the folder above
            it. None reads from the hub.
        revision: Branch, tag or commit on the hub.
        features: Names of the columns to keep, before words are coded. None keeps all 14.
        missing: What becomes of the 7 % of rows with a missing word (``?``): ``"category"`` makes
            it a word of its own, ``"drop"`` leaves the rows out.
        scaling: How numbers are scaled.
        kwargs: Other arguments of :class:`TabularDataModule`, but those that name a source.

    Raises:
        FileNotFoundError: If the files are not in ``data_dir``.
        ValueError: For an unknown column or an unknown ``missing``.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> rows = ["39, Private, 77516, Bachelors, 13, Divorced, Sales, Unmarried, White, Male, "
        ...         "2174, 0, 40, Cuba, <=50K", "50, ?, 83311, Masters, 14, Divorced, Sales, "
        ...         "Unmarried, White, Male, 0, 0, 13, Cuba, >50K"]
        >>> for part, end in {"data": "", "test": "."}.items():
        ...     text = "".join(f"{row}{end}\n" for row in rows)
        ...     _ = Path(folder.name, f"adult.{part}").write_text(text)
        >>> data = Adult(folder.name, features=["age", "workclass"])
        >>> data.setup()
        >>> data.feature_names, data.groups, data.group_names
        (['age', 'workclass=?', 'workclass=Private'], [0, 1, 1], ['age', 'workclass'])
        >>> folder.cleanup()

    References:
        R. Kohavi. *Scaling up the accuracy of naive-Bayes classifiers: a decision-tree hybrid.*
        KDD 1996.
    """

    folder: ClassVar[str] = "adult"

    def __init__(
        self,
        data_dir: str | None = None,
        revision: str | None = None,
        features: list[str] | None = None,
        missing: Literal["category", "drop"] = "category",
        scaling: Scaling = "standard",
        **kwargs: Any,
    ) -> None:
        data_dir = None if data_dir is None else str(data_dir)
        kwargs = {"target": "income", "class_names": ["<=50K", ">50K"], **kwargs}
        super().__init__(revision=revision, scaling=scaling, **kwargs)
        self._refuse_source()
        if missing not in ("category", "drop"):
            raise ValueError(f"missing is {missing!r}: 'category' or 'drop' is expected")
        if features is not None and (unknown := [name for name in features if name not in COLUMNS]):
            raise ValueError(f"features {unknown} are not columns of Adult; it has {COLUMNS}")
        self.data_dir = data_dir
        self.columns = COLUMNS if features is None else list(features)
        self.missing = missing
        self._groups: list[int] = []
        self._numbers: list[bool] = []

    @override
    def load_tables(self) -> "tuple[DataFrame, DataFrame | None]":
        if self.data_dir is not None:
            tables = [self._read("data"), self._read("test")]
        else:
            tables = [self._read_hub()]
        if self.missing == "drop":
            tables = [t[~(t == "?").any(axis=1)].reset_index(drop=True) for t in tables]
        coded = one_hot(tables, self.columns)
        self._groups = coded.groups
        self._numbers = coded.numbers
        train, *test = (
            rows.assign(**{self.target: table["income"]})
            for rows, table in zip(coded.tables, tables, strict=True)
        )
        return train, test[0] if test else None

    @override
    def prepare_data(self) -> None:
        if self.data_dir is None:
            self._read_hub()

    @property
    def groups(self) -> list[int]:
        """Number of the feature that each column of ``inputs`` belongs to, from 0."""
        junk = range(self.n_features - len(self._groups))
        return [*self._groups, *(len(self.columns) + i for i in junk)]

    @property
    def group_names(self) -> list[str]:
        """Names of the features that :attr:`groups` counts: the columns before words are coded."""
        return [*self.columns, *self.feature_names[len(self._groups) :]]

    @override
    def _scale(self, inputs: "dict[str, NDArray[Any]]") -> "dict[str, NDArray[Any]]":
        if not any(self._numbers):
            return inputs
        scaled = super()._scale({split: rows[:, self._numbers] for split, rows in inputs.items()})
        for split, rows in scaled.items():
            inputs[split][:, self._numbers] = rows
        return inputs

    def _read(self, part: str) -> "DataFrame":
        import pandas as pd

        assert self.data_dir is not None
        root = Path(self.data_dir).expanduser()
        names = [f"adult.{part}", f"adult.{part}.gz"]
        paths = [folder / name for folder in (root, root / self.folder) for name in names]
        found = [path for path in paths if path.is_file()]
        if not found:
            raise FileNotFoundError(
                f"data_dir {self.data_dir!r} has neither {' nor '.join(names)}, "
                f"and neither has its folder {self.folder!r}"
            )
        table = pd.read_csv(
            found[0],
            header=None,
            names=[*COLUMNS, "income"],
            skipinitialspace=True,
            comment="|",  # the test file begins with such a line
            keep_default_na=False,
        )
        return table.assign(income=table["income"].str.rstrip("."))  # so in the test file

    def _read_hub(self) -> "DataFrame":
        try:
            table, _ = read_hub(HUB_ID, revision=self.revision, cache_dir=self.cache_dir)
        except Exception as error:
            error.add_note("Adult also reads the files of the UCI repository: give data_dir")
            raise
        return table.rename(columns=lambda name: str(name).replace(".", "-"))
