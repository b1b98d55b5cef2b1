"""Samples of any data, next to explanations that a learned explainer can imitate."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, default_collate
from typing_extensions import override

from pear_lightning.datamodules.epoch_shuffle import EpochShuffle
from pear_lightning.datamodules.resumable_loader import ResumableLoader
from pear_lightning.datamodules.supervised_pairs import Collate, SupervisedPairs, fetch
from pear_lightning.datamodules.table_dataset import as_batch
from pear_lightning.datamodules.unfinished_samples import UnfinishedSamples
from pear_lightning.functional.validation import check_count
from pear_lightning.training.supervision_report import SupervisionReport
from pear_lightning.training.supervision_store import SupervisionStore


def _of_data(name: str) -> Any:
    """Return a property that is an attribute of ``data``, or ``None`` if it has none."""
    return property(lambda module: getattr(module.data, name, None))


class SupervisionDataModule(LightningDataModule):
    """The training samples of any data, next to explanations of them.

    First, ``trainer.predict`` with :class:`~pear_lightning.modules.PriorExplanations` and a
    :class:`~pear_lightning.callbacks.SupervisionWriter` explains the samples that are not explained
    yet; then, ``trainer.fit`` trains :class:`~pear_lightning.modules.DeepFaith` with them. The id
    of a sample is its position in the data set, and a fingerprint of its inputs shows if the data
    have changed since. The encoding, names and tokenizer of a data module are its own.

    Args:
        data: A data module, whose training data set is explained, or a map-style data set. Batches
            have any form that :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads.
        folder: Folder of the explanations.
        batch_size: Number of pairs in a batch of training, and of samples in a batch that is
            explained.
        val_fraction: Share of the samples for validation, chosen at random. With 0, the validation
            data of ``data`` are used, which have no explanations.
        n_samples: Number of samples that are explained and used, chosen at random; ``None`` for
            all.
        with_removals: Whether batches have the stored evaluations of the explained model, if there
            are any.
        seed: Seed of both choices.
        num_workers: Number of worker processes of each loader.

    Raises:
        TypeError: If ``data`` is neither, or its training loader has no map-style data set.
        ValueError: If a number is out of range; when loaded, if explanations are damaged or of
            other samples.
        FileNotFoundError: If there are no explanations in training.

    Shapes:
        - training batch: a mapping with the parts of the samples, ``inputs`` ``(B, *S)``,
          ``supervision`` ``(B, n)``, ``supervision_target`` ``(B,)``, the class that it explains,
          and optionally ``removals``. A sample occurs once for each of its explanations.
        - predict batch: as the training batches of ``data``

    Example:
        >>> import tempfile
        >>> from lightning.pytorch import Trainer
        >>> from pear_lightning.callbacks import SupervisionWriter
        >>> from pear_lightning.masking import ColumnMasker
        >>> from pear_lightning.modules import DeepFaith, PriorExplanations
        >>> from pear_lightning.nn import MLP, ExplainerMLP
        >>> folder = tempfile.TemporaryDirectory()
        >>> f, rows = MLP(5), torch.rand(40, 5)
        >>> data = SupervisionDataModule(rows, folder.name, batch_size=16)
        >>> quiet = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False}
        >>> trainer = Trainer(callbacks=[SupervisionWriter(folder.name)], **quiet)
        >>> trainer.predict(PriorExplanations(f, ColumnMasker(5), "model_free"), data)
        >>> trainer = Trainer(max_epochs=1, enable_checkpointing=False, enable_model_summary=False,
        ...                   **quiet)
        >>> trainer.fit(DeepFaith(f, ExplainerMLP(5), ColumnMasker(5), alpha=0.5), data)
        >>> next(iter(data.train_dataloader()))["supervision"].shape
        torch.Size([16, 5])
        >>> folder.cleanup()
    """

    encoding_id = _of_data("encoding_id")
    class_names = _of_data("class_names")
    feature_names = _of_data("feature_names")
    group_names = _of_data("group_names")
    tokenizer = _of_data("tokenizer")

    def __init__(
        self,
        data: LightningDataModule | Dataset[Any] | Any,
        folder: str,
        *,
        batch_size: int = 32,
        val_fraction: float = 0.2,
        n_samples: int | None = None,
        with_removals: bool = True,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__()
        if not isinstance(data, LightningDataModule) and not _is_map_style(data):
            raise TypeError(
                "data must be a LightningDataModule or a map-style data set, got "
                f"{type(data).__name__}"
            )
        check_count("batch_size", batch_size)
        if n_samples is not None:
            check_count("n_samples", n_samples)
        if not 0 <= val_fraction < 1:
            raise ValueError(f"val_fraction must lie in [0, 1), got {val_fraction}")
        self.data = data
        self.folder = str(folder)
        self.batch_size = batch_size
        self.val_fraction = val_fraction
        self.n_samples = n_samples
        self.with_removals = with_removals
        self.seed = seed
        self.num_workers = num_workers
        self.store = SupervisionStore(self.folder)
        # a run that continues another may have work left for some of the processes only
        self.allow_zero_length_dataloader_with_multiple_devices = True
        self._samples: Any = None
        self._is_stale = False
        self._collate: Collate = default_collate

    # --- samples ------------------------------------------------------------------------------

    @override
    def prepare_data(self) -> None:
        if isinstance(self.data, LightningDataModule):
            self.data.prepare_data()

    @override
    def setup(self, stage: str | None = None) -> None:
        if not isinstance(self.data, LightningDataModule):
            self._samples = self.data
            return
        self.data.trainer = trainer = self.trainer
        limit = None if trainer is None else trainer.limit_val_batches
        self.data.setup("fit")
        if trainer is not None and limit is not None and self.val_fraction:
            trainer.limit_val_batches = limit  # the samples held out here are for validation
        if stage not in (None, "fit", "predict"):
            self.data.setup(stage)
        self._read_samples()

    def _read_samples(self) -> None:
        """Take the training samples of the data module, if that has not been done."""
        if self._samples is None and isinstance(self.data, LightningDataModule):
            with torch.random.fork_rng():
                loader = self.data.train_dataloader()
            if not isinstance(loader, DataLoader) or not _is_map_style(loader.dataset):
                raise TypeError(
                    "data must have a training DataLoader with a map-style data set, got "
                    f"{type(getattr(loader, 'dataset', loader)).__name__}; give a data set"
                )
            self._samples, self._collate = loader.dataset, loader.collate_fn

    @override
    def teardown(self, stage: str | None = None) -> None:
        """Let the data undo what they changed in :meth:`setup`."""
        if isinstance(self.data, LightningDataModule):
            self.data.teardown("fit")
            if stage not in (None, "fit", "predict"):
                self.data.teardown(stage)

    # --- checkpoints ---------------------------------------------------------------------------

    @override
    def state_dict(self) -> dict[str, Any]:
        """Return the state of ``data``, such as the encoding of a table."""
        state = self.data.state_dict() if isinstance(self.data, LightningDataModule) else {}
        return {"data": state} if state else {}

    @override
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Give ``data`` its state, and read the samples again.

        Args:
            state_dict: A result of :meth:`state_dict`.
        """
        if isinstance(self.data, LightningDataModule) and "data" in state_dict:
            self.data.load_state_dict(state_dict["data"])
            self._samples, self._is_stale = None, True

    def _chosen(self) -> tuple[list[int], set[int]]:
        """Return the samples that are explained, in order, and those for validation."""
        if self._is_stale:
            self._read_samples()
            self._is_stale = False
        if self._samples is None:
            raise RuntimeError("samples must be loaded before use, got none; call setup() first")
        order = torch.randperm(
            len(self._samples), generator=torch.Generator().manual_seed(self.seed)
        ).tolist()
        chosen = order[: self.n_samples]
        return sorted(chosen), set(chosen[: round(self.val_fraction * len(chosen))])

    def sample_loader(self) -> DataLoader[Any]:
        """Return a loader of the training samples alone, in order.

        An explained model that is not fitted yet is fitted to them.
        """
        _ = self._chosen()
        return DataLoader(self._samples, batch_size=self.batch_size, collate_fn=self._collate)

    @property
    def training_mean(self) -> Tensor:
        """Mean of the inputs of the training samples, ``(*S)``."""
        if hasattr(self.data, "training_mean"):
            found: Tensor = self.data.training_mean
            return found
        total, count = torch.zeros(()), 0
        for batch in self.sample_loader():
            inputs = _values(fetch([batch], _first, [0]).inputs)
            total = total + inputs.double().sum(dim=0)
            count += len(inputs)
        return (total / count).float()

    def training_rows(self, n: int, seed: int = 0) -> Tensor:
        """Draw up to ``n`` different training samples, as background data.

        Args:
            n: Number of samples.
            seed: Seed of the draw.

        Returns:
            ``(min(n, N), *S)``.
        """
        if hasattr(self.data, "training_rows"):
            found: Tensor = self.data.training_rows(n, seed)
            return found
        check_count("n", n)
        _ = self._chosen()
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(self._samples), generator=generator).tolist()
        return _values(fetch(self._samples, self._collate, order[:n]).inputs)

    # --- explanations -------------------------------------------------------------------------

    @property
    def report(self) -> SupervisionReport:
        """Counts of the explanations in the folder, and the cost of all runs that made them."""
        return self.store.report()

    @property
    def supervision_settings(self) -> dict[str, Any] | None:
        """Settings of the run that made the explanations; ``None`` if there are none yet."""
        return self.store.settings()

    def _pairs(self, *, validation: bool) -> SupervisedPairs:
        rows = self.store.read()
        chosen, held_out = self._chosen()
        wanted = held_out if validation else set(chosen) - held_out
        numbers = [number for number, each in enumerate(rows["id"]) if each in wanted]
        return SupervisedPairs(
            self._samples,
            self._collate,
            rows,
            numbers,
            with_removals=self.with_removals and "keep" in rows.column_names,
        )

    @override
    def train_dataloader(self) -> DataLoader[Any]:
        pairs = self._pairs(validation=False)
        return self._loader(pairs, sampler=EpochShuffle(pairs), collate=as_batch)

    @override
    def val_dataloader(self) -> Any:
        if self.val_fraction:
            return self._loader(self._pairs(validation=True), collate=as_batch)
        return self.data.val_dataloader() if isinstance(self.data, LightningDataModule) else []

    @override
    def test_dataloader(self) -> Any:
        return self.data.test_dataloader() if isinstance(self.data, LightningDataModule) else []

    @override
    def predict_dataloader(self) -> DataLoader[Any]:
        """Return the samples without explanations, each process its own."""
        chosen, _ = self._chosen()
        trainer = self.trainer
        remaining = UnfinishedSamples(
            self._samples,
            chosen,
            self.store.finished(),
            self.batch_size,
            num_replicas=1 if trainer is None else trainer.world_size,
            rank=0 if trainer is None else trainer.global_rank,
        )
        collate = partial(_without_ids, self._collate)
        return self._loader(self._samples, sampler=remaining, collate=collate)

    def _loader(self, rows: Any, *, collate: Collate, sampler: Any = None) -> DataLoader[Any]:
        return ResumableLoader(
            rows,
            batch_size=self.batch_size,
            sampler=sampler,
            collate_fn=collate,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
        )


def _is_map_style(data: Any) -> bool:
    has_rows = hasattr(data, "__getitem__") and hasattr(data, "__len__")
    return has_rows and not isinstance(data, IterableDataset | str)


def _first(batches: list[Any]) -> Any:
    return batches[0]


def _values(inputs: Tensor) -> Tensor:
    if inputs.is_floating_point():
        return inputs
    raise TypeError(
        "inputs must be floating point to be reference data of an explainer, got token ids, "
        f"{inputs.dtype}; use explainers with a given baseline, such as "
        "IntegratedGradients(baseline='zeros'), and none with background='train'"
    )


def _without_ids(collate: Collate, samples: Any) -> Any:
    """Return a batch without numbers of its own: explanations are stored by position."""
    batch = collate(samples)
    if isinstance(batch, Mapping) and "ids" in batch:
        return {name: value for name, value in batch.items() if name != "ids"}
    return batch
