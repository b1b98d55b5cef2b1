"""Base classes of explainers."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from pear_lightning.masking.baseline import Baseline
from pear_lightning.scoring.gradients import gradients_at
from pear_lightning.scoring.scorer import Scorer


class Explainer(nn.Module, ABC):
    """Base class of attribution methods for the explained scalar of a model.

    Explainers are run by :func:`~pear_lightning.explainers.explain`; subclasses implement
    :meth:`forward`. An explainer never holds the model. Its reference data (a baseline, background
    rows) are buffers, which are saved in checkpoints and moved with the module.

    Attributes:
        differentiable: Whether gradients flow from the attributions to the model's weights, so
            that a loss of the attributions can train the model.
        stochastic: Whether two calls on the same inputs may differ.

    Shapes:
        - inputs: ``(B, *S)``
        - target: ``(B,)``
        - attributions: ``(B, *S)``, signed, float32 or better
    """

    differentiable: bool = False
    stochastic: bool = False

    @property
    def takes_gradients(self) -> bool:
        """Whether the explainer takes gradients of the model with respect to its inputs.

        Training through one that does takes second derivatives, which some kernels do not have.
        """
        return True

    @property
    def needs_floating_inputs(self) -> bool:
        """Whether inputs must be floating point; integers such as token ids have no gradient."""
        return True

    @abstractmethod
    def forward(self, scorer: Scorer, inputs: Tensor) -> Tensor:
        """Return attributions, ``(B, *S)``.

        :func:`~pear_lightning.explainers.explain` calls this with checked inputs and with the model
        in eval mode.

        Args:
            scorer: Evaluates the explained scalar at query points.
            inputs: Inputs, ``(B, *S)``.
        """

    @property
    def uses_training_data(self) -> bool:
        """Whether reference data, such as the mean of a baseline, come from the training data."""
        return any(baseline.from_training_data for baseline in self._baselines())

    @property
    def awaits_training_data(self) -> bool:
        """Whether :meth:`fit_reference` must be called before the first explanation."""
        return self.uses_training_data and not self.state_dict()  # holds reference data only

    @property
    def uses_training_rows(self) -> bool:
        """Whether :meth:`fit_reference` uses rows, and not only the mean of the training data."""
        own = type(self).fit_reference is not Explainer.fit_reference
        return own and self.uses_training_data

    def fit_reference(self, mean: Tensor, rows: Tensor) -> None:
        """Take reference data from the training data; ignored by explainers that need none.

        Args:
            mean: Mean of the training inputs, ``(*S)``; kept by baselines that use it.
            rows: A sample of the training inputs, ``(N, *S)``.
        """
        for baseline in self._baselines():
            baseline.fit(mean)

    def _baselines(self) -> list[Baseline]:
        return [module for module in self.modules() if isinstance(module, Baseline)]


class Query(NamedTuple):
    """Query points of a gradient explainer, and the weights of the gradients there.

    Attributes:
        points: Query points, ``(K, B, *S)``. ``None`` stands for the inputs themselves, which all
            explainers share.
        weights: Weights of the gradients, broadcastable to ``(K, B, *S)``.
    """

    points: Tensor | None
    weights: Tensor | float = 1.0

    @property
    def is_unweighted(self) -> bool:
        """Whether all weights are 1, so that gradients need not be multiplied."""
        return isinstance(self.weights, float) and self.weights == 1.0


class GradientExplainer(Explainer):
    """Base class of explainers that are a weighted sum of gradients at query points.

    ``a = Σ_k w_k ⊙ ∇f(x_k)``. Subclasses implement :meth:`query`, which returns the points and the
    weights, and override :meth:`reduce` if a weighted sum is not enough.
    :func:`~pear_lightning.explainers.explain` gathers the points of several explainers and computes
    all gradients in one pass.
    """

    differentiable = True

    @abstractmethod
    def query(self, inputs: Tensor) -> Query:
        """Return the query points and their weights.

        Args:
            inputs: Inputs, ``(B, *S)``.
        """

    def reduce(self, gradients: Tensor, query: Query) -> Tensor:
        """Reduce the gradients at the query points to attributions, ``(B, *S)``.

        The result may be a view of the gradients.

        Args:
            gradients: Gradients at the query points, ``(K, B, *S)``.
            query: The return value of :meth:`query`.
        """
        weighted = gradients if query.is_unweighted else query.weights * gradients
        return weighted.squeeze(0) if len(weighted) == 1 else weighted.sum(dim=0)

    def forward(self, scorer: Scorer, inputs: Tensor) -> Tensor:
        """Return attributions, ``(B, *S)``, computed in a pass of this explainer alone.

        Args:
            scorer: Evaluates the explained scalar at query points.
            inputs: Inputs, ``(B, *S)``.
        """
        query = self.query(inputs)
        points = inputs[None] if query.points is None else query.points
        return self.reduce(gradients_at(scorer, points)[1], query)
