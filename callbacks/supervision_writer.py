"""A callback that writes prior explanations to disk, and continues where it was killed."""

from collections.abc import Sequence
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import Tensor
from typing_extensions import override

from pear_lightning.functional.validation import check_count
from pear_lightning.modules import PriorExplanations
from pear_lightning.training.supervision_store import SupervisionStore


class SupervisionWriter(BasePredictionWriter):
    """Write the explanations of :class:`~pear_lightning.modules.PriorExplanations` as Arrow files.

    Each sample is a row with its id, the surviving explanations, their methods and scores and, if
    the module stores subsets, evaluations of the explained model; see
    :class:`~pear_lightning.training.supervision_store.SupervisionStore` for the columns, and
    :class:`~pear_lightning.datamodules.SupervisionDataModule`, which reads them. The id is the
    position of the sample in the data set, or the ``ids`` of the batch.

    A run that is killed at any moment continues when it is started again: shards appear whole, and
    samples in finished shards are not written again. ``SupervisionDataModule`` does not even load
    them; with other loaders they are explained again and ignored. Each process writes its own
    shards. Predictions are not kept in memory, so ``trainer.predict`` returns ``None``.

    Args:
        folder: Folder for the shards; it is created if it does not exist.
        rows_per_shard: A shard is written when at least this many samples are explained. They are
            held in memory until then, and lost if the process is killed.

    Raises:
        ValueError: If ``rows_per_shard`` is below 1; in a run, if the folder holds explanations of
            other settings or a damaged shard, there are several dataloaders, or samples have no
            ids.
        TypeError: If the module is not :class:`~pear_lightning.modules.PriorExplanations`.
        OSError: If a shard cannot be written, for example because the disk is full.

    Example:
        >>> import tempfile, torch
        >>> from pear_lightning.masking import ColumnMasker
        >>> from pear_lightning.nn import MLP
        >>> folder = tempfile.TemporaryDirectory()
        >>> model = PriorExplanations(MLP(5), ColumnMasker(5), "model_free")
        >>> trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False,
        ...                   callbacks=[SupervisionWriter(folder.name)])
        >>> trainer.predict(model, torch.utils.data.DataLoader(torch.rand(16, 5), batch_size=8))
        >>> rows = SupervisionStore(folder.name).read()
        >>> len(rows), rows[0]["id"], len(rows[0]["saliency"][0])
        (16, 0, 5)
        >>> folder.cleanup()
    """

    def __init__(self, folder: str, rows_per_shard: int = 512) -> None:
        super().__init__(write_interval="batch")
        check_count("rows_per_shard", rows_per_shard)
        self.folder = str(folder)
        self.rows_per_shard = rows_per_shard
        self._store = SupervisionStore(self.folder)
        self._clear()

    def _clear(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._evaluations, self._seconds = 0, dict[str, float]()
        self._finished: set[int] = set()
        self._settings: dict[str, Any] = {}

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Check the module, and that predictions are not also kept in memory."""
        super().setup(trainer, pl_module, stage)
        if stage != "predict":
            return
        if not isinstance(pl_module, PriorExplanations):
            raise TypeError(
                "the module must be PriorExplanations for SupervisionWriter, got "
                f"{type(pl_module).__name__}; PredictionWriter saves other predictions"
            )
        trainer.predict_loop.return_predictions = False

    @override
    def on_predict_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check the shards of earlier runs, now that the module is ready, and clear others."""
        assert isinstance(pl_module, PriorExplanations)
        self._clear()
        self._store.clear_unfinished(trainer.global_rank, trainer.world_size)
        self._settings = pl_module.settings  # read once: they hold a checksum of the model
        self._finished = self._store.finished(self._settings)

    @override
    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: Any,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Take the samples of a batch, and write a shard if there are enough.

        Args:
            trainer: The trainer.
            pl_module: The module.
            prediction: Its predictions.
            batch_indices: Positions of the samples in the data set, if Lightning knows them.
            batch: Not used.
            batch_idx: Not used.
            dataloader_idx: Number of the dataloader, which must be the only one.
        """
        if dataloader_idx:
            raise ValueError(
                "dataloaders must be a single one for SupervisionWriter, got several; run predict "
                "once for each, with a folder for each"
            )
        ids = prediction["ids"].tolist() if "ids" in prediction else list(batch_indices or ())
        if len(ids) != len(prediction["target"]):
            raise ValueError(
                "samples must have ids, got a loader whose positions Lightning does not know; use "
                "SupervisionDataModule, or batches that are mappings with 'ids'"
            )
        assert isinstance(pl_module, PriorExplanations)
        self._rows += [
            row
            for row in _rows(ids, prediction, pl_module.methods)
            if row["id"] not in self._finished
        ]
        self._evaluations += prediction["evaluations"]
        for stage, spent in prediction["seconds"].items():
            self._seconds[stage] = self._seconds.get(stage, 0.0) + spent
        if len(self._rows) >= self.rows_per_shard:
            self._write(trainer)

    @override
    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the remaining samples."""
        self._write(trainer)

    @override
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Write the samples explained so far, unless writing is what failed."""
        if not isinstance(exception, OSError):
            self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        rows, self._rows = self._rows, []
        if not rows:
            return
        about = {
            "settings": self._settings,
            "evaluations": self._evaluations,
            "seconds": self._seconds,
        }
        self._store.write(rows, about, trainer.global_rank)
        self._finished.update(row["id"] for row in rows)
        self._evaluations, self._seconds = 0, {}


def _rows(
    ids: Sequence[int], prediction: dict[str, Any], methods: Sequence[str]
) -> list[dict[str, Any]]:
    """Return a row for each sample: survivors, without padding on either side."""
    found = {name: each.cpu() for name, each in prediction.items() if isinstance(each, Tensor)}
    stored = {name: each.cpu() for name, each in prediction.get("removals", {}).items()}
    rows = []
    for place, number in enumerate(ids):
        survivors = found["survivors"][place]
        own = slice(int(found["starts"][place]), int(found["sizes"][place]))
        row = {
            "id": int(number),
            "fingerprint": int(found["fingerprint"][place]),
            "target": int(found["target"][place]),
            "methods": [methods[k] for k in survivors.nonzero().flatten().tolist()],
            "saliency": found["saliency"][place][survivors, own].tolist(),
            "scores": found["scores"][place][survivors].tolist(),
        }
        for name in ("candidates", "survivors", "undefined", "without_survivor"):
            row[name] = found[name][place].tolist()
        for name, values in stored.items():
            of_sample = values[place]
            row[name] = (of_sample[:, own] if name == "keep" else of_sample).tolist()
        rows.append(row)
    return rows
