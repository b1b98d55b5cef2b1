"""The table of a run."""

from typing import Any

from benchmarks.scores_activation.table_settings import NEED_FILES, TABLES

_tables: dict[tuple[str, int], Any] = {}


def table_of(name: str, seed: int, data_dir: str | None) -> Any:
    """Return the data module of a table, set up; the last one is kept for the next run.

    Args:
        name: Name of the table.
        seed: Seed of the table, or of its split.
        data_dir: Folder of the real tables.

    Raises:
        ValueError: If there is no folder and the table is in it.
    """
    key = (name, seed)
    if key not in _tables:
        _tables.clear()  # one at a time: some are large
        data = TABLES[name].build(data_dir, seed)
        if name in NEED_FILES and data_dir is None:
            raise ValueError(f"{name} needs --data-dir")
        data.setup()
        _tables[key] = data
    return _tables[key]
