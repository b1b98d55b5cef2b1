"""A callback that writes predictions and their explanations to disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import Tensor
from typing_extensions import override


class PredictionWriter(BasePredictionWriter):
    """Save the results of ``predict``, including attributions.

    Each rank writes a file ``predictions-rank<r>.pt``, which holds the results of the module's
    ``predict_step``, with the batches concatenated, and under ``"indices"`` the positions of the
    rows in the data set (if Lightning knows them). Read the file with :func:`torch.load`.

    Args:
        output_dir: Folder for the files; it is created if it does not exist.

    Example:
        >>> import tempfile
        >>> from lightning.pytorch import Trainer
        >>> from pear_lightning.datamodules import BreastCancer
        >>> from pear_lightning.explainers import Gradient, InputXGradient
        >>> from pear_lightning.modules import PEAR
        >>> from pear_lightning.nn import MLP
        >>> model = PEAR(MLP(30), explainers={"grad": Gradient(), "product": InputXGradient()})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False,
        ...                       callbacks=[PredictionWriter(folder)])
        ...     _ = trainer.predict(model, BreastCancer())
        ...     saved = torch.load(f"{folder}/predictions-rank0.pt")
        >>> saved["attributions"]["grad"].shape
        torch.Size([143, 30])
    """

    def __init__(self, output_dir: str) -> None:
        super().__init__(write_interval="epoch")
        self.output_dir = str(output_dir)

    @override
    def write_on_epoch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        predictions: Sequence[Any],
        batch_indices: Sequence[Any],
    ) -> None:
        """Write the predictions of this rank.

        Args:
            trainer: The trainer.
            pl_module: The module that predicted.
            predictions: Results of ``predict_step``, one per batch.
            batch_indices: Indices of the rows of each batch, for each dataloader.

        Raises:
            ValueError: If there are several dataloaders, or a result is neither a tensor nor a
                mapping of tensors.
        """
        if len(batch_indices) > 1:
            raise ValueError(
                f"dataloaders must be a single one for PredictionWriter, got {len(batch_indices)}; "
                "run predict once for each"
            )
        contents = _concatenate(predictions)
        if not isinstance(contents, dict):
            contents = {"prediction": contents}
        rows = [row for batch in (batch_indices or [[]])[0] for row in batch or ()]
        contents["indices"] = torch.tensor(rows, dtype=torch.long)
        folder = Path(self.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(contents, folder / f"predictions-rank{trainer.global_rank}.pt")


def _concatenate(batches: Sequence[Any]) -> Any:
    """Concatenate tensors, or mappings of tensors, along their first dimension."""
    first = batches[0]
    if isinstance(first, Tensor):
        return torch.cat([batch.cpu() for batch in batches])
    if isinstance(first, Mapping):
        return {name: _concatenate([batch[name] for batch in batches]) for name in first}
    raise ValueError(
        "predict_step must return a tensor or a mapping of tensors for PredictionWriter, "
        f"got {type(first).__name__}"
    )
