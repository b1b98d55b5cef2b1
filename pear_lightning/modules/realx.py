"""REAL-X: a network that selects features for a fixed predictor."""

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from pear_lightning.explainers.amortized_explainer import ExplainedClass
from pear_lightning.functional.concrete import relaxed_bernoulli
from pear_lightning.functional.hashed_random import derived_seeds, hashed_uniform
from pear_lightning.functional.validation import check_choice, check_number
from pear_lightning.masking import Masker
from pear_lightning.modules.amortized import AmortizedModule, ExplainerBatch
from pear_lightning.modules.base import adamw
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.embedding import embedded_features
from pear_lightning.scoring.log_likelihood import log_likelihood
from pear_lightning.scoring.masked_logits import masked_logits
from pear_lightning.scoring.outputs import check_several_outputs


class RealX(AmortizedModule):
    r"""Train a network to select the features from which a fixed predictor finds the class.

    .. math:: \max_φ \; E_x \left[ E_{s \sim p_φ(x)} \log q(y \,|\, x_s)
              - λ \, \frac{1}{n} \sum_i p_φ(x)_i \right], \qquad p = σ(φ)

    The predictor q was trained before, with random features removed
    (:class:`~pear_lightning.modules.EvalX`), so a selection cannot tell it the class by other means
    than the selected values. The gradient of the expectation is the one of REBAR: with the hard
    selection s, its relaxation z and the relaxation :math:`\tilde z` given s,

    .. math:: \left[ \log q(s) - \log q(\tilde z) \right]_{\text{no gradient}} ∇ \log p(s)
              + ∇ \log q(z) - ∇ \log q(\tilde z)

    Args:
        target_model: The explained model f, for the predicted class; ``None`` is sufficient with
            ``explained="true"``.
        network: The explainer network; its scores φ are the logits of the selection.
        masker: Defines the features and their values when removed.
        predictor: q; maps masked inputs to logits, and is differentiable. It is neither trained nor
            saved. For token ids, it needs a method ``embed``.
        sparsity_weight: λ, at least 0.
        temperature: Temperature of the relaxations, above 0.
        explained: y: the ``"predicted"`` class or the ``"true"`` one.
        side: See :class:`~pear_lightning.modules.AmortizedModule`.
        zero_rule: See there; a score of 0 means that a feature is selected with probability 1/2.
        optimizer: Callable from parameters to an optimiser.
        lr_scheduler: Callable from the optimiser to a scheduler.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If a number is out of range or a name unknown; in training, if the predictor has
            no gradient, f or the predictor has one output, or y is not one of the predictor's
            classes.

    Shapes:
        - batch: inputs ``(B, *S)``, with labels ``(B,)`` for ``explained="true"``
        - saliency: ``(B, n)``

    Example:
        >>> from pear_lightning.masking import ColumnMasker
        >>> from pear_lightning.nn import MLP, ExplainerMLP
        >>> q = MLP(6)  # has been trained by EvalX
        >>> model = RealX(MLP(6), ExplainerMLP(6), ColumnMasker(6), q)
        >>> parts = model.training_loss(model.batch_of(torch.randn(8, 6)))
        >>> sorted(parts)
        ['log_likelihood', 'loss', 'selected']

    References:
        Jethani, Sudarshan, Aphinyanaphongs, Ranganath, *Have We Learned to Explain?: How
        Interpretability Methods Can Learn to Encode Predictions in their Interpretations*
        (REAL-X, EVAL-X), AISTATS 2021, arXiv 2103.01890.

    Deviations from the paper:
        q is in eval mode, and one sigmoid is applied for a selection probability (in the authors'
        code, q is in training mode and soft selections have two). y may be the predicted class.
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
        predictor: nn.Module | Callable[..., Tensor] | None,
        sparsity_weight: float = 1.0,
        temperature: float = 0.1,
        *,
        explained: ExplainedClass = "predicted",
        side: Sequence[str] = (),
        zero_rule: bool = False,
        optimizer: OptimizerCallable = adamw,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        check_choice("explained", explained, ("predicted", "true"))
        super().__init__(
            target_model,
            network,
            masker,
            explained=explained,
            side=side,
            zero_rule=zero_rule,
            optimizer=optimizer,
            lr_scheduler=lr_scheduler,
        )
        check_number("sparsity_weight", sparsity_weight)
        check_number("temperature", temperature)
        if temperature == 0:
            raise ValueError("temperature must be above 0, got 0")
        self._predictor = self.hold(predictor, "predictor")
        self.sparsity_weight = sparsity_weight
        self.temperature = temperature

    def training_loss(self, batch: ExplainerBatch) -> dict[str, Tensor]:
        """Return a scalar with the gradient of the objective.

        Args:
            batch: The batch.

        Returns:
            ``loss``, which has the value of the objective and the gradient of REBAR;
            ``log_likelihood`` of the class given the selection, and the share of features
            ``selected``.
        """
        seed, explained = self.step_seed, self._explaining_class(batch)
        scores, present = self.saliency(batch, explained), batch.bound.present
        seeds = derived_seeds(batch.bound.seeds, "selection", seed)
        draws = torch.arange(2, device=scores.device)
        first, again = hashed_uniform(seeds, draws, scores.shape[1]).to(scores.dtype)
        hard, soft, given = relaxed_bernoulli(scores, first, again, self.temperature)
        keep = torch.stack([hard, soft, given])
        log_q = self._log_likelihood(batch, explained, keep, seed)
        if scores.requires_grad and not log_q.requires_grad:
            raise ValueError(
                "predictor must be differentiable, got a model without a graph to its inputs; give "
                "a trained EvalX"
            )
        chance = -F.binary_cross_entropy_with_logits(scores, hard, reduction="none")
        chance = chance.masked_fill(~present, 0).sum(dim=1)
        gain = (log_q[0] - log_q[2]).detach() * chance + log_q[1] - log_q[2]
        selected = self._selected(scores, present)
        objective = gain - self.sparsity_weight * selected
        value = (log_q[0] - self.sparsity_weight * selected).detach()
        return {
            "loss": -(value + objective - objective.detach()).mean(),
            "log_likelihood": log_q[0].detach().mean(),
            "selected": selected.detach().mean(),
        }

    def evaluation_loss(self, batch: ExplainerBatch) -> dict[str, Tensor]:
        """Return the objective with the features whose probability is above 1/2.

        Args:
            batch: The batch.
        """
        explained = self._explaining_class(batch)
        scores = self.saliency(batch, explained)
        keep = (scores > 0).to(scores.dtype)[None]
        log_q = self._log_likelihood(batch, explained, keep, 0)[0]
        selected = self._selected(scores, batch.bound.present)
        return {
            "loss": (self.sparsity_weight * selected - log_q).mean(),
            "log_likelihood": log_q.mean(),
            "selected": selected.mean(),
        }

    def _explaining_class(self, batch: ExplainerBatch) -> Batch:
        """Return the samples with y as their target."""
        if self.explainer.explained == "true":
            return self.explaining(batch)
        logits = self.logits(batch)
        check_several_outputs("target_model", logits.shape[1])
        return self.explaining(batch, logits)

    def _selected(self, scores: Tensor, present: Tensor) -> Tensor:
        """Return the mean selection probability of each sample, ``(B,)``."""
        return scores.sigmoid().masked_fill(~present, 0).sum(dim=1) / present.sum(dim=1)

    def _log_likelihood(
        self, batch: ExplainerBatch, explained: Batch, keep: Tensor, seed: int
    ) -> Tensor:
        """Return ``log q(y | x_s)``, ``(K, B)``."""
        read, bound = batch.batch, batch.bound
        predictor = self._predictor.forward
        with torch.autocast(keep.device.type, enabled=False):
            if not read.inputs.is_floating_point():
                with torch.no_grad():
                    read, bound = embedded_features(self.explainer.masker, read, predictor)
            logits = masked_logits(predictor, read, bound, keep, frozen=True, seed=seed)
            return log_likelihood(logits, explained, "predictor")
