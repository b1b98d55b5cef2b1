"""Bank marketing, a data set of the PEAR paper."""

from typing import ClassVar

from pear_lightning.datamodules.paper_table import PaperTable


class BankMarketing(PaperTable):
    r"""Bank marketing, as in the PEAR paper: does a customer open a deposit after a phone call?

    10,578 rows (7,933 for training and 2,645 for testing in the paper's files) with 7 features:
    V1 = age in years, V6 = balance in euros, V10 = day of the month of the last call, V12 =
    duration of that call in seconds, V13 = number of calls in this campaign, V14 = days since a
    call of an earlier campaign (-1: none), V15 = number of earlier calls. Class 1 is yes, class 0
    is no; the table holds all 5,289 customers who said yes, and as many who said no. The duration
    is known only after the call, so a model of these data cannot select customers to call.

    Source: UCI bank marketing data (CC BY 4.0 as commonly quoted; not checked), balanced by the
    tabular benchmark of Grinsztajn et al.; the paper's files are in aks2203/pear-xai
    (BSD-3-Clause). Hub: ``inria-soda/tabular-benchmark``, ``clf_num_bank-marketing``; it is not
    verified that its columns, rows and target name (``Class``) are those of the files.

    Shapes:
        - ``inputs``: ``(B, 7)`` float32
        - ``target``: ``(B,)`` long

    Args:
        data_dir: Folder with ``bankmarketing-train.csv`` and ``bankmarketing-test.csv`` (or
            ``.csv.gz``), or the folder above it. None reads from the hub.
        revision: Branch, tag or commit on the hub.
        target: Name of the target column in the files.
        class_names: Names of the two classes. None is ``["no", "yes"]``.
        kwargs: Other arguments of :class:`TabularDataModule`, except those that name a source.

    Raises:
        FileNotFoundError: If the files are not in ``data_dir``.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> folder = tempfile.TemporaryDirectory()
        >>> for part in ("train", "test"):
        ...     rows = "V1,V6,V10,V12,V13,V14,V15,class\n29,718,8,91,3,-1,0,0\n4,1,2,9,1,-1,0,1\n"
        ...     _ = Path(folder.name, f"bankmarketing-{part}.csv").write_text(rows)
        >>> data = BankMarketing(folder.name)
        >>> data.setup()
        >>> data.splits, data.class_names
        ({'train': 2, 'test': 2}, ['no', 'yes'])
        >>> folder.cleanup()

    References:
        S. Moro, P. Cortez, P. Rita. *A data-driven approach to predict the success of bank
        telemarketing.* Decision Support Systems 62, 2014.

        L. Grinsztajn, E. Oyallon, G. Varoquaux. *Why do tree-based models still outperform deep
        learning on typical tabular data?* NeurIPS 2022, arXiv 2207.08815.
    """

    file_name: ClassVar[str] = "bankmarketing"
    folder: ClassVar[str] = "bank-marketing"
    hub_config_name: ClassVar[str] = "clf_num_bank-marketing"
    hub_target: ClassVar[str] = "Class"
    classes: ClassVar[tuple[str, ...]] = ("no", "yes")
