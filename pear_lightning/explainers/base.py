"""What an explainer is."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from pear_lightning.masking.baseline import Baseline
from pear_lightning.scoring.gradients import gradients_at
from pear_lightning.scoring.scorer import Scorer


class Explainer(nn.Module, ABC):
    """Turns the explained scalar of a model and a batch of inputs into attributions.

    Explainers are run by :func:`~pear_lightning.explainers.explain`; subclasses implement
    :meth:`forward`. An explainer never holds the model; it may hold reference data (a baseline,
    background rows) as buffers, which then live in checkpoints and follow the device.

    Attributes:
        differentiable: Whether the attributions carry gradients to the model's weights, so that
            a loss of them can train the model.
        stochastic: Whether two calls on the same inputs may differ.

    Shapes:
        - inputs: ``(B, *S)``
        - target: ``(B,)``
        - attributions: ``(B, *S)``, signed, float32 or better
    """

    differentiable: bool = False
    stochastic: bool = False

    @property
    def needs_floating_inputs(self) -> bool:
        """Whether integer inputs, such as token ids, cannot be explained: they have no gradient."""
        return True

    @abstractmethod
    def forward(self, scorer: Scorer, inputs: Tensor) -> Tensor:
        """Return attributions of checked inputs, with the model in eval mode.

        Args:
            scorer: The explained scalar at any query points.
            inputs: Inputs, ``(B, *S)``.

        Returns:
            Attributions, ``(B, *S)``.
        """

    @property
    def uses_training_data(self) -> bool:
        """Whether reference data are to come from the training split, such as a baseline's mean."""
        return any(baseline.from_training_data for baseline in self._baselines())

    @property
    def awaits_training_data(self) -> bool:
        """Whether :meth:`fit_reference` must be called before the first explanation."""
        return self.uses_training_data and not self.state_dict()  # its only state

    def fit_reference(self, mean: Tensor, rows: Tensor) -> None:
        """Take reference data from the training split; an explainer that needs none ignores it.

        Args:
            mean: Mean of the training inputs, ``(*S)``; baselines that asked for it keep it.
            rows: A sample of the training inputs, ``(N, *S)``.
        """
        for baseline in self._baselines():
            baseline.fit(mean)

    def _baselines(self) -> list[Baseline]:
        return [module for module in self.modules() if isinstance(module, Baseline)]


class Query(NamedTuple):
    """Where a gradient explainer asks for gradients, and what it keeps to reduce them.

    Attributes:
        points: Query points ``(K, B, *S)``, or ``None`` for the inputs themselves, which all
            explainers share.
        weights: Weights of the gradients, broadcastable to ``(K, B, *S)``.
    """

    points: Tensor | None
    weights: Tensor | float = 1.0


class GradientExplainer(Explainer):
    """An explainer that is a weighted sum of gradients at a set of query points.

    ``a = Σ_k w_k ⊙ ∇f(x_k)``: a subclass says the points and the weights (:meth:`query`), and
    where a weighted sum is not enough also the reduction (:meth:`reduce`).
    :func:`~pear_lightning.explainers.explain` gathers the points of several explainers and
    takes all gradients in one pass.
    """

    differentiable = True

    @abstractmethod
    def query(self, inputs: Tensor) -> Query:
        """Return the query points and their weights.

        Args:
            inputs: Inputs, ``(B, *S)``.

        Returns:
            The query.
        """

    def reduce(self, gradients: Tensor, query: Query) -> Tensor:
        """Reduce the gradients at the query points to attributions.

        Args:
            gradients: Gradients at the query points, ``(K, B, *S)``.
            query: What :meth:`query` returned.

        Returns:
            Attributions, ``(B, *S)``.
        """
        weighted = query.weights * gradients
        return weighted.squeeze(0) if len(weighted) == 1 else weighted.sum(dim=0)

    def forward(self, scorer: Scorer, inputs: Tensor) -> Tensor:
        """Return attributions of checked inputs, by a pass of this explainer alone.

        Args:
            scorer: The explained scalar at any query points.
            inputs: Inputs, ``(B, *S)``.

        Returns:
            Attributions, ``(B, *S)``.
        """
        query = self.query(inputs)
        points = inputs[None] if query.points is None else query.points
        return self.reduce(gradients_at(scorer, points)[1], query)
