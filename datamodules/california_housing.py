"""California housing, a data set of the PEAR paper."""

from typing import ClassVar

from pear_lightning.datamodules.paper_table import PaperTable


class CaliforniaHousing(PaperTable):
    """California housing, as in the PEAR paper: are the houses of a block above the median price?

    20,634 rows (15,475 for training and 5,159 for testing in the paper's files), one per block
    group of the census of 1990, with 8 features: MedInc = median income in 10,000 dollars, HouseAge
    = median age of the houses in years, AveRooms and AveBedrms = rooms and bedrooms per household,
    Population, AveOccup = people per household, Latitude and Longitude in degrees. Class 1 is a
    median house value above 179,700 dollars, class 0 is a value at or below it; both classes have
    the same number of rows.

    Source: StatLib (no licence stated), as in the tabular benchmark of Grinsztajn et al.; the
    paper's files are in aks2203/pear-xai (BSD-3-Clause). Hub: ``inria-soda/tabular-benchmark``,
    ``clf_num_california``; it is not verified that its columns, rows and target name
    (``price_above_median``) are those of the files.

    A few blocks have extreme values (AveOccup reaches 502 in the paper's training rows and 1,243 in
    its test rows), so min-max scaling compresses most rows into a small range and puts some test
    rows outside [0, 1]; ``scaling="quantile"`` does not.

    Shapes:
        - ``inputs``: ``(B, 8)`` float32
        - ``target``: ``(B,)`` long

    Args:
        data_dir: Folder with ``californiahousing-train.csv`` and ``californiahousing-test.csv`` (or
            ``.csv.gz``), or the folder above it. None reads from the hub.
        revision: Branch, tag or commit on the hub.
        target: Name of the target column in the files.
        class_names: Names of the two classes. None is ``["at or below median", "above median"]``.
        kwargs: Other arguments of :class:`TabularDataModule`, except those that name a source.

    Raises:
        FileNotFoundError: If the files are not in ``data_dir``.

    Example:
        >>> CaliforniaHousing("no/such/folder").setup()
        Traceback (most recent call last):
        FileNotFoundError: data_dir must hold californiahousing-train.csv or ...

    References:
        R. K. Pace, R. Barry. *Sparse spatial autoregressions.* Statistics & Probability Letters 33,
        1997.

        L. Grinsztajn, E. Oyallon, G. Varoquaux. *Why do tree-based models still outperform deep
        learning on typical tabular data?* NeurIPS 2022, arXiv 2207.08815.
    """

    file_name: ClassVar[str] = "californiahousing"
    folder: ClassVar[str] = "california"
    hub_config_name: ClassVar[str] = "clf_num_california"
    hub_target: ClassVar[str] = "price_above_median"
    classes: ClassVar[tuple[str, ...]] = ("at or below median", "above median")
