"""Encoding of the columns of a table as numbers, fitted to the training rows."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pear_lightning.datamodules.category_sizes import check_category_sizes
from pear_lightning.datamodules.fitted_scaler import load_fitted, save_fitted
from pear_lightning.datamodules.leave_out import leave_out
from pear_lightning.datamodules.scaling import QuantileOutput, Scaling, make_scaler
from pear_lightning.datamodules.table_words import known_spellings

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame


class TableEncoder:
    """Encode numbers and categories: numbers are imputed and scaled, categories one-hot encoded.

    The encoding is a ``ColumnTransformer`` of scikit-learn, fitted to the training rows. A category
    that the training rows do not have is encoded as zeros. The columns of the result are in the
    order of the features: one for each number, and one for each value of a category, in
    alphabetical order.

    The state consists of plain values and tensors, so that a checkpoint with it can be loaded with
    ``weights_only=True``.

    Args:
        features: Names of the columns to encode.
        categories: Names of those that hold categories.
        scaling: Scaling of the numbers.
        quantile_output: Distribution after ``scaling="quantile"``.
        impute: Whether missing numbers are replaced by the median of the training rows, and missing
            categories by the category ``"missing"``. Otherwise there must be none.
        max_categories: Largest number of values of one category.
        seed: Seed for the rows that ``"quantile"`` samples from a long table.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"job": ["clerk", "cook", "cook"], "age": [20.0, 30.0, 40.0]})
        >>> encoder = TableEncoder(["job", "age"], ["job"], scaling="minmax").fit(table)
        >>> encoder.names, encoder.groups
        (['job=clerk', 'job=cook', 'age'], [0, 0, 1])
        >>> encoder.transform(table[:2])
        array([[1. , 0. , 0. ],
               [0. , 1. , 0.5]])
    """

    def __init__(
        self,
        features: Sequence[str],
        categories: Sequence[str],
        *,
        scaling: Scaling = "standard",
        quantile_output: QuantileOutput = "normal",
        impute: bool = False,
        max_categories: int = 100,
        seed: int = 0,
    ) -> None:
        self.features = list(features)
        self.categories = [name for name in features if name in set(categories)]
        self.numbers = [name for name in features if name not in set(categories)]
        self.scaling: Scaling = scaling
        self.quantile_output: QuantileOutput = quantile_output
        self.impute = impute
        self.max_categories = max_categories
        self.seed = seed
        self.words: dict[str, list[str]] = {}
        self._transformer: Any = None

    def fit(self, table: "DataFrame", excluded: Sequence[str] | None = ()) -> "TableEncoder":
        """Fit the encoding to the training rows, and return the encoder.

        Args:
            table: The training rows, as returned by
                :func:`~pear_lightning.datamodules.table_checks.clean_columns`.
            excluded: Columns that are left out already, which the advice of an error repeats; None
                if the features are listed.

        Raises:
            ValueError: If columns have no values, or categories have too many.
        """
        if empty := [name for name in self.features if table[name].isna().all()]:
            raise ValueError(
                f"feature columns of the training rows must have values, got none in {empty}; "
                f"{leave_out(empty, self.features, excluded)}"
            )
        self.words = {
            name: sorted(table[name].fillna("missing").unique().tolist())
            for name in self.categories
        }
        check_category_sizes(self.words, len(table), self.max_categories, self.features, excluded)
        self._transformer = self._build(len(table)).fit(self._filled(table))
        return self

    def transform(self, table: "DataFrame") -> "NDArray[Any]":
        """Return the encoded rows ``(N, n)`` in float64.

        Args:
            table: Rows, as returned by
                :func:`~pear_lightning.datamodules.table_checks.clean_columns`.
        """
        import numpy as np

        encoded: NDArray[Any] = np.asarray(self._transformer.transform(self._filled(table)))
        return encoded[:, self._order]

    def unknown(self, table: "DataFrame") -> dict[str, list[str]]:
        """Return the values of categories that the training rows do not have, by column.

        Missing values are not among them: see :meth:`unknown_missing`.

        Args:
            table: Rows, as for :meth:`transform`.
        """
        filled = self._filled(table)
        found = {
            name: sorted(set(filled[name][table[name].notna()].unique().tolist()) - set(words))
            for name, words in self.words.items()
        }
        return {name: words for name, words in found.items() if words}

    def unknown_missing(self, table: "DataFrame") -> list[str]:
        """Return the categories with missing values that are encoded as zeros.

        The training rows have no missing values there.

        Args:
            table: Rows, as for :meth:`transform`.
        """
        return [
            name
            for name, words in self.words.items()
            if "missing" not in words and table[name].isna().any()
        ]

    @property
    def names(self) -> list[str]:
        """Names of the columns of the result: ``age``, ``job=clerk``, ``job=cook``."""
        return [each for name in self.features for each in self._names_of(name)]

    @property
    def groups(self) -> list[int]:
        """Number of the feature of each column of the result, from 0."""
        return [number for number, name in enumerate(self.features) for _ in self._names_of(name)]

    def state_dict(self) -> dict[str, Any]:
        """Return the settings and the fitted values, as plain values and tensors."""
        steps = self._transformer.named_transformers_
        state: dict[str, Any] = {
            "features": self.features,
            "categories": self.categories,
            "scaling": self.scaling,
            "quantile_output": self.quantile_output,
            "impute": self.impute,
            "max_categories": self.max_categories,
            "seed": self.seed,
            "words": self.words,
        }
        if self.numbers:
            numbers = steps["numbers"].named_steps
            state["medians"] = [float(value) for value in numbers["impute"].statistics_]
            state["scaler"] = save_fitted(numbers["scale"])
        return state

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "TableEncoder":
        """Return an encoder with the state of another one.

        Args:
            state: A result of :meth:`state_dict`.
        """
        import pandas as pd

        settings = ("scaling", "quantile_output", "impute", "max_categories", "seed")
        encoder = cls(
            state["features"], state["categories"], **{name: state[name] for name in settings}
        )
        encoder.words = {name: list(words) for name, words in state["words"].items()}
        medians = dict(zip(encoder.numbers, state.get("medians", []), strict=True))
        # scikit-learn has no other way to make an estimator ready than to fit it
        row = pd.DataFrame(
            [{**medians, **{name: words[0] for name, words in encoder.words.items()}}]
        )
        encoder._transformer = encoder._build(1).fit(encoder._filled(row))
        if encoder.numbers:
            steps = encoder._transformer.named_transformers_["numbers"].named_steps
            load_fitted(steps["scale"], state["scaler"])
        return encoder

    @property
    def fingerprint(self) -> str:
        """A string that is the same for encoders with the same names and numbers."""
        state = self.state_dict()
        parts = [self.names, [f"{value:.6g}" for value in state.get("medians", [])]]
        for name, value in sorted(state.get("scaler", {}).items()):
            values = value.flatten().tolist() if hasattr(value, "flatten") else [value]
            if name != "n_samples_seen_":
                parts.append([name, *(f"{each:.6g}" for each in values)])
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def _build(self, rows: int) -> Any:
        from sklearn.compose import ColumnTransformer
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import OneHotEncoder

        scaler = make_scaler(self.scaling, rows, self.quantile_output, self.seed)
        numbers = Pipeline(
            [("impute", SimpleImputer(strategy="median")), ("scale", scaler or "passthrough")]
        )
        words = OneHotEncoder(
            categories=list(self.words.values()), handle_unknown="ignore", sparse_output=False
        )
        parts = [("numbers", numbers, self.numbers), ("words", words, self.categories)]
        return ColumnTransformer([part for part in parts if part[2]], sparse_threshold=0)

    def _filled(self, table: "DataFrame") -> "DataFrame":
        """Return the rows with a word in place of missing categories, and known spellings."""
        filled = table[self.features].fillna(dict.fromkeys(self.categories, "missing"))
        for name, words in self.words.items():
            spellings = known_spellings(filled[name].unique().tolist(), words)
            if any(found != known for found, known in spellings.items()):
                filled[name] = filled[name].map(spellings)
        return filled

    @property
    def _order(self) -> list[int]:
        """Columns of the transformer's result, which begins with the numbers, as in features."""
        blocks = [*self.numbers, *self.categories]
        start: dict[str, int] = {}
        position = 0
        for name in blocks:
            start[name] = position
            position += len(self._names_of(name))
        return [
            start[name] + place
            for name in self.features
            for place in range(len(self._names_of(name)))
        ]

    def _names_of(self, feature: str) -> list[str]:
        words = self.words.get(feature)
        return [feature] if words is None else [f"{feature}={word}" for word in words]
