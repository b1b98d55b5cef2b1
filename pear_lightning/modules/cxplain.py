"""CXPlain: a network that learns how much the loss rises without a feature."""

from collections.abc import Callable, Sequence

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from pear_lightning.explainers.amortized_explainer import ExplainedClass
from pear_lightning.functional.bootstrap import bootstrap_weights
from pear_lightning.functional.shares import shares
from pear_lightning.functional.validation import check_choice
from pear_lightning.masking import Masker
from pear_lightning.modules.amortized import AmortizedModule, ExplainerBatch
from pear_lightning.modules.base import adamw
from pear_lightning.nn import ExplainerEnsemble
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.loss_increases import loss_increases
from pear_lightning.scoring.outputs import check_several_outputs
from pear_lightning.scoring.removals import remove_subsets
from pear_lightning.scoring.subset_laws import SingleRemovalLaw

_TINY = torch.finfo(torch.float32).tiny


class CXPlain(AmortizedModule):
    r"""Train a network to return how much the loss of a model rises when a feature is removed.

    .. math::
        δ_i = \max\left( ℓ(y, f(x ∖ i)) - ℓ(y, f(x)), \; ε \right), \qquad
        ω_i = \frac{δ_i}{\sum_j δ_j}, \qquad
        L = KL\left( ω \,\|\, φ(x) \right)

    with the cross-entropy ℓ. Scores are positive and sum to 1: features without which the loss
    falls (evidence against y) count as irrelevant. f is evaluated n times for each sample and step.

    With an :class:`~pear_lightning.nn.ExplainerEnsemble` as the network, each member learns from
    another bootstrap sample of the training rows: row and member together determine how often the
    row counts (a Poisson law with mean 1). ``explainer.interval`` then returns the uncertainty of
    an explanation.

    Args:
        target_model: The explained model f; see :class:`~pear_lightning.modules.AmortizedModule`.
        network: The explainer network, with ``scale="softmax"``; or an ensemble of such networks.
        masker: Defines the features and their values when removed.
        explained: y: the ``"true"`` class, the label of the batch, or the ``"predicted"`` one.
        side: See :class:`~pear_lightning.modules.AmortizedModule`.
        zero_rule: See there; features that equal the baseline do not change the loss.
        optimizer: Callable from parameters to an optimiser.
        lr_scheduler: Callable from the optimiser to a scheduler.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If a name is unknown, or the network names another scale; in training, if scores
            are negative, f has one output, or a label is not one of its classes.

    Shapes:
        - batch: inputs ``(B, *S)`` and labels ``(B,)``
        - saliency: ``(B, n)``, positive

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from pear_lightning.masking import ColumnMasker
        >>> from pear_lightning.nn import MLP, ExplainerMLP
        >>> f, rows, labels = MLP(6), torch.randn(256, 6), torch.randint(2, (256,))
        >>> members = [ExplainerMLP(6, hidden_features=(16,), scale="softmax") for _ in range(3)]
        >>> model = CXPlain(f, ExplainerEnsemble(members), ColumnMasker(6))
        >>> trainer = Trainer(max_epochs=1, accelerator="cpu", logger=False,
        ...                   enable_checkpointing=False, enable_progress_bar=False,
        ...                   enable_model_summary=False)
        >>> data = torch.utils.data.TensorDataset(rows, labels)
        >>> trainer.fit(model, torch.utils.data.DataLoader(data, batch_size=64))
        >>> low, high = model.explainer.interval(rows[:4])
        >>> low.shape
        torch.Size([4, 6])

    References:
        Schwab, Karlen, *CXPlain: Causal Explanations for Model Interpretation under Uncertainty*,
        NeurIPS 2019, arXiv 1910.12336.

    Deviations from the paper:
        Bootstrap samples by a Poisson law, which needs no copies of the rows; removed features take
        the value of the masker's baseline.
    """

    def __init__(
        self,
        target_model: nn.Module | Callable[..., Tensor] | None,
        network: nn.Module,
        masker: Masker,
        *,
        explained: ExplainedClass = "true",
        side: Sequence[str] = (),
        zero_rule: bool = True,
        optimizer: OptimizerCallable = adamw,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        check_choice("explained", explained, ("true", "predicted"))
        super().__init__(
            target_model,
            network,
            masker,
            explained=explained,
            side=side,
            zero_rule=zero_rule,
            output="log_prob",
            optimizer=optimizer,
            lr_scheduler=lr_scheduler,
        )
        if getattr(network, "scale", "softmax") != "softmax":
            raise ValueError(
                "network must return positive scores that sum to 1, scale='softmax', got "
                f"scale={network.scale!r}"
            )

    def training_loss(self, batch: ExplainerBatch) -> dict[str, Tensor]:
        """Return the mean over the members of their losses on their bootstrap samples.

        Args:
            batch: The batch.

        Returns:
            ``loss``.
        """
        explained, wanted = self._targets(batch)
        network = self.explainer.network
        if not isinstance(network, ExplainerEnsemble):
            return {"loss": self._divergence(batch, explained, wanted).mean()}
        losses = []
        for number in range(len(network.networks)):
            with network.only(number):
                losses.append(self._divergence(batch, explained, wanted))
        weights = bootstrap_weights(batch.bound.seeds, len(losses))
        return {"loss": (weights * torch.stack(losses)).mean()}

    def evaluation_loss(self, batch: ExplainerBatch) -> dict[str, Tensor]:
        """Return the loss of the explanation, which is the mean of the members.

        Args:
            batch: The batch.
        """
        explained, wanted = self._targets(batch)
        return {"loss": self._divergence(batch, explained, wanted).mean()}

    def _targets(self, batch: ExplainerBatch) -> tuple[Batch, Tensor]:
        """Return the samples with their class, and ω, ``(B, n)``."""
        removals = batch.removals or remove_subsets(
            self.target_model, batch.batch, batch.bound, [(SingleRemovalLaw(), 1)]
        )
        n_classes = removals.original.shape[1]
        check_several_outputs("target_model", n_classes)
        explained = self.explaining(batch, removals.original)
        target = explained.classes_among(n_classes, "target_model")
        return explained, loss_increases(removals, target, self.explainer.active(batch.bound))

    def _divergence(self, batch: ExplainerBatch, explained: Batch, wanted: Tensor) -> Tensor:
        """Return ``KL(ω ‖ φ)`` of each sample, ``(B,)``."""
        scores = self.saliency(batch, explained)
        if bool((scores < 0).any()):
            raise ValueError(
                f"network must return positive scores, got a smallest one of {scores.min():.3g}; "
                "use scale='softmax'"
            )
        active = self.explainer.active(batch.bound)
        scores = shares(scores, active)  # a network of the user may name no scale
        terms = torch.xlogy(wanted, wanted) - wanted * scores.clamp(min=_TINY).log()
        return terms.masked_fill(~active, 0).sum(dim=1)
