"""What modules that score their input features share."""

from abc import abstractmethod
from contextlib import suppress
from typing import Any

from torch import Tensor, nn

from pear_lightning.modules.supervised import SupervisedModule

_LOGGED = 100


class ScoredModule(SupervisedModule):
    """A model that is trained together with one score for each feature.

    Subclasses implement :meth:`training_loss` and :attr:`scores`. Task metrics are logged in
    validation and test; the scores go to the loggers at the end of every training epoch, as
    ``score/<feature>``, where there are at most 100
    (:class:`~pear_lightning.callbacks.ScoresLogger` keeps and draws any number).
    """

    @property
    @abstractmethod
    def scores(self) -> Tensor:
        """Importance of each feature, ``(n,)``, detached; larger is more important."""

    def effective_scores(self) -> Tensor | None:
        """Return scores that take the next layer into account, ``(n,)``; ``None`` if unknown."""
        return None

    def feature_names(self) -> list[str]:
        """Return the datamodule's names of the features where they fit, else numbered ones.

        Returns:
            One name for each score.
        """
        return self.names_of_data("feature_names")

    def names_of_data(self, attribute: str) -> list[str]:
        """Return names that the datamodule has, if there are as many as scores, or numbered ones.

        Args:
            attribute: Where the datamodule has them.

        Returns:
            One name for each score.
        """
        count = len(self.scores)
        datamodule = None
        with suppress(RuntimeError):  # there is no trainer yet
            trainer: Any = self.trainer
            datamodule = trainer.datamodule
        names = getattr(datamodule, attribute, None)
        if names is not None and len(names) == count:
            return list(names)
        return [f"feature_{number}" for number in range(count)]

    def on_train_epoch_end(self) -> None:
        """Log the scores, by the loggers themselves: ``self.log`` would cost more than a step."""
        if not self.loggers or len(self.scores) > _LOGGED:
            return
        scores = zip(self.feature_names(), self.scores.tolist(), strict=True)
        metrics = {f"score/{name}": score for name, score in scores}
        for logger in self.loggers:
            logger.log_metrics(metrics, step=self.global_step)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Log the task loss and metrics.

        Args:
            batch: What :meth:`batch_of` reads.
            batch_idx: Index of the batch.
        """
        batch = self.batch_of(batch)
        self.log_task("val", batch, self.run_backbone(batch))

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """Log the task loss and metrics.

        Args:
            batch: What :meth:`batch_of` reads.
            batch_idx: Index of the batch.
        """
        batch = self.batch_of(batch)
        self.log_task("test", batch, self.run_backbone(batch))

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Predict, and return the scores with every prediction.

        Args:
            batch: What :meth:`batch_of` reads; the target is not looked at.
            batch_idx: Index of the batch.

        Returns:
            ``logits`` ``(B, C)``, ``prediction`` (the class ``(B,)``, or the value for regression)
            and ``scores`` ``(B, n)``, the same for every row.
        """
        batch = self.batch_of(batch, labelled=False)
        logits = self.run_backbone(batch)
        scores = self.scores.expand(len(batch), -1)
        return {"logits": logits, "prediction": self.prediction(logits), "scores": scores}


def in_features_of(module: nn.Module) -> int:
    """Return how many features a module says that it takes.

    Args:
        module: A module.

    Returns:
        Its ``in_features``.

    Raises:
        ValueError: If it has none.
    """
    in_features = getattr(module, "in_features", None)
    if not isinstance(in_features, int):
        raise ValueError(
            f"{type(module).__name__} has no in_features, so the number of features must be said: "
            "gate=ScoresActivation(30), or in_features=30 for DeepLasso"
        )
    return in_features
