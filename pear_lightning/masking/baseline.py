"""Base class of baselines."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from pear_lightning.functional.rebuilding import Rebuildable


class Baseline(Rebuildable, nn.Module, ABC):
    """Base class of the values that removed elements of an input take.

    Attributes:
        from_training_data: Whether :meth:`fit` must be called before the first use.
        is_random: Whether the values differ between draws.

    Shapes:
        - inputs: ``(B, *S)``
        - seeds: ``(B,)`` long, one for each sample
        - draws: ``(K,)`` long, indices of the draws
        - output: broadcastable to ``(K, B, *S)``
    """

    from_training_data: bool = False
    is_random: bool = False

    @abstractmethod
    def replacements(
        self, inputs: Tensor, seeds: Tensor, draws: Tensor, where: Tensor | None = None
    ) -> Tensor:
        """Return the values for each draw; baselines that are not random ignore seeds and draws.

        Args:
            inputs: Inputs, ``(B, *S)``.
            seeds: Seeds of the samples, ``(B,)``; a sample has the same seed in every batch.
            draws: Indices of the draws, ``(K,)``.
            where: Which elements belong to a feature, bool, broadcastable to ``(B, *S)``; ``None``
                means all. Values that depend on other elements of the input use these elements
                only, so that padding has no effect; values at other elements are not used.

        Returns:
            Values, broadcastable to ``(K, B, *S)``, in the dtype of the inputs.
        """

    def fit(self, mean: Tensor) -> None:
        """Take the mean of the training inputs; ignored by baselines that do not need it.

        Args:
            mean: Mean of the training inputs, ``(*S)``.
        """
