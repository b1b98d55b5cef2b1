"""Files of explained samples, which a run can continue after it was killed at any moment."""

import errno
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from pear_lightning.training.supervision_report import SupervisionReport

if TYPE_CHECKING:
    from datasets import Dataset, Features

_ABOUT = b"pear_lightning"
_CHUNK = 2**20


class SupervisionStore:
    """A folder of Arrow files (shards) with explained samples, one row for each sample.

    A shard is written under another name and renamed when it is complete, so a killed process
    leaves either a whole shard or none. Its name holds a checksum of its contents. Each shard knows
    the settings that it was made with; shards of different settings do not mix.

    Columns: ``id``, ``fingerprint`` (computed from the inputs), ``target``, ``methods`` (S names of
    surviving explanations), ``saliency`` (S lists of n), ``scores`` (S lists of M), ``candidates``
    and ``survivors`` (K), ``undefined`` (K lists of M) and ``without_survivor``; and, if they are
    stored, ``keep`` (k lists of n), ``logits`` (k lists of C), ``original`` (C), ``weights`` and
    ``laws`` (k), the tensors of :class:`~pear_lightning.scoring.removals.Removals`.

    Args:
        folder: The folder; it is created by the first shard.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> store = SupervisionStore(folder.name)
        >>> row = {"id": 7, "fingerprint": 1, "target": 0, "methods": ["lime"],
        ...        "saliency": [[1.0, 2.0]], "scores": [[0.5]], "candidates": [True],
        ...        "survivors": [True], "undefined": [[False]], "without_survivor": False}
        >>> path = store.write([row], {"settings": {"methods": ["lime"]}})
        >>> store.finished(), store.read()[0]["saliency"]
        ({7}, [[1.0, 2.0]])
        >>> folder.cleanup()
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def shards(self) -> list[Path]:
        """Return the finished shards, by name."""
        return sorted(self.folder.glob("shard-*.arrow"))

    def clear_unfinished(self, rank: int, world_size: int) -> None:
        """Remove what killed processes left.

        Args:
            rank: Rank of this process; every rank removes its own files.
            world_size: Number of processes; the first also removes files of higher ranks.
        """
        for path in self.folder.glob("unfinished-*"):
            of_rank = int(path.name.split("-")[1])
            if of_rank == rank or (rank == 0 and of_rank >= world_size):
                path.unlink(missing_ok=True)

    def write(
        self, rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any], rank: int = 0
    ) -> Path:
        """Write a shard.

        Args:
            rows: The samples, at least one, as mappings of the columns to numbers and lists.
            about: ``settings``, and further plain values such as the cost.
            rank: Rank of this process, which is the only one that writes shards of this rank.

        Returns:
            Path of the shard.

        Raises:
            OSError: If it cannot be written, for example because the disk is full; finished shards
                remain.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / f"unfinished-{rank}-{os.getpid()}"
        try:
            self._write_table(rows, about, unfinished)
            name = f"shard-{self._next_number(rank):06d}-{rank}-{_checksum(unfinished):08x}.arrow"
            path = self.folder / name
            os.replace(unfinished, path)
            _flush(self.folder)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            reason = "its disk is full" if error.errno == errno.ENOSPC else str(error)
            raise OSError(
                error.errno,
                f"folder must be writable and have space for a shard of {len(rows)} samples, got "
                f"{self.folder}: {reason}; finished shards are intact, and the next run explains "
                "the other samples",
            ) from error
        return path

    def _write_table(
        self, rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any], path: Path
    ) -> None:
        import pyarrow as pa
        from datasets import Dataset

        columns = {name: [row[name] for row in rows] for name in rows[0]}
        dataset = Dataset.from_dict(columns, features=_features(stores="keep" in columns))
        table = dataset.with_format("arrow")[:]
        metadata = {**(table.schema.metadata or {}), _ABOUT: json.dumps(about).encode()}
        table = table.replace_schema_metadata(metadata)
        with path.open("wb") as file:
            with pa.ipc.new_stream(file, table.schema) as stream:
                stream.write_table(table)
            file.flush()
            os.fsync(file.fileno())

    def _next_number(self, rank: int) -> int:
        mine = [p.name.split("-") for p in self.shards() if p.name.split("-")[2] == str(rank)]
        return 1 + max((int(parts[1]) for parts in mine), default=-1)

    def check(self, settings: Mapping[str, Any] | None = None) -> None:
        """Raise if a shard is damaged, or was made with other settings.

        Args:
            settings: Settings that the shards must have; ``None`` if any, but the same for all.

        Raises:
            ValueError: See above.
        """
        wanted = None if settings is None else json.loads(json.dumps(settings))
        for path in self.shards():
            if f"{_checksum(path):08x}" != path.stem.split("-")[3]:
                raise ValueError(
                    f"shards must be as they were written, got a damaged file {path}; delete it, "
                    "and the next run explains its samples again"
                )
            found = self.about(path)["settings"]
            wanted = found if wanted is None else wanted
            if found != wanted:
                names = sorted(set(found) | set(wanted))
                differing = [name for name in names if found.get(name) != wanted.get(name)]
                raise ValueError(
                    f"folder must hold explanations of the same settings, got {path} with other "
                    f"{', '.join(differing)}: {[found.get(name) for name in differing]} instead of "
                    f"{[wanted.get(name) for name in differing]}; use another folder"
                )

    def settings(self) -> dict[str, Any] | None:
        """Return the settings of the samples; ``None`` if there are none."""
        paths = self.shards()
        found: dict[str, Any] | None = self.about(paths[0])["settings"] if paths else None
        return found

    def about(self, path: Path) -> dict[str, Any]:
        """Return what :meth:`write` was told about a shard.

        Args:
            path: The shard.
        """
        import pyarrow as pa

        with pa.memory_map(str(path)) as source:
            metadata = pa.ipc.open_stream(source).schema.metadata
        found: dict[str, Any] = json.loads(metadata[_ABOUT])
        return found

    def finished(self, settings: Mapping[str, Any] | None = None) -> set[int]:
        """Return the ids of the samples in finished shards.

        Args:
            settings: See :meth:`check`.

        Raises:
            ValueError: See :meth:`check`.
        """
        from datasets import Dataset

        self.check(settings)
        return {number for path in self.shards() for number in Dataset.from_file(str(path))["id"]}

    def read(self) -> "Dataset":
        """Return all samples in the order of their ids, mapped from the files.

        Raises:
            FileNotFoundError: If there are none.
            ValueError: If a shard is damaged, settings differ, or an id occurs twice.
        """
        from datasets import Dataset, concatenate_datasets

        paths = self.shards()
        if not paths:
            raise FileNotFoundError(
                f"folder must hold explained samples, got none in {self.folder}; run "
                "trainer.predict with PriorExplanations and a SupervisionWriter"
            )
        self.check()
        rows = concatenate_datasets([Dataset.from_file(str(path)) for path in paths])
        ids = torch.tensor(rows["id"][:])
        order = ids.argsort()
        twice = ids[order][1:][ids[order].diff() == 0]
        if len(twice):
            raise ValueError(
                f"folder must hold each sample once, got {len(twice)} samples twice in "
                f"{self.folder}, such as {int(twice[0])}; two runs wrote to it at the same time"
            )
        return rows.select(order.tolist(), keep_in_memory=True)

    def report(self) -> SupervisionReport:
        """Return the report of all samples, with the cost of all runs; of no sample at first.

        Raises:
            ValueError: See :meth:`read`.
        """
        from datasets import Dataset

        self.check()
        settings = self.settings() or {"methods": [], "metrics": []}
        paths = self.shards()
        report = SupervisionReport(settings["methods"], settings["metrics"])
        names = ("candidates", "survivors", "undefined", "without_survivor")
        for path in paths:
            rows = Dataset.from_file(str(path)).select_columns(list(names))[:]
            report.add(*(torch.tensor(rows[name]) for name in names))
            about = self.about(path)
            report.add_cost(about.get("evaluations", 0), about.get("seconds", {}))
        return report


def _features(*, stores: bool) -> "Features":
    from datasets import Features, List, Value

    number, flag, integer = Value("float32"), Value("bool"), Value("int64")
    columns: dict[str, Any] = {
        "id": integer,
        "fingerprint": integer,
        "target": integer,
        "methods": List(Value("string")),
        "saliency": List(List(number)),
        "scores": List(List(number)),
        "candidates": List(flag),
        "survivors": List(flag),
        "undefined": List(List(flag)),
        "without_survivor": flag,
    }
    if stores:
        columns |= {
            "keep": List(List(flag)),
            "logits": List(List(number)),
            "original": List(number),
            "weights": List(number),
            "laws": List(integer),
        }
    return Features(columns)


def _checksum(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            value = zlib.crc32(chunk, value)
    return value


def _flush(folder: Path) -> None:
    """Make a renamed file survive a loss of power, where folders can be opened."""
    if os.name == "nt":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
