"""What stands in the place of a removed feature."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Baseline(nn.Module, ABC):
    """Values that removed elements of an input take.

    Attributes:
        from_training_data: Whether :meth:`fit` must be called before the first use.
        is_random: Whether the values differ from draw to draw.

    Shapes:
        - inputs: ``(B, *S)``
        - seeds: ``(B,)`` long, one for each sample
        - draws: ``(K,)`` long, numbers of the draws
        - output: broadcastable to ``(K, B, *S)``
    """

    from_training_data: bool = False
    is_random: bool = False

    @abstractmethod
    def replacements(
        self, inputs: Tensor, seeds: Tensor, draws: Tensor, where: Tensor | None = None
    ) -> Tensor:
        """Return the values for each draw; a baseline that is not random ignores seeds and draws.

        Args:
            inputs: Inputs, ``(B, *S)``.
            seeds: Seeds of the samples, ``(B,)``: a sample has the same one in every batch.
            draws: Numbers of the draws, ``(K,)``.
            where: Which elements belong to a feature, bool, broadcastable to ``(B, *S)``; None
                for all. Values that depend on other elements of the input look only at these, so
                that padding changes nothing; elsewhere they are not used.

        Returns:
            Values, broadcastable to ``(K, B, *S)``, in the inputs' type.
        """

    def fit(self, mean: Tensor) -> None:
        """Take the mean of the training inputs; a baseline that needs none ignores it.

        Args:
            mean: Mean of the training inputs, ``(*S)``.
        """
