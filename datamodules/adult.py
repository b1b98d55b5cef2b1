"""Adult: incomes from the census of 1994."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from typing_extensions import override

from pear_lightning.datamodules.scaling import Scaling
from pear_lightning.datamodules.table_source import read_hub
from pear_lightning.datamodules.tabular import TabularDataModule

if TYPE_CHECKING:
    from pandas import DataFrame

HUB_ID = "scikit-learn/adult-census-income"

COLUMNS = ["age", "workclass", "fnlwgt", "education", "education-num", "marital-status"]
COLUMNS += ["occupation", "relationship", "race", "sex", "capital-gain", "capital-loss"]
COLUMNS += ["hours-per-week", "native-country"]
WORDS = ["workclass", "education", "marital-status", "occupation", "relationship", "race", "sex"]
WORDS += ["native-country"]


class Adult(TabularDataModule):
    r"""Adult (census income): does a person earn more than 50,000 dollars a year?

    32,561 training and 16,281 test rows from the census of 1994, with 14 features: six numerical
    (age, fnlwgt, education-num, capital-gain, capital-loss, hours-per-week) and eight categorical
    (workclass, education, marital-status, occupation, relationship, race, sex, native-country).
    Categories are one-hot encoded, which gives 108 columns in total. :attr:`groups` maps columns to
    features, so that a gate, a masker or a score can treat the columns of a feature as one. Class 1
    is an income above 50,000 dollars (24 % of the rows).

    Numerical columns are scaled. One-hot columns are not, because scaling would map a rare category
    to a hundred standard deviations. The one-hot columns of a feature have a total variance of at
    most 1, like a standardised number.

    ``education`` and ``education-num`` hold the same information, and ``fnlwgt`` is the number of
    people that a row represents: leave them out with ``exclude`` if that matters.

    Source: UCI repository (licence not checked). Hub: ``scikit-learn/adult-census-income``, which
    has only the training rows, so test rows are held out from them. It is not verified that columns
    and rows on the hub are those of the files.

    Shapes:
        - ``inputs``: ``(B, 108)`` float32
        - ``target``: ``(B,)`` long
        - ``groups``: 108 numbers from 0 to 13

    Args:
        data_dir: Folder with ``adult.data`` and ``adult.test`` (or ``.gz``), or the folder above
            it. None reads from the hub.
        revision: Branch, tag or commit on the hub.
        features: Names of the columns to keep, before one-hot encoding. None keeps all 14.
        missing: Treatment of the 7 % of rows with a missing category (``?``): ``"category"`` treats
            it as a category, ``"drop"`` removes the rows.
        scaling: Scaling of the numerical columns.
        target: Name of the target column.
        class_names: Names of the two classes. None is ``["<=50K", ">50K"]``.
        categories: Names of the categorical columns. None takes the eight of words.
        exclude: Names of columns to leave out, before one-hot encoding.
        kwargs: Other arguments of :class:`TabularDataModule`, except those that name a source.

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
        target: str = "income",
        class_names: list[str] | None = None,
        categories: list[str] | None = None,
        exclude: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        data_dir = None if data_dir is None else str(data_dir)
        if missing not in ("category", "drop"):
            raise ValueError(f"missing must be 'category' or 'drop', got {missing!r}")
        if features is not None and (unknown := [name for name in features if name not in COLUMNS]):
            raise ValueError(f"features must be columns of Adult, {COLUMNS}, got {unknown}")
        columns = COLUMNS if features is None else list(features)
        words = [name for name in columns if name in WORDS and name not in (exclude or ())]
        super().__init__(
            revision=revision,
            features=columns,
            scaling=scaling,
            target=target,
            class_names=["<=50K", ">50K"] if class_names is None else class_names,
            categories=words if categories is None else categories,
            exclude=exclude,
            **kwargs,
        )
        self._refuse_source()
        self.data_dir = data_dir
        self.missing = missing

    @override
    def load_tables(self) -> "tuple[DataFrame, DataFrame | None]":
        if self.data_dir is not None:
            tables = [self._read_part("data"), self._read_part("test")]
        else:
            tables = [self._read_hub()]
        if self.missing == "drop":
            tables = [t[~(t == "?").any(axis=1)].reset_index(drop=True) for t in tables]
        return tables[0], tables[1] if len(tables) > 1 else None

    @override
    def prepare_data(self) -> None:
        if self.data_dir is None:
            self._read_hub()

    def _read_part(self, part: str) -> "DataFrame":
        import pandas as pd

        assert self.data_dir is not None
        root = Path(self.data_dir).expanduser()
        names = [f"adult.{part}", f"adult.{part}.gz"]
        paths = [folder / name for folder in (root, root / self.folder) for name in names]
        found = [path for path in paths if path.is_file()]
        if not found:
            raise FileNotFoundError(
                f"data_dir must hold {' or '.join(names)}, directly or in the folder "
                f"{self.folder!r}, got {self.data_dir!r}"
            )
        table = pd.read_csv(
            found[0],
            header=None,
            names=[*COLUMNS, "income"],
            skipinitialspace=True,
            comment="|",  # the test file begins with a line that starts with "|"
            keep_default_na=False,
        )
        return table.assign(income=table["income"].str.rstrip("."))  # of the test file

    def _read_hub(self) -> "DataFrame":
        try:
            table, _ = read_hub(HUB_ID, revision=self.revision, cache_dir=self.cache_dir)
        except Exception as error:
            error.add_note("Adult can also read the files of the UCI repository: give data_dir")
            raise
        return table.rename(columns=lambda name: str(name).replace(".", "-"))
