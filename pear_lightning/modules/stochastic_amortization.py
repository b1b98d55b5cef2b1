"""Stochastic amortisation: a network that learns from noisy explanations."""

from collections.abc import Callable, Sequence

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from pear_lightning.explainers.amortized_explainer import ExplainedClass
from pear_lightning.functional.validation import check_finite
from pear_lightning.masking import Masker
from pear_lightning.modules.amortized import AmortizedModule, ExplainerBatch
from pear_lightning.modules.base import adamw
from pear_lightning.scoring.outputs import OutputName


class StochasticAmortization(AmortizedModule):
    r"""Train a network by regression on cheap, noisy explanations.

    .. math:: L = E_x \sum_{i=1}^{n} (φ_i(x) - \tilde a_i(x))^2

    The labels :math:`\tilde a` are estimates with few evaluations of the explained model, such as
    :class:`~pear_lightning.explainers.KernelShap`,
    :class:`~pear_lightning.explainers.PermutationShap` or :class:`~pear_lightning.explainers.Lime`.
    Noise of mean zero averages out over the training samples: the minimum is the expected
    explanation. Biased labels leave their bias. With fewer than a few evaluations per feature, the
    regression of KernelSHAP is nearly singular and its noise large; permutations have no such
    limit.

    Batches are mappings with ``supervision`` ``(B, n)``:
    :class:`~pear_lightning.modules.PriorExplanations` with one prior stores them, and
    :class:`~pear_lightning.datamodules.SupervisionDataModule` reads them.

    Args:
        target_model: The explained model f; see :class:`~pear_lightning.modules.AmortizedModule`.
            It is needed only for the side inputs, for the predicted class if the network takes it,
            and for an explanation of all classes.
        network: The explainer network.
        masker: Defines the features and their values when removed.
        explained: See :class:`~pear_lightning.modules.AmortizedModule`; labels explain the
            predicted class unless it is ``"true"``.
        side: See there.
        zero_rule: See there.
        output: See there.
        optimizer: Callable from parameters to an optimiser.
        lr_scheduler: Callable from the optimiser to a scheduler.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If a name is unknown; in training, if a batch has no supervision.

    Shapes:
        - batch: a mapping with ``inputs`` ``(B, *S)`` and ``supervision`` ``(B, n)``
        - saliency: ``(B, n)``, or ``(B, n, C)`` with ``explained="all"``

    Example:
        >>> from pear_lightning.masking import ColumnMasker
        >>> import torch
        >>> from pear_lightning.nn import ExplainerMLP
        >>> model = StochasticAmortization(None, ExplainerMLP(6), ColumnMasker(6))
        >>> batch = {"inputs": torch.randn(8, 6), "supervision": torch.randn(8, 6)}
        >>> parts = model.training_loss(model.batch_of(batch))
        >>> wanted = (model.explainer.saliency(batch["inputs"]) - batch["supervision"]).square()
        >>> bool(torch.isclose(parts["loss"], wanted.sum(dim=1).mean()))
        True

    References:
        Covert, Kim, Lee, Zou, Hashimoto, *Stochastic Amortization: A Unified Approach to Accelerate
        Feature and Data Attribution*, NeurIPS 2024, arXiv 2401.15866.
    """

    def __init__(
        self,
        target_model: nn.Module | Callable[..., Tensor] | None,
        network: nn.Module,
        masker: Masker,
        *,
        explained: ExplainedClass = "predicted",
        side: Sequence[str] = (),
        zero_rule: bool = True,
        output: OutputName = "centered_logit",
        optimizer: OptimizerCallable = adamw,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
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

    def training_loss(self, batch: ExplainerBatch) -> dict[str, Tensor]:
        """Return the squared error, summed over features.

        Args:
            batch: The batch.

        Returns:
            ``loss``.
        """
        if batch.supervision is None:
            raise ValueError(
                "batch must be a mapping with 'supervision' (B, n), got none; use "
                "SupervisionDataModule, with a val_fraction if there is a validation"
            )
        check_finite("supervision", batch.supervision)
        needs_class = self.explainer.uses_target or bool(self.explainer.side)
        explained = self.explaining(batch) if needs_class else batch.batch.explaining(None)
        saliency = self.saliency(batch, explained)
        saliency = self.of_supervision(batch, saliency)
        errors = (saliency - batch.supervision.to(saliency)).square()
        return {"loss": errors.masked_fill(~batch.bound.present, 0).sum(dim=1).mean()}

    def evaluation_loss(self, batch: ExplainerBatch) -> dict[str, Tensor]:
        """Return the loss of :meth:`training_loss`.

        Args:
            batch: The batch.
        """
        return self.training_loss(batch)
