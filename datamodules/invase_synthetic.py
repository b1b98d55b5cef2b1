"""The six synthetic tables of INVASE."""

from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import override

from pear_lightning.datamodules.known_relevance import Draw, KnownRelevance, for_all_rows

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

SynName = Literal["syn1", "syn2", "syn3", "syn4", "syn5", "syn6"]
_RELEVANT = {"syn1": [0, 1], "syn2": [2, 3, 4, 5], "syn3": [6, 7, 8, 9]}
_SWITCH = 10
_SWITCHED = {"syn4": ("syn1", "syn2"), "syn5": ("syn1", "syn3"), "syn6": ("syn2", "syn3")}


class InvaseSynthetic(KnownRelevance):
    r"""The synthetic tables Syn1 to Syn6 of INVASE, as drawn by its code.

    .. math::
        x \sim N(0, I), \qquad P(y = 0 \mid x) = \frac{e^{g(x)}}{1 + e^{g(x)}}

    ======  ===========================================================  ==============
    table   g                                                            relevant
    ======  ===========================================================  ==============
    syn1    x1 x2                                                        1, 2
    syn2    x3² + x4² + x5² + x6² − 4                                    3 to 6
    syn3    −10 sin(0.2 x7) + \|x8\| + x9 + exp(−x10) − 2.4              7 to 10
    syn4    syn1 where x11 < 0, else syn2                                11 and those
    syn5    syn1 where x11 < 0, else syn3                                11 and those
    syn6    syn2 where x11 < 0, else syn3                                11 and those
    ======  ===========================================================  ==============

    In syn4 to syn6, the relevant features depend on the row: ``relevance`` is the union over rows,
    and ``test_relevance`` holds the relevant features of each test row. A gate that is the same for
    all rows can only find the union.

    Shapes:
        - ``inputs``: ``(B, num_features)`` float32
        - ``target``: ``(B,)`` long, 0 or 1
        - ``relevance``: ``(num_features,)`` bool
        - ``test_relevance``: ``(n_test, num_features)`` bool

    Args:
        name: ``"syn1"`` to ``"syn6"``.
        num_features: Number of features, at least 11 (11 or 100 in the paper).
        n_train: Number of training rows.
        n_test: Number of test rows.
        seed: Seed of the rows; training and test rows differ.
        kwargs: Other arguments of :class:`TabularDataModule`, except those that name a source.

    Raises:
        ValueError: If the name is unknown, or there are fewer than 11 features.

    Example:
        >>> data = InvaseSynthetic("syn4", n_train=100, n_test=50)
        >>> data.setup()
        >>> (data.relevance.nonzero().flatten() + 1).tolist()
        [1, 2, 3, 4, 5, 6, 11]
        >>> data.test_relevance.sum(dim=1).unique().tolist()
        [3, 5]

    References:
        J. Yoon, J. Jordon, M. van der Schaar. *INVASE: Instance-wise Variable Selection using
        Neural Networks.* ICLR 2019.

    Deviations from the paper:
        As in the authors' code, g of syn3 has sin(0.2 x7) and one \|x8\|, while its docstring has
        sin(2 x7) and two. The authors' script draws training and test rows with the same seed, so
        they are the same rows; here they differ.
    """

    fewest_features = 11

    def __init__(
        self,
        name: SynName = "syn1",
        num_features: int = 11,
        n_train: int = 10_000,
        n_test: int = 10_000,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        if name not in _RELEVANT and name not in _SWITCHED:
            raise ValueError(f"name must be one of 'syn1' to 'syn6', got {name!r}")
        super().__init__(num_features, n_train, n_test, seed=seed, **kwargs)
        self.table = name

    @override
    def draw(self, rows: int, rng: "Generator") -> Draw:
        import numpy as np
        from scipy.special import expit

        x = rng.standard_normal((rows, self.n_drawn))
        if self.table in _RELEVANT:
            exponent = _exponent(self.table, x)
            relevance = for_all_rows(_RELEVANT[self.table], rows, self.n_drawn)
        else:
            negative, positive = _SWITCHED[self.table]
            first = x[:, _SWITCH] < 0
            exponent = np.where(first, _exponent(negative, x), _exponent(positive, x))
            relevance = np.where(
                first[:, None],
                for_all_rows([*_RELEVANT[negative], _SWITCH], rows, self.n_drawn),
                for_all_rows([*_RELEVANT[positive], _SWITCH], rows, self.n_drawn),
            )
        target = (rng.uniform(size=rows) >= expit(exponent)).astype(np.int64)
        return Draw(x, target, relevance)

    @override
    def _relevant(self) -> list[int]:
        if self.table in _RELEVANT:
            return _RELEVANT[self.table]
        negative, positive = _SWITCHED[self.table]
        return [*_RELEVANT[negative], *_RELEVANT[positive], _SWITCH]


def _exponent(name: str, x: "NDArray[Any]") -> "NDArray[Any]":
    """Return g of syn1, syn2 or syn3 for rows ``(N, d)``."""
    import numpy as np

    if name == "syn1":
        values = x[:, 0] * x[:, 1]
    elif name == "syn2":
        values = (x[:, 2:6] ** 2).sum(axis=1) - 4
    else:
        values = -10 * np.sin(0.2 * x[:, 6]) + np.abs(x[:, 7]) + x[:, 8] + np.exp(-x[:, 9]) - 2.4
    result: NDArray[Any] = values
    return result
