"""Texts with labels from tables."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pear_lightning.datamodules.table_checks import class_indices, classes_of

if TYPE_CHECKING:
    from pandas import DataFrame


class LabelledTexts(NamedTuple):
    """Texts of a split, and their classes.

    Attributes:
        texts: The texts.
        labels: Class of each text, from 0.
    """

    texts: list[str]
    labels: list[int]


def texts_of(
    tables: "Mapping[str, DataFrame]",
    text: str | Sequence[str],
    target: str,
    class_names: Sequence[str] | None = None,
) -> tuple[dict[str, LabelledTexts], list[str]]:
    """Return the texts and classes of tables.

    Args:
        tables: Tables by split. A test table whose labels are all -1 is left out: data sets keep
            the labels of their test rows back in this way.
        text: Column of the texts; columns of several names are joined by a space.
        target: Column of the labels.
        class_names: Names of the classes, in the order of the sorted labels. ``None`` takes the
            labels.

    Returns:
        Texts of each split, and the names of the classes.

    Raises:
        ValueError: If a column, a text or a label is missing, a label is not one of the training
            table, or the number of names is wrong.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"title": ["Up", "Down"], "body": ["a", "b"], "y": [2, 1]})
        >>> splits, names = texts_of({"train": table}, ["title", "body"], "y", ["bad", "good"])
        >>> splits["train"], names
        (LabelledTexts(texts=['Up a', 'Down b'], labels=[1, 0]), ['bad', 'good'])
    """
    columns = [text] if isinstance(text, str) else list(text)
    for split, table in tables.items():
        if missing := [name for name in [*columns, target] if name not in table.columns]:
            raise ValueError(
                f"text and target must be columns of the {split} table, {list(table.columns)}, got "
                f"{missing}"
            )
        if incomplete := int(table[columns].isna().any(axis=1).sum()):
            raise ValueError(
                f"{columns} of the {split} table must hold a text in every row, got {incomplete} "
                "rows without"
            )
        # files of texts are read without missing values, because "NA" is a word
        empty = table[target].isna() | (table[target].astype(str).str.strip() == "")
        if unlabelled := int(empty.sum()):
            raise ValueError(
                f"{target!r} of the {split} table must hold a label in every row, got {unlabelled} "
                "rows without; leave these rows out"
            )
    tables = {
        split: table
        for split, table in tables.items()
        if split != "test" or not (table[target] == -1).all()
    }
    classes = classes_of(tables["train"][target])
    names = [str(label) for label in classes] if class_names is None else list(class_names)
    if len(names) != len(classes):
        raise ValueError(f"class_names must have one name for each of {classes}, got {names}")
    splits = {}
    for split, table in tables.items():
        parts = [table[name].astype(str).tolist() for name in columns]
        texts = [" ".join(each) for each in zip(*parts, strict=True)]
        labels = class_indices(table[target], classes, f"{split} table").tolist()
        splits[split] = LabelledTexts(texts, labels)
    return splits, names
