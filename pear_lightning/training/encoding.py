"""Comparison of the encodings of the data that a module is trained on and evaluated on."""

from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_warn


class Encoding:
    """The encoding of the rows that a module was trained on, such as the statistics of a scaler.

    Data modules that fit an encoding name it in an attribute ``encoding_id``, as
    :class:`~pear_lightning.datamodules.TabularDataModule` does.

    Attributes:
        name: The name; ``None`` before training, or if the data module has no such attribute.
    """

    def __init__(self) -> None:
        self.name: str | None = None

    def note(self, trainer: Trainer) -> None:
        """Note the encoding of the trainer's data module.

        Args:
            trainer: A trainer that has set up its data.
        """
        self.name = _encoding_of(trainer)

    def check(self, trainer: Trainer) -> None:
        """Warn if the trainer's data module has another encoding.

        Args:
            trainer: A trainer that has set up its data.
        """
        if self.name is None or trainer.state.fn == "fit":
            return
        other = _encoding_of(trainer)
        if other is not None and other != self.name:
            rank_zero_warn(
                "the data module encodes its rows differently from that of the fit: its scaler was "
                "fitted to other rows, or it has other features. The results are not those of the "
                "trained model. Use the same data module, or give ckpt_path, from which the "
                "encoding is loaded"
            )


def _encoding_of(trainer: Trainer) -> str | None:
    datamodule: Any = trainer.datamodule  # type: ignore[attr-defined]
    name: str | None = getattr(datamodule, "encoding_id", None)
    return name
