"""L2X: a network that selects the features from which a prediction can be guessed."""

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from pear_lightning.functional.concrete import gumbel_softmax
from pear_lightning.functional.hashed_random import derived_seeds, hashed_uniform
from pear_lightning.functional.prediction_divergence import prediction_divergence
from pear_lightning.functional.validation import check_count, check_number
from pear_lightning.masking import Masker
from pear_lightning.modules.amortized import AmortizedModule, ExplainerBatch
from pear_lightning.modules.base import adamw
from pear_lightning.scoring.embedding import embedded_features
from pear_lightning.scoring.masked_logits import masked_logits


class L2X(AmortizedModule):
    r"""Train a network to select k features that tell most about the prediction of a model.

    .. math:: \min_{φ, q} \; E_x \; KL\left( f(x) \,\|\, q(x_V) \right), \qquad
              V_i = \max_{j \le k} y_{ij}, \qquad y_j \sim \operatorname{GumbelSoftmax}(φ(x), τ)

    The predictor q is trained together with the selection and sees only the selected features; the
    loss bounds the mutual information of these features and the prediction. f is evaluated once for
    each sample, and not with features removed. Because φ and q are trained together, the selection
    itself can tell q the class; :class:`~pear_lightning.modules.RealX` avoids this, and
    :class:`~pear_lightning.modules.EvalX` measures it.

    Args:
        target_model: The explained model f; see :class:`~pear_lightning.modules.AmortizedModule`.
        network: The explainer network; its scores are the logits of the selection.
        masker: Defines the features and their values when removed.
        predictor: q; maps inputs with features removed to logits ``(N, C)``. For token ids, it
            needs a method ``embed``, as :class:`~pear_lightning.nn.TransformerTextClassifier` has.
        n_selected: k, the number of selected features.
        temperature: τ > 0.
        side: See :class:`~pear_lightning.modules.AmortizedModule`.
        zero_rule: See there; features that equal the baseline are not selected, and a score of 0
            means nothing special.
        optimizer: Callable from parameters to an optimiser.
        lr_scheduler: Callable from the optimiser to a scheduler.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If a number is out of range; in training, if f and q have different numbers of
            outputs.

    Shapes:
        - batch: inputs ``(B, *S)``
        - saliency: ``(B, n)``

    Example:
        >>> from pear_lightning.masking import ColumnMasker
        >>> from pear_lightning.nn import MLP, ExplainerMLP
        >>> model = L2X(MLP(6), ExplainerMLP(6), ColumnMasker(6), MLP(6), n_selected=2)
        >>> parts = model.training_loss(model.batch_of(torch.randn(8, 6)))
        >>> bool(parts["loss"] > 0)
        True

    References:
        Chen, Song, Wainwright, Jordan, *Learning to Explain: An Information-Theoretic Perspective
        on Model Interpretation*, ICML 2018, arXiv 1802.07814.

    Deviations from the paper:
        Fresh noise in every step (in the authors' code for texts it is drawn once). KL instead of
        the cross-entropy, which differs by a constant.
    """

    not_hyperparameters: ClassVar[tuple[str, ...]] = (
        *AmortizedModule.not_hyperparameters,
        "predictor",
    )

    def __init__(
        self,
        target_model: nn.Module | Callable[..., Tensor] | None,
        network: nn.Module,
        masker: Masker,
        predictor: nn.Module,
        n_selected: int = 4,
        temperature: float = 0.5,
        *,
        side: Sequence[str] = (),
        zero_rule: bool = False,
        optimizer: OptimizerCallable = adamw,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__(
            target_model,
            network,
            masker,
            side=side,
            zero_rule=zero_rule,
            optimizer=optimizer,
            lr_scheduler=lr_scheduler,
        )
        if not isinstance(predictor, nn.Module):
            raise TypeError(f"predictor must be a torch.nn.Module, got {predictor!r}")
        check_count("n_selected", n_selected)
        check_number("temperature", temperature)
        if temperature == 0:
            raise ValueError("temperature must be above 0, got 0")
        self.predictor = predictor
        self.n_selected = n_selected
        self.temperature = temperature

    def training_loss(self, batch: ExplainerBatch) -> dict[str, Tensor]:
        """Return the divergence with a relaxed selection.

        Args:
            batch: The batch.

        Returns:
            ``loss``.
        """
        seed, wanted = self.step_seed, self.logits(batch)
        scores = self._scores(batch, wanted)
        draws = torch.arange(self.n_selected, device=scores.device)
        seeds = derived_seeds(batch.bound.seeds, "gumbel", seed)
        uniform = hashed_uniform(seeds, draws, scores.shape[1]).to(scores.dtype)
        selected = gumbel_softmax(scores, uniform, self.temperature).amax(dim=0)
        return {"loss": self._divergence(batch, wanted, selected, seed)}

    def evaluation_loss(self, batch: ExplainerBatch) -> dict[str, Tensor]:
        """Return the divergence with the k features of the highest scores.

        Args:
            batch: The batch.
        """
        wanted = self.logits(batch)
        scores = self._scores(batch, wanted)
        chosen = scores.topk(min(self.n_selected, scores.shape[1]), dim=1).indices
        selected = torch.zeros_like(scores).scatter(1, chosen, 1.0)
        return {"loss": self._divergence(batch, wanted, selected, 0)}

    def _scores(self, batch: ExplainerBatch, logits: Tensor) -> Tensor:
        explained = self.explaining(batch, logits)
        scores = self.saliency(batch, explained)
        active = self.explainer.active(batch.bound)
        # where no feature is active, which are selected makes no difference
        candidates = torch.where(active.any(dim=1, keepdim=True), active, batch.bound.present)
        return scores.masked_fill(~candidates, -torch.inf)

    def _divergence(
        self, batch: ExplainerBatch, wanted: Tensor, selected: Tensor, seed: int
    ) -> Tensor:
        read, bound = batch.batch, batch.bound
        if not read.inputs.is_floating_point():
            read, bound = embedded_features(self.explainer.masker, read, self.predictor)
        logits = masked_logits(self.predictor, read, bound, selected[None], frozen=False, seed=seed)
        return prediction_divergence(wanted, logits, "predictor").mean()
