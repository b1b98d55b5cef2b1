"""Splits of a data set on the Hugging Face hub, or of local files, by their usual names."""

from typing import Any

SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""Usual names of each split."""


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
    named = {
        split: next((loaded[name] for name in names if name in loaded), None)
        for split, names in SPLITS.items()
    }
    if named["train"] is None:
        raise ValueError(
            f"hub_id must have a split called 'train', got {hub_id!r} with the splits "
            f"{list(loaded)}"
        )
    return {split: rows for split, rows in named.items() if rows is not None}
