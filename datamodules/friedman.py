"""Friedman's first regression problem."""

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from pear_lightning.datamodules.known_relevance import Draw, KnownRelevance, for_all_rows

if TYPE_CHECKING:
    from numpy.random import Generator


class Friedman(KnownRelevance):
    r"""Friedman's first regression problem, scikit-learn's ``make_friedman1``.

    .. math::
        y = 10 \sin(π x_1 x_2) + 20 (x_3 − 0.5)^2 + 10 x_4 + 5 x_5 + σ ε,
        \qquad x \sim U[0, 1]^d, \; ε \sim N(0, 1)

    Features 1 to 5 are relevant. The formula holds for the features before standardisation; the
    target is not scaled (mean 14, standard deviation 5).

    Shapes:
        - ``inputs``: ``(B, num_features)`` float32
        - ``target``: ``(B,)`` float32
        - ``relevance``: ``(num_features,)`` bool, the first five

    Args:
        num_features: Number of features, at least 5.
        n_train: Number of training rows.
        n_test: Number of test rows.
        noise: σ; no model has a mean squared error below σ².
        seed: Seed of the rows; training and test rows differ.
        kwargs: Other arguments of :class:`TabularDataModule`, except ``task`` and those that name a
            source.

    Raises:
        ValueError: If there are fewer than 5 features.

    Example:
        >>> data = Friedman(n_train=100, n_test=50)
        >>> data.setup()
        >>> data.num_classes, data.relevance.nonzero().flatten().tolist()
        (1, [0, 1, 2, 3, 4])

    References:
        J. Friedman. *Multivariate adaptive regression splines.* Annals of Statistics 19, 1991.
    """

    fewest_features = 5

    def __init__(
        self,
        num_features: int = 10,
        n_train: int = 1000,
        n_test: int = 1000,
        noise: float = 1.0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_features, n_train, n_test, seed=seed, task="regression", **kwargs)
        self.noise = noise

    @override
    def draw(self, rows: int, rng: "Generator") -> Draw:
        from sklearn.datasets import make_friedman1

        inputs, target = make_friedman1(
            n_samples=rows,
            n_features=self.n_drawn,
            noise=self.noise,
            random_state=int(rng.integers(2**32)),
        )
        return Draw(inputs, target, for_all_rows(self._relevant(), rows, self.n_drawn))

    @override
    def _relevant(self) -> list[int]:
        return [0, 1, 2, 3, 4]
