"""Warnings of new rows with values that the training rows do not have, or without values."""

from typing import TYPE_CHECKING

from lightning.pytorch.utilities import rank_zero_warn

from pear_lightning.datamodules.table_encoder import TableEncoder

if TYPE_CHECKING:
    from pandas import DataFrame


def warn_of_new_rows(table: "DataFrame", encoder: TableEncoder, part: str) -> None:
    """Warn of categories that are encoded as zeros, and of columns that are filled in as a whole.

    A single row may lack any value without a warning.

    Args:
        table: The rows, as returned by
            :func:`~pear_lightning.datamodules.table_checks.clean_columns`.
        encoder: The fitted encoding.
        part: What the table is, for the warnings.
    """
    if unknown := encoder.unknown(table):
        rank_zero_warn(
            f"{part} has categories that the training rows do not have, {unknown}; they "
            "are encoded as zeros"
        )
    empty = []
    if len(table) > 1:
        empty = [name for name in encoder.features if table[name].isna().all()]
    if empty:
        rank_zero_warn(
            f"{part} should have values in all feature columns, got none in {empty}; each of these "
            "columns is filled in with one value for all rows, as for single missing values"
        )
    if missing := [name for name in encoder.unknown_missing(table) if name not in empty]:
        rank_zero_warn(
            f"{part} has missing values in {missing}, where the training rows have none; they are "
            "encoded as zeros"
        )
