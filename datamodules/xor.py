"""Tables whose features are relevant only jointly."""

from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import override

from pear_lightning.datamodules.known_relevance import Draw, KnownRelevance, for_all_rows

if TYPE_CHECKING:
    from numpy.random import Generator

# opposite corners are adjacent in this list, and share a class
_CORNERS = [
    (1, 1, 1),
    (-1, -1, -1),
    (1, 1, -1),
    (-1, -1, 1),
    (1, -1, -1),
    (-1, 1, 1),
    (-1, 1, -1),
    (1, -1, 1),
]


class XOR(KnownRelevance):
    r"""Features that are relevant only jointly, so that none is correlated with the target.

    Two different tables have this name:

    - ``"l2x"``, from L2X: x ~ N(0, I), P(y = 0) = exp(x1 x2)/(1 + exp(x1 x2)). Features 1 and 2
      are relevant; two classes, with much noise.
    - ``"corners"``, from CCM and from Wojtas and Chen: N(0, 1) noise around the eight corners of
      the cube [−1, 1]³ in features 1 to 3, with the same number of rows at each corner; opposite
      corners share one of four classes.

    Shapes:
        - ``inputs``: ``(B, num_features)`` float32
        - ``target``: ``(B,)`` long, two or four classes
        - ``relevance``: ``(num_features,)`` bool, the first two or three

    Args:
        variant: ``"l2x"`` or ``"corners"``.
        num_features: Number of features, at least 3.
        n_train: Number of training rows.
        n_test: Number of test rows.
        seed: Seed of the rows; training and test rows differ.
        kwargs: Other arguments of :class:`TabularDataModule`, except those that name a source.

    Raises:
        ValueError: If the variant is unknown, or there are fewer than 3 features.

    Example:
        >>> data = XOR("corners", n_train=512, n_test=1024)
        >>> data.setup()
        >>> data.num_classes, data.relevance.nonzero().flatten().tolist()
        (4, [0, 1, 2])

    References:
        J. Chen, L. Song, M. Wainwright, M. Jordan. *Learning to explain.* ICML 2018.

        J. Chen, M. Stern, M. Wainwright, M. Jordan. *Kernel feature selection via conditional
        covariance minimization.* NeurIPS 2017.

        M. Wojtas, K. Chen. *Feature importance ranking for deep learning.* NeurIPS 2020. They take
        512 training and 1,024 test rows.

    Deviations from the paper:
        Classes of ``"l2x"`` are drawn, while L2X trains on their probabilities. Test rows are not
        drawn from the seed of the training rows, unlike in the example script of Wojtas and Chen.
    """

    fewest_features = 3

    def __init__(
        self,
        variant: Literal["l2x", "corners"] = "l2x",
        num_features: int = 10,
        n_train: int = 10_000,
        n_test: int = 10_000,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        if variant not in ("l2x", "corners"):
            raise ValueError(f"variant must be 'l2x' or 'corners', got {variant!r}")
        super().__init__(num_features, n_train, n_test, seed=seed, **kwargs)
        self.variant = variant

    @override
    def draw(self, rows: int, rng: "Generator") -> Draw:
        import numpy as np
        from scipy.special import expit

        x = rng.standard_normal((rows, self.n_drawn))
        relevance = for_all_rows(self._relevant(), rows, self.n_drawn)
        if self.variant == "l2x":
            target = (rng.uniform(size=rows) >= expit(x[:, 0] * x[:, 1])).astype(np.int64)
            return Draw(x, target, relevance)
        corner = np.arange(rows) * len(_CORNERS) // rows
        x[:, :3] += np.array(_CORNERS)[corner]
        order = rng.permutation(rows)
        return Draw(x[order], corner[order] // 2, relevance)

    @override
    def _relevant(self) -> list[int]:
        return [0, 1] if self.variant == "l2x" else [0, 1, 2]
