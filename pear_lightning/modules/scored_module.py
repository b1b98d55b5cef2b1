"""Base class of modules that learn a score for each input feature."""

from abc import abstractmethod
from contextlib import suppress
from typing import Any

from torch import Tensor, nn

from pear_lightning.modules.supervised import SupervisedModule

_LOGGED = 100


class ScoredModule(SupervisedModule):
    """Base class of modules that train a model together with one score for each feature.

    Subclasses implement :meth:`training_loss` and :attr:`scores`. Task metrics are logged in
    validation and test. Up to 100 scores are logged as ``score/<feature>`` at the end of every
    training epoch; :class:`~pear_lightning.callbacks.ScoresLogger` records and plots any number.
    """

    @property
    @abstractmethod
    def scores(self) -> Tensor:
        """Importance of each feature, ``(n,)``, detached; larger is more important."""

    def effective_scores(self) -> Tensor | None:
        """Return scores ``(n,)`` that take the next layer into account; ``None`` if unknown."""
        return None

    def feature_names(self) -> list[str]:
        """Return one feature name per score: those of the datamodule, or numbered names.

        Numbered names are used if the datamodule has no names or a different number of them.
        """
        return self.names_of_data("feature_names")

    def names_of_data(self, attribute: str) -> list[str]:
        """Return one name per score: those of the datamodule, or numbered names.

        Numbered names are used if the datamodule has no names or a different number of them.

        Args:
            attribute: Attribute of the datamodule that holds the names.
        """
        count = len(self.scores)
        datamodule = None
        with suppress(RuntimeError):  # the module may have no trainer
            trainer: Any = self.trainer
            datamodule = trainer.datamodule
        names = getattr(datamodule, attribute, None)
        if names is not None and len(names) == count:
            return list(names)
        return [f"feature_{number}" for number in range(count)]

    def on_train_epoch_end(self) -> None:
        """Log the scores with the loggers directly; ``self.log`` takes longer than a step."""
        if not self.loggers or len(self.scores) > _LOGGED:
            return
        scores = zip(self.feature_names(), self.scores.tolist(), strict=True)
        metrics = {f"score/{name}": score for name, score in scores}
        for logger in self.loggers:
            logger.log_metrics(metrics, step=self.global_step)

    def predict_step(
        self, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> dict[str, Tensor]:
        """Return predictions, and the scores for every row.

        Args:
            batch: A batch in any form that :meth:`batch_of` reads; the target is not used.
            batch_idx: Index of the batch.
            dataloader_idx: Index of the data loader.

        Returns:
            ``logits`` ``(B, C)``, ``prediction`` (the class ``(B,)``, or the value for regression)
            and ``scores`` ``(B, n)``, the same for every row.
        """
        batch = self.batch_of(batch, labelled=False)
        logits = self.run_backbone(batch)
        scores = self.scores.expand(len(batch), -1)
        return {"logits": logits, "prediction": self.prediction(logits), "scores": scores}


def in_features_of(module: nn.Module) -> int:
    """Return the attribute ``in_features`` of a module.

    Args:
        module: A module.

    Raises:
        ValueError: If the module has no such attribute.
    """
    in_features = getattr(module, "in_features", None)
    if not isinstance(in_features, int):
        raise ValueError(
            f"backbone must have an attribute in_features, got {type(module).__name__} without it; "
            "give the number of features, as gate=ScoresActivation(30), or in_features=30 for "
            "DeepLasso"
        )
    return in_features
