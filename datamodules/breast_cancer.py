"""Wisconsin breast cancer, from scikit-learn."""

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from pear_lightning.datamodules.scaling import Scaling
from pear_lightning.datamodules.tabular import TabularDataModule

if TYPE_CHECKING:
    from pandas import DataFrame


class BreastCancer(TabularDataModule):
    """Wisconsin breast cancer, from scikit-learn: small, offline and linearly solvable.

    569 rows with 30 features: mean, standard error and worst value of ten measurements of cell
    nuclei (radius, texture, perimeter, area, smoothness, compactness, concavity, concave points,
    symmetry, fractal dimension). Class 0 is malignant (212 rows), class 1 is benign (357 rows). The
    split is stratified, 75 to 25 (426 and 143 rows) by default. Licence: CC BY 4.0 at UCI, as
    commonly quoted; not checked.

    Shapes:
        - ``inputs``: ``(B, 30)`` float32
        - ``target``: ``(B,)`` long

    Args:
        scaling: Scaling of the features.
        class_names: Names of the two classes. None is ``["malignant", "benign"]``.
        kwargs: Other arguments of :class:`TabularDataModule`, except those that name a source.

    Raises:
        ValueError: As :class:`TabularDataModule`.

    Example:
        >>> data = BreastCancer()
        >>> data.setup()
        >>> data.splits, data.num_features, data.class_names
        ({'train': 426, 'test': 143}, 30, ['malignant', 'benign'])

    References:
        W. N. Street, W. H. Wolberg, O. L. Mangasarian. *Nuclear feature extraction for breast tumor
        diagnosis.* IS&T/SPIE Symposium on Electronic Imaging, 1993.
    """

    def __init__(
        self, scaling: Scaling = "standard", class_names: list[str] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(
            scaling=scaling, class_names=class_names or ["malignant", "benign"], **kwargs
        )
        self._refuse_source()

    @override
    def load_tables(self) -> "tuple[DataFrame, DataFrame | None]":
        from sklearn.datasets import load_breast_cancer

        return load_breast_cancer(as_frame=True).frame, None
