"""The sequence of models trained by find-another-explanation."""

import math
from typing import Any

from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from torch import Tensor, nn

from pear_lightning.modules.find_another_explanation.fresh_weights import Initializer, fresh_copy


class ModelSequence(nn.Module):
    """Trained models, initial weights of the following models, and the stopping rule.

    Args:
        backbone: The model in training; the first model of the sequence has its weights.
        max_models: Largest number of models.
        epochs_per_model: Epochs of training of each model.
        max_accuracy_drop: A model is not accepted if its accuracy is lower than that of the first
            model by more than this; ``None`` means by more than half of what the first model gains
            over always predicting the most frequent class.
        max_similarity: A model is not accepted if its similarity with a previous model exceeds
            this.
        initialize: Draws new weights for a module, in place; ``None`` calls ``reset_parameters`` of
            every layer.

    Attributes:
        models: Trained models, followed by the initial weights of the remaining models, so that
            these are the same on all ranks.
        round: Number of the model in training, from 0.
        finished: Whether that model is complete.
        accuracies: Accuracy of each complete model.
        similarities: Similarity of each complete model with the previous models.
        chance: Accuracy of always predicting the most frequent class, on the rows of
            ``accuracies``; NaN before the first model is complete.
        stop_reason: Reason why the last model was not accepted; ``None`` if it was.

    Raises:
        ValueError: If a value is out of range, or new weights cannot be drawn.
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        max_models: int,
        epochs_per_model: int,
        max_accuracy_drop: float | None,
        max_similarity: float,
        initialize: Initializer | None = None,
    ) -> None:
        super().__init__()
        for name, count in {"max_models": max_models, "epochs_per_model": epochs_per_model}.items():
            if count < 1 or count != int(count):
                raise ValueError(f"{name} must be an integer of at least 1, got {count}")
        shares = {"max_accuracy_drop": max_accuracy_drop, "max_similarity": max_similarity}
        for name, share in shares.items():
            if share is not None and not 0 <= share <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {share}")
        self.max_models = max_models
        self.epochs_per_model = epochs_per_model
        self.max_accuracy_drop = max_accuracy_drop
        self.max_similarity = max_similarity
        self.models = nn.ModuleList(fresh_copy(backbone, initialize) for _ in range(max_models))
        self.models.requires_grad_(False)
        self.models[0].load_state_dict(backbone.state_dict())
        self.round = 0
        self.finished = False
        self.accuracies: list[float] = []
        self.similarities: list[list[float]] = []
        self.chance = math.nan
        self.stop_reason: str | None = None

    @property
    def before(self) -> list[nn.Module]:
        """The models before the one in training."""
        return list(self.models)[: self.round]

    @property
    def trained(self) -> list[nn.Module]:
        """All complete models, in order."""
        return list(self.models)[: self.round + self.finished]

    @property
    def accepted(self) -> list[nn.Module]:
        """Complete models accepted as new explanations; the first model is always accepted."""
        refused = self.stop_reason is not None and len(self.trained) > 1
        return self.trained[:-1] if refused else self.trained

    @property
    def is_complete(self) -> bool:
        """Whether all models are trained, or the stopping rule ended the sequence."""
        last = self.finished and self.round + 1 == self.max_models
        return last or self.stop_reason is not None

    def is_last_epoch(self, epoch: int) -> bool:
        """Return whether an epoch is the last epoch of the model in training.

        Args:
            epoch: Number of the epoch, from 0.
        """
        return epoch + 1 >= (self.round + 1) * self.epochs_per_model

    @property
    def n_epochs(self) -> int:
        """Number of epochs for all models together."""
        return self.max_models * self.epochs_per_model

    def finish(
        self, weights: dict[str, Tensor], accuracy: float, similarities: list[float], chance: float
    ) -> None:
        """Store the model in training as complete.

        Args:
            weights: State of the model.
            accuracy: Accuracy of the model.
            similarities: Similarity of the model with each previous model.
            chance: Share of the most frequent class, on the rows of ``accuracy``.
        """
        self.models[self.round].load_state_dict(weights)
        self.finished = True
        self.accuracies.append(accuracy)
        self.similarities.append(similarities)
        if len(self.accuracies) == 1:
            self.chance = chance

    def begin_next(self) -> nn.Module:
        """Move on to the next model.

        Returns:
            The next model with its initial weights.
        """
        self.round, self.finished = self.round + 1, False
        return self.models[self.round]

    @property
    def least_accuracy(self) -> float:
        """The accuracy below which a model is not accepted, once the first model is complete."""
        first = self.accuracies[0]
        if self.max_accuracy_drop is not None:
            return first - self.max_accuracy_drop
        return first - max(first - self.chance, 0.0) / 2

    def refusal(self, number: int) -> str | None:
        """Return the reason why a model is not accepted, which ends the sequence.

        Args:
            number: Number of a complete model, from 0.

        Returns:
            The reason as a sentence; ``None`` if the model is accepted.
        """
        name, accuracy, first = f"model {number + 1}", self.accuracies[number], self.accuracies[0]
        if accuracy < self.least_accuracy:
            limit = f"the limit is {self.least_accuracy:.3f}, from max_accuracy_drop="
            if self.max_accuracy_drop is not None:
                limit += f"{self.max_accuracy_drop:g}"
            else:
                limit += f"None: halfway to {self.chance:.3f}, the share of the most frequent class"
            return (
                f"accuracy of {name} dropped to {accuracy:.3f}, from {first:.3f} of the first "
                f"({limit}); a smaller weight, or more epochs_per_model or a larger learning rate, "
                "may help"
            )
        for other, value in enumerate(self.similarities[number], start=1):
            if value > self.max_similarity:
                return (
                    f"{name} looks where model {other} did: their similarity is {value:.3f} (the "
                    f"limit is max_similarity={self.max_similarity:.3f}); a larger weight, or more "
                    "epochs_per_model, may help"
                )
        return None

    def report(self, *, predictor: int | None, disagreement: float, rows: str) -> None:
        """Say whether the completed model is accepted and why; at the end, which models predict.

        Args:
            predictor: Number of the model that predicts, from 1; ``None`` is the ensemble.
            disagreement: Share of the rows for which accepted models predict different classes.
            rows: Name of these rows.
        """
        if self.stop_reason is None:
            similarities = self.similarities[-1]
            compared = (
                f", similarity with previous models at most {max(similarities):.3f} (limit "
                f"max_similarity={self.max_similarity:.3f})"
                if similarities
                else ""
            )
            rank_zero_info(
                f"FindAnotherExplanation: model {self.round + 1} of {self.max_models} is accepted; "
                f"accuracy {self.accuracies[-1]:.3f} (at least {self.least_accuracy:.3f} is "
                f"accepted){compared}"
            )
            ends = "FindAnotherExplanation ends: all models are trained"
        else:
            ends = f"FindAnotherExplanation ends: {self.stop_reason}"
        if self.is_complete and len(self.accepted) > 1:
            rank_zero_info(
                f"{ends}. {len(self.accepted)} models are accepted, which predict different "
                f"classes for {disagreement:.3f} of the {rows} rows. {self._predicting(predictor)}"
            )
        elif self.stop_reason is not None and self.round:
            rank_zero_warn(
                f"{ends}. No other explanation was accepted: predictions are those of model 1 "
                f"alone; model {self.round + 1} is kept in trained"
            )

    def _predicting(self, predictor: int | None) -> str:
        """Say which of several accepted models predict."""
        if predictor is None:
            return (
                "Predictions and test_accuracy are those of their ensemble, which can hide the "
                "model to trust (test_accuracy_of_model_1 and so on are those of each): "
                "predictor=<number>, an argument and attribute of the module, uses one of them"
            )
        if predictor > len(self.accepted):
            return (
                f"None of them has the number predictor={predictor}, so there are no predictions: "
                f"set it to a number from 1 to {len(self.accepted)}, or to None for their ensemble"
            )
        return f"Predictions and test_accuracy are those of model {predictor} (predictor)"

    def get_extra_state(self) -> dict[str, Any]:
        """Return the state that checkpoints hold in addition to the weights, as plain values."""
        return {
            "round": self.round,
            "finished": self.finished,
            "accuracies": self.accuracies,
            "similarities": self.similarities,
            "chance": self.chance,
            "stop_reason": self.stop_reason,
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore the state of a checkpoint.

        Args:
            state: Return value of :meth:`get_extra_state`.
        """
        self.round, self.finished = int(state["round"]), bool(state["finished"])
        self.accuracies = list(state["accuracies"])
        self.similarities = [list(each) for each in state["similarities"]]
        self.chance = float(state["chance"])
        self.stop_reason = state["stop_reason"]
