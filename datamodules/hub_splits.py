"""Splits of a data set on the Hugging Face hub, or of local files, by their usual names."""

from collections.abc import Iterable
from typing import Any

_SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""Usual names of each split, in lower case."""


def splits_among(names: Iterable[str]) -> dict[str, str]:
    """Return the name of each split among the names, in upper or lower case.

    Args:
        names: Names of splits or folders.

    Example:
        >>> splits_among(["Testing", "Training", "notes"])
        {'train': 'Training', 'test': 'Testing'}
    """
    found = {name.lower(): name for name in sorted(names)}  # lower case is last, and preferred
    named = {
        split: next((found[name] for name in usual if name in found), None)
        for split, usual in _SPLITS.items()
    }
    return {split: name for split, name in named.items() if name is not None}


def load_hub_splits(hub_id: str, config: str | None = None, **kwargs: Any) -> dict[str, Any]:
    r"""Load the splits of a data set with ``datasets.load_dataset``.

    Args:
        hub_id: Name on the hub, a local folder, or a format such as ``"csv"``, in combination with
            ``data_files``.
        config: Name of the configuration.
        **kwargs: Other arguments of ``load_dataset``: ``data_files``, ``revision``, ``cache_dir``.

    Returns:
        A ``datasets.Dataset`` for ``"train"``, and for ``"val"`` and ``"test"`` if they exist.

    Raises:
        ValueError: If there is no training split.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "rows.csv")
        ...     _ = path.write_text("text,label\ngood,1\n")
        ...     files = {"train": str(path), "validation": str(path)}
        ...     found = load_hub_splits("csv", data_files=files, cache_dir=folder)
        ...     list(found), found["val"][0]
        (['train', 'val'], {'text': 'good', 'label': 1})
    """
    from datasets import load_dataset

    loaded = load_dataset(hub_id, name=config, **kwargs)
    named = splits_among(loaded)
    if "train" not in named:
        raise ValueError(
            f"hub_id must have a split called 'train', got {hub_id!r} with the splits "
            f"{list(loaded)}"
        )
    return {split: loaded[name] for split, name in named.items()}
