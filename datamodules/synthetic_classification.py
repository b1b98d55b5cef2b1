"""Clusters on the corners of a hypercube, with a few relevant features."""

from typing import Any

from typing_extensions import override

from pear_lightning.datamodules.known_relevance import Draw, KnownRelevance, for_all_rows


class SyntheticClassification(KnownRelevance):
    """scikit-learn's ``make_classification``: the first features are relevant, the rest noise.

    Each class consists of two normal clusters on corners of a hypercube in ``n_informative``
    dimensions; each cluster has its own covariance. The abstract of ScoresActivation names two
    sizes: 10 features and 16 features, of which 5 are relevant. It is an assumption that its data
    come from this function.

    ``make_classification`` draws corners, covariances and rows from one seed, so training and test
    rows are drawn in one call and then split. The call depends on ``n_train + n_test``: with the
    same ``seed`` and the same sum, the rows of a smaller training set are among those of a larger
    training set.

    Shapes:
        - ``inputs``: ``(B, num_features)`` float32
        - ``target``: ``(B,)`` long, 0 or 1
        - ``relevance``: ``(num_features,)`` bool, the first ``n_informative``

    Args:
        num_features: Number of features.
        n_informative: Number of relevant features, at least 2.
        n_train: Number of training rows.
        n_test: Number of test rows.
        class_sep: Half the side length of the hypercube.
        flip_y: Share of rows with a random class.
        seed: Seed of the corners, of the covariances and of the rows.
        kwargs: Other arguments of :class:`TabularDataModule`, except those that name a source.

    Raises:
        ValueError: If ``n_informative`` is below 2 or above ``num_features``.

    Example:
        >>> data = SyntheticClassification(num_features=16, n_train=400, n_test=1000)
        >>> data.setup()
        >>> data.splits, data.num_features, int(data.relevance.sum())
        ({'train': 400, 'test': 1000}, 16, 5)

    References:
        I. Guyon. *Design of experiments for the NIPS 2003 variable selection benchmark.* 2003.
    """

    def __init__(
        self,
        num_features: int = 10,
        n_informative: int = 5,
        n_train: int = 400,
        n_test: int = 1000,
        class_sep: float = 1.0,
        flip_y: float = 0.01,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        if not 2 <= n_informative <= num_features:
            raise ValueError(
                f"n_informative must lie in [2, num_features], [2, {num_features}], got "
                f"{n_informative}"
            )
        super().__init__(num_features, n_train, n_test, seed=seed, **kwargs)
        self.n_informative = n_informative
        self.class_sep = class_sep
        self.flip_y = flip_y

    @override
    def draw_splits(self) -> tuple[Draw, Draw]:
        import numpy as np
        from sklearn.datasets import make_classification

        inputs, target = make_classification(
            n_samples=self.n_train + self.n_test,
            n_features=self.n_drawn,
            n_informative=self.n_informative,
            n_redundant=0,
            n_repeated=0,
            class_sep=self.class_sep,
            flip_y=self.flip_y,
            shuffle=False,  # keeps the relevant columns first
            random_state=self.seed,
        )
        # the rows are ordered by cluster
        order = np.random.default_rng(self.seed).permutation(len(target))
        relevance = for_all_rows(self._relevant(), len(target), self.n_drawn)
        train, test = order[: self.n_train], order[self.n_train :]
        return (
            Draw(inputs[train], target[train], relevance[train]),
            Draw(inputs[test], target[test], relevance[test]),
        )

    @override
    def _relevant(self) -> list[int]:
        return list(range(self.n_informative))
