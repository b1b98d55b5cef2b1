"""Base class of synthetic tables with known relevant features."""

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from pear_lightning.datamodules.scaling import Scaling
from pear_lightning.datamodules.tabular import TabularDataModule

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray
    from pandas import DataFrame


class Draw(NamedTuple):
    """Rows of a synthetic table.

    Attributes:
        inputs: ``(N, d)``.
        target: ``(N,)``, classes or values.
        relevance: ``(N, d)`` bool, true for features that determine the target of the row.
    """

    inputs: "NDArray[Any]"
    target: "NDArray[Any]"
    relevance: "NDArray[Any]"


class KnownRelevance(TabularDataModule):
    """Base class of synthetic tables with known relevant features.

    Training and test rows are drawn from separate streams, so no row is in both. Features are
    standardised with the statistics of the training rows. They are called x1, x2, ..., as in the
    papers.

    Subclasses implement :meth:`draw`, and ``_relevant``, which returns the features that are
    relevant for any row.

    Shapes:
        - ``inputs``: ``(B, d)`` float32
        - ``target``: ``(B,)`` long for classification, float32 for regression
        - :attr:`relevance`: ``(d,)`` bool

    Args:
        num_features: Number of features d.
        n_train: Number of training rows, including validation rows.
        n_test: Number of test rows.
        scaling: Scaling of the features.
        seed: Seed of the rows.
        kwargs: Other arguments of :class:`TabularDataModule`, except those that name a source.

    Raises:
        ValueError: If the table needs more features, or there are no rows.

    Example:
        >>> class Sign(KnownRelevance):
        ...     def draw(self, rows, rng):
        ...         x = rng.standard_normal((rows, self.n_drawn))
        ...         return Draw(x, (x[:, 0] > 0) * 1, for_all_rows([0], rows, self.n_drawn))
        ...     def _relevant(self):
        ...         return [0]
        >>> data = Sign(num_features=3, n_train=20, n_test=10, junk_features=1)
        >>> data.setup()
        >>> data.feature_names, data.relevance
        (['x1', 'x2', 'x3', 'junk_0'], tensor([ True, False, False, False]))
    """

    fewest_features = 1

    def __init__(
        self,
        num_features: int,
        n_train: int,
        n_test: int,
        scaling: Scaling = "standard",
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(scaling=scaling, seed=seed, **kwargs)
        self._refuse_source()
        if num_features < self.fewest_features:
            raise ValueError(
                f"num_features must be at least {self.fewest_features}, got {num_features}"
            )
        for name, rows in {"n_train": n_train, "n_test": n_test}.items():
            if rows < 1:
                raise ValueError(f"{name} must be at least 1, got {rows}")
        self.n_drawn = num_features
        self.n_train = n_train
        self.n_test = n_test
        self._test_relevance: Tensor | None = None

    def draw(self, rows: int, rng: "Generator") -> Draw:
        """Draw rows.

        Args:
            rows: Number of rows.
            rng: Random generator.
        """
        raise NotImplementedError(
            f"draw must be implemented, got {type(self).__name__} without it; use a subclass"
        )

    def draw_splits(self) -> tuple[Draw, Draw]:
        """Draw the training rows and the test rows from separate streams."""
        import numpy as np

        train, test = (np.random.default_rng([self.seed, stream]) for stream in (0, 1))
        return self.draw(self.n_train, train), self.draw(self.n_test, test)

    @override
    def load_tables(self) -> "tuple[DataFrame, DataFrame | None]":
        import pandas as pd

        names = [f"x{i + 1}" for i in range(self.n_drawn)]
        splits = self.draw_splits()
        self._test_relevance = torch.from_numpy(splits[1].relevance)
        train, test = (
            pd.DataFrame(split.inputs, columns=names).assign(**{self.target: split.target})
            for split in splits
        )
        return train, test

    @property
    def relevance(self) -> Tensor:
        """Whether each feature is relevant for any row, ``(d,)`` bool; false for junk features."""
        drawn = torch.zeros(self.n_drawn, dtype=torch.bool)
        drawn[self._relevant()] = True
        return self._of_columns(drawn[None])[0]

    @property
    def test_relevance(self) -> Tensor:
        """Whether each feature is relevant for each test row, ``(n_test, d)`` bool."""
        self.rows("test")
        assert self._test_relevance is not None
        return self._of_columns(self._test_relevance)

    def _of_columns(self, drawn: Tensor) -> Tensor:
        """Return marks of the columns of ``inputs``, given those of the drawn features."""
        features = [int(name.removeprefix("x")) - 1 for name in self.encoder.features]
        marks = torch.zeros(len(drawn), self.num_features, dtype=torch.bool)
        marks[:, : self.num_features - self.n_junk] = drawn[:, features][:, self.encoder.groups]
        return marks

    def _relevant(self) -> list[int]:
        """Return the features that are relevant for any row, counted from 0."""
        raise NotImplementedError(
            f"_relevant must be implemented, got {type(self).__name__} without it; use a subclass"
        )


def for_all_rows(relevant: list[int], rows: int, num_features: int) -> "NDArray[Any]":
    """Return a mask ``(rows, num_features)`` of features that are relevant for all rows.

    Args:
        relevant: Relevant features, counted from 0.
        rows: Number of rows.
        num_features: Number of features.

    Example:
        >>> for_all_rows([0], 2, 3)
        array([[ True, False, False],
               [ True, False, False]])
    """
    import numpy as np

    mask = np.zeros((rows, num_features), dtype=bool)
    mask[:, relevant] = True
    return mask
