"""Wholesale customers, a data set of DeepFaith."""

from typing import ClassVar

from pear_lightning.datamodules.local_table import LocalTable


class WholesaleCustomers(LocalTable):
    r"""Wholesale customers: which channel does a customer buy through, from annual spending?

    440 rows with 7 features: Region (1 to 3), and the spending on Fresh, Milk, Grocery, Frozen,
    Detergents_Paper and Delicassen. The classes are the channels 1 (298 rows) and 2 (142 rows). The
    split is stratified, 75 to 25 by default.

    Source: UCI data set 292 (licence not checked).

    Shapes:
        - ``inputs``: ``(B, 7)`` float32
        - ``target``: ``(B,)`` long

    Args:
        data_dir: Folder with ``Wholesale_customers_data.csv`` (or ``.csv.gz``), or the folder above
            it.
        features: Names of the feature columns. None takes all 7.
        scaling: Scaling of the features.
        kwargs: Other arguments of :class:`TabularDataModule`, except those that name a source.

    Raises:
        FileNotFoundError: If the file is not in ``data_dir``.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> folder = tempfile.TemporaryDirectory()
        >>> names = "Channel,Region,Fresh,Milk,Grocery,Frozen,Detergents_Paper,Delicassen"
        >>> rows = "".join(f"{1 + i % 2},3,{i},9,7,2,2,{i}\n" for i in range(8))
        >>> _ = Path(folder.name, "Wholesale_customers_data.csv").write_text(f"{names}\n{rows}")
        >>> data = WholesaleCustomers(folder.name)
        >>> data.setup()
        >>> data.splits, data.num_features, data.class_names
        ({'train': 6, 'test': 2}, 7, ['1', '2'])
        >>> folder.cleanup()
    """

    file_name: ClassVar[str] = "Wholesale_customers_data.csv"
    folder: ClassVar[str] = "wholesale-customers"
    target_column: ClassVar[str] = "Channel"
    columns: ClassVar[tuple[str, ...]] = (
        "Region",
        "Fresh",
        "Milk",
        "Grocery",
        "Frozen",
        "Detergents_Paper",
        "Delicassen",
    )
