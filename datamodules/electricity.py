"""Electricity, a data set of the PEAR paper."""

from typing import ClassVar

from pear_lightning.datamodules.paper_table import PaperTable


class Electricity(PaperTable):
    """Electricity, as in the PEAR paper: does the price in New South Wales go up or down?

    38,474 rows (28,855 for training and 9,619 for testing in the paper's files), one per half hour
    between May 1996 and December 1998, with 8 features: date = normalised date, day = day of the
    week (0 to 6), period = half hour of the day, nswprice and nswdemand = price and demand in New
    South Wales, vicprice and vicdemand = the same in Victoria, transfer = planned transfer between
    the two; all except ``day`` are scaled to [0, 1] in the original. Class 1 is up, class 0 is
    down, relative to the average of the last 24 hours; the table holds all 19,237 rows of class 1
    and as many of class 0.

    Source: Elec2 data (no licence stated), balanced by the tabular benchmark of Grinsztajn et al.;
    the paper's files are in aks2203/pear-xai (BSD-3-Clause). Hub: ``inria-soda/tabular-benchmark``,
    ``clf_num_electricity``. The numerical suite of the benchmark omits ``day``, so **the hub may
    give 7 features**, while the files have 8. It is not verified which revision has which, and that
    the target is called ``class``. For 7 features from the files, name them in ``features``.

    The rows are consecutive in time and the split is random, so neighbours of most test rows are
    training rows.

    Shapes:
        - ``inputs``: ``(B, 8)`` float32
        - ``target``: ``(B,)`` long

    Args:
        data_dir: Folder with ``electricity-train.csv`` and ``electricity-test.csv`` (or
            ``.csv.gz``), or the folder above it. None reads from the hub.
        revision: Branch, tag or commit on the hub.
        target: Name of the target column in the files.
        class_names: Names of the two classes. None is ``["down", "up"]``.
        kwargs: Other arguments of :class:`TabularDataModule`, except those that name a source.

    Raises:
        FileNotFoundError: If the files are not in ``data_dir``.

    Example:
        >>> Electricity("no/such/folder").setup()
        Traceback (most recent call last):
        FileNotFoundError: data_dir must hold electricity-train.csv or ...

    References:
        M. Harries. *Splice-2 comparative evaluation: electricity pricing.* Technical report,
        University of New South Wales, 1999.

        L. Grinsztajn, E. Oyallon, G. Varoquaux. *Why do tree-based models still outperform deep
        learning on typical tabular data?* NeurIPS 2022, arXiv 2207.08815.
    """

    file_name: ClassVar[str] = "electricity"
    folder: ClassVar[str] = "electricity"
    hub_config_name: ClassVar[str] = "clf_num_electricity"
    classes: ClassVar[tuple[str, ...]] = ("down", "up")
