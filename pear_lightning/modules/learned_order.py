"""A network trained for deletion and insertion, through a relaxed order."""

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from pear_lightning.explainers.amortized_explainer import ExplainedClass
from pear_lightning.functional.hashed_random import derived_seeds, hashed_uniform
from pear_lightning.functional.ranks import hard_ranks
from pear_lightning.functional.relaxed_order import Relaxation, relaxed_prefixes
from pear_lightning.functional.validation import check_choice, check_count, check_number
from pear_lightning.masking import Masker
from pear_lightning.modules.amortized import AmortizedModule, ExplainerBatch
from pear_lightning.modules.base import adamw
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.embedding import embedded_features
from pear_lightning.scoring.masked_logits import masked_logits
from pear_lightning.scoring.outputs import OutputName, resolve_output
from pear_lightning.scoring.scorer import Forward
from pear_lightning.training.target_model import TargetModel


class LearnedOrder(AmortizedModule):
    r"""Train a network whose order of features has a good deletion and insertion curve.

    .. math:: L = E_{x, t} \left[ Δ_c(x ∖ F_t) \right] - w \, E_{x, t} \left[ Δ_c(x_{F_t}) \right]

    :math:`F_t` are the t features of the highest scores, :math:`x ∖ F_t` is the sample without them
    (deletion) and :math:`x_{F_t}` the sample with nothing else (insertion), Δ a scalar of the
    logits. The first and second term are the areas under the two curves. In training, the choice of
    the t features is relaxed (see :func:`~pear_lightning.functional.relaxed_prefixes`), and removed
    features are mixed with the baseline, so the gradient reaches the scores through the model,
    which must be differentiable. Validation and test use the hard order.

    Scores say nothing beyond the order: their sizes are no shares of the output, so metrics that
    compare sums of scores with drops of the output are not what is trained.

    Args:
        target_model: The explained model f; see :class:`~pear_lightning.modules.AmortizedModule`.
        network: The explainer network.
        masker: Defines the features and their values when removed.
        surrogate: A differentiable model that is evaluated instead of f, such as a
            :class:`~pear_lightning.modules.Surrogate`; ``None`` evaluates f.
        n_steps: Number of sizes t of each sample and step, spread evenly over the curve.
        relaxation: ``"sinkhorn"`` (with Gumbel noise) or ``"soft_rank"``.
        temperature: τ of the relaxation, in units of the standard deviation of the scores; ``None``
            means 0.3 for ``"sinkhorn"`` and 1 for ``"soft_rank"``.
        insertion_weight: w, at least 0.
        explained: See :class:`~pear_lightning.modules.AmortizedModule`; one class.
        side: See there.
        zero_rule: See there; features that equal the baseline have no place in the order, and a
            score of 0 means nothing special.
        output: Δ.
        optimizer: Callable from parameters to an optimiser.
        lr_scheduler: Callable from the optimiser to a scheduler.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If a number is out of range or a name unknown; in training, if the evaluated
            model has no gradient.

    Shapes:
        - batch: inputs ``(B, *S)``
        - saliency: ``(B, n)``

    Example:
        >>> from pear_lightning.masking import ColumnMasker
        >>> from pear_lightning.nn import MLP, ExplainerMLP
        >>> model = LearnedOrder(MLP(6), ExplainerMLP(6), ColumnMasker(6))
        >>> parts = model.training_loss(model.batch_of(torch.randn(8, 6)))
        >>> sorted(parts)
        ['deletion', 'insertion', 'loss']

    References:
        Schinagl, Fruhwirth-Reisinger, Prutsch, Schulter, Possegger, *Learn to Rank: Visual
        Attribution by Learning Importance Ranking*, ECCV 2026, arXiv 2604.05819.

    Deviations from the paper:
        Written from its abstract. The relaxed permutation is computed from one score per feature,
        by the distances of the scores to their sorted values. Features of any masker, without the
        refinement at inference.
    """

    not_hyperparameters: ClassVar[tuple[str, ...]] = (
        *AmortizedModule.not_hyperparameters,
        "surrogate",
    )

    def __init__(
        self,
        target_model: nn.Module | Callable[..., Tensor] | None,
        network: nn.Module,
        masker: Masker,
        surrogate: nn.Module | Callable[..., Tensor] | None = None,
        n_steps: int = 4,
        *,
        relaxation: Relaxation = "sinkhorn",
        temperature: float | None = None,
        insertion_weight: float = 1.0,
        explained: ExplainedClass = "predicted",
        side: Sequence[str] = (),
        zero_rule: bool = False,
        output: OutputName = "prob",
        optimizer: OptimizerCallable = adamw,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        check_choice("explained", explained, ("predicted", "true"))
        check_choice("relaxation", relaxation, ("sinkhorn", "soft_rank"))
        super().__init__(
            target_model,
            network,
            masker,
            explained=explained,
            side=side,
            zero_rule=zero_rule,
            output=output,
            optimizer=optimizer,
            lr_scheduler=lr_scheduler,
        )
        check_count("n_steps", n_steps)
        check_number("insertion_weight", insertion_weight)
        if temperature is None:
            temperature = {"sinkhorn": 0.3, "soft_rank": 1.0}[relaxation]
        check_number("temperature", temperature)
        if temperature == 0:
            raise ValueError("temperature must be above 0, got 0")
        self.n_steps = n_steps
        self.relaxation: Relaxation = relaxation
        self.temperature = temperature
        self.insertion_weight = insertion_weight
        self._surrogate = self.hold(surrogate, "surrogate")

    @property
    def game(self) -> Forward:
        """The model whose curves are learned."""
        return self._game.forward

    @property
    def _game(self) -> TargetModel:
        return self._surrogate if self._surrogate.is_given else self._target

    def training_loss(self, batch: ExplainerBatch) -> dict[str, Tensor]:
        """Return the difference of the areas with a relaxed order.

        Args:
            batch: The batch.

        Returns:
            ``loss``, ``deletion`` (lower is better) and ``insertion`` (higher is better).
        """
        seed, active = self.step_seed, self.explainer.active(batch.bound)
        explained = self.explaining(batch)
        scores = self.saliency(batch, explained)
        sizes = self._sizes(batch, seed)
        gumbel = None
        if self.relaxation == "sinkhorn":
            rows = torch.arange(scores.shape[1], device=scores.device)
            seeds = derived_seeds(batch.bound.seeds, "gumbel", seed)
            uniform = hashed_uniform(seeds, rows, scores.shape[1]).transpose(0, 1)
            # noise of the size of the temperature: orders of clearly different scores stay
            gumbel = -self.temperature * (-uniform.to(scores.dtype).log()).log()
        first = relaxed_prefixes(
            scores,
            sizes,
            active,
            relaxation=self.relaxation,
            temperature=self.temperature,
            gumbel=gumbel,
        )
        parts = self._parts(batch, explained, first, seed)
        if not parts["loss"].requires_grad:
            raise ValueError(
                f"{self._game.name} must be differentiable, got a model without a graph to its "
                "inputs; give a trained Surrogate as surrogate=..."
            )
        return parts

    def evaluation_loss(self, batch: ExplainerBatch) -> dict[str, Tensor]:
        """Return the difference of the areas with the order of the scores.

        Args:
            batch: The batch.
        """
        explained = self.explaining(batch)
        active = self.explainer.active(batch.bound)
        scores = self.saliency(batch, explained).masked_fill(~active, -torch.inf)
        ranks = hard_ranks(scores, ties="ordinal", descending=True)
        first = ranks <= self._sizes(batch, 0)[..., None]
        return self._parts(batch, explained, (first & active).float(), 0)

    def _sizes(self, batch: ExplainerBatch, seed: int) -> Tensor:
        """Return the sizes t of each sample, one in each of K equal parts of the curve."""
        draws = torch.arange(self.n_steps, device=batch.bound.inputs.device)
        uniform = hashed_uniform(derived_seeds(batch.bound.seeds, "sizes", seed), draws, 1)[..., 0]
        counts = self.explainer.active(batch.bound).sum(dim=1)
        share = (draws[:, None] + uniform) / self.n_steps  # in (0, 1)
        return 1 + (share * (counts - 1)).long().minimum((counts - 2).clamp(min=0))

    def _parts(
        self, batch: ExplainerBatch, explained: Batch, first: Tensor, seed: int
    ) -> dict[str, Tensor]:
        read, bound = explained, batch.bound
        keep = torch.cat([1 - first, first])
        with torch.autocast(keep.device.type, enabled=False):
            if not read.inputs.is_floating_point():
                with torch.no_grad():
                    read, bound = embedded_features(self.explainer.masker, read, self.game)
            logits = masked_logits(self.game, read, bound, keep, frozen=True, seed=seed)
        target = explained.classes_among(logits.shape[2], self._game.name)
        output = resolve_output(self.explainer.output)
        values = output(logits.flatten(0, 1), target.repeat(len(keep))).unflatten(0, keep.shape[:2])
        deletion, insertion = (each.mean() for each in values.split(len(first)))
        loss = deletion - self.insertion_weight * insertion
        return {"loss": loss, "deletion": deletion, "insertion": insertion}
