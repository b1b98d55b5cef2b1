"""The sequence of models that find-another-explanation trains."""

from typing import Any

from torch import Tensor, nn

from pear_lightning.modules.find_another_explanation.fresh_weights import Initializer, fresh_copy


class ModelSequence(nn.Module):
    """Trained models, the weights of those to come, and the rule that ends the sequence.

    Args:
        backbone: The model in training; the first of the sequence has its weights.
        max_models: Number of models at most.
        epochs_per_model: Epochs of training of each model.
        max_accuracy_drop: A model is not accepted if its accuracy lies more than this below the
            first one's.
        max_similarity: Nor if its similarity with a model before it exceeds this.
        initialize: Draws the weights of a module anew, in place; ``None`` calls
            ``reset_parameters`` of every layer.

    Attributes:
        models: Trained models, and the first weights of those to come, so that all ranks have the
            same.
        round: Number of the model in training, from 0.
        finished: Whether that model is complete.
        accuracies: Accuracy of each complete model.
        similarities: Similarity of each complete model with those before it.
        stop_reason: Why the last model was not accepted; ``None`` if it was.

    Raises:
        ValueError: If a value is out of range, or weights cannot be drawn anew.
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        max_models: int,
        epochs_per_model: int,
        max_accuracy_drop: float,
        max_similarity: float,
        initialize: Initializer | None = None,
    ) -> None:
        super().__init__()
        for name, count in {"max_models": max_models, "epochs_per_model": epochs_per_model}.items():
            if count < 1 or count != int(count):
                raise ValueError(f"{name} must be a whole number of at least 1, got {count}")
        shares = {"max_accuracy_drop": max_accuracy_drop, "max_similarity": max_similarity}
        for name, share in shares.items():
            if not 0 <= share <= 1:
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
        """Complete models that were accepted as new explanations; the first one always is."""
        refused = self.stop_reason is not None and len(self.trained) > 1
        return self.trained[:-1] if refused else self.trained

    @property
    def is_complete(self) -> bool:
        """Whether all models are trained, or the rule ended the sequence."""
        last = self.finished and self.round + 1 == self.max_models
        return last or self.stop_reason is not None

    def is_last_epoch(self, epoch: int) -> bool:
        """Return whether an epoch is the last one of the model in training.

        Args:
            epoch: Number of the epoch, from 0.
        """
        return epoch + 1 >= (self.round + 1) * self.epochs_per_model

    @property
    def n_epochs(self) -> int:
        """Epochs that all models take together."""
        return self.max_models * self.epochs_per_model

    def finish(
        self, weights: dict[str, Tensor], accuracy: float, similarities: list[float]
    ) -> None:
        """Keep the model in training.

        Args:
            weights: Its state.
            accuracy: Its accuracy.
            similarities: Its similarity with each model before it.
        """
        self.models[self.round].load_state_dict(weights)
        self.finished = True
        self.accuracies.append(accuracy)
        self.similarities.append(similarities)

    def begin_next(self) -> nn.Module:
        """Go on to the next model.

        Returns:
            A model with its first weights.
        """
        self.round, self.finished = self.round + 1, False
        return self.models[self.round]

    def refusal(self, number: int) -> str | None:
        """Say why a model is not accepted, which ends the sequence.

        Args:
            number: Number of a complete model, from 0.

        Returns:
            A sentence, or ``None`` for a model that is accepted.
        """
        name, accuracy, first = f"model {number + 1}", self.accuracies[number], self.accuracies[0]
        if accuracy < first - self.max_accuracy_drop:
            return f"accuracy of {name} dropped to {accuracy:.3f}, from {first:.3f} of the first"
        for other, value in enumerate(self.similarities[number], start=1):
            if value > self.max_similarity:
                return (
                    f"{name} looks where model {other} did: their similarity is {value:.2f}; "
                    "a larger weight may help"
                )
        return None

    def get_extra_state(self) -> dict[str, Any]:
        """Return what a checkpoint holds besides the weights, as plain values."""
        return {
            "round": self.round,
            "finished": self.finished,
            "accuracies": self.accuracies,
            "similarities": self.similarities,
            "stop_reason": self.stop_reason,
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take the state of a checkpoint.

        Args:
            state: What :meth:`get_extra_state` returned.
        """
        self.round, self.finished = int(state["round"]), bool(state["finished"])
        self.accuracies = list(state["accuracies"])
        self.similarities = [list(each) for each in state["similarities"]]
        self.stop_reason = state["stop_reason"]
