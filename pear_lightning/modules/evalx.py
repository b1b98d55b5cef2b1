"""EVAL-X: a predictor that judges selections of features."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from pear_lightning.functional.validation import check_choice, check_finite
from pear_lightning.masking import Masker
from pear_lightning.modules.base import adamw
from pear_lightning.modules.surrogate import Surrogate
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.eval_mode import eval_mode
from pear_lightning.scoring.log_likelihood import log_likelihood
from pear_lightning.scoring.masked_logits import masked_logits
from pear_lightning.scoring.subset_laws import BernoulliLaw, SubsetLaw


class EvalX(Surrogate):
    r"""Train a predictor with random features removed, to judge which features a method selects.

    .. math:: \min_q \; E_{x, y, r} \left[ -\log q(y \,|\, x_r) \right], \qquad
              r_i \sim \text{Bernoulli}(1/2)

    The predictor has seen every subset and is not trained together with a selection, so a selection
    cannot tell it the class by other means than the selected values. It judges selections
    (:meth:`judge`), and a predictor that is trained like it is the fixed ``predictor`` of
    :class:`~pear_lightning.modules.RealX`; use two, with different initial weights.

    Args:
        target_model: The explained model f; ``None`` is sufficient with ``labels="true"``.
        network: The predictor q; maps masked inputs to logits ``(N, C)``.
        masker: Defines the features and their values when removed.
        law: Law of the removed features; ``None`` means each with probability 1/2.
        n_subsets: Number of subsets of each sample and step.
        labels: y: the ``"true"`` class, as in the paper, or the predictions of the ``"model"``,
            with KL as in a :class:`~pear_lightning.modules.Surrogate`.
        optimizer: Callable from parameters to an optimiser.
        lr_scheduler: Callable from the optimiser to a scheduler.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If a number or name is invalid; with ``labels="true"``, if the network has one
            output, or a label is not one of its classes.

    Shapes:
        - batch: inputs ``(B, *S)``, with labels ``(B,)`` for ``labels="true"``
        - logits: ``(B, C)``

    Example:
        >>> from pear_lightning.masking import ColumnMasker
        >>> from pear_lightning.nn import MLP
        >>> evalx = EvalX(None, MLP(6), ColumnMasker(6), labels="true")
        >>> batch = torch.randn(8, 6), torch.randint(2, (8,))
        >>> found = evalx.judge(batch, torch.randn(8, 6), size=2)
        >>> found["accuracy"].shape
        torch.Size([8])

    References:
        Jethani, Sudarshan, Aphinyanaphongs, Ranganath, *Have We Learned to Explain?: How
        Interpretability Methods Can Learn to Encode Predictions in their Interpretations*
        (REAL-X, EVAL-X), AISTATS 2021, arXiv 2103.01890.
    """

    def __init__(
        self,
        target_model: nn.Module | Callable[..., Tensor] | None,
        network: nn.Module,
        masker: Masker,
        law: SubsetLaw | None = None,
        n_subsets: int = 1,
        *,
        labels: Literal["model", "true"] = "model",
        optimizer: OptimizerCallable = adamw,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        check_choice("labels", labels, ("model", "true"))
        super().__init__(
            target_model,
            network,
            masker,
            law or BernoulliLaw(),
            n_subsets,
            optimizer=optimizer,
            lr_scheduler=lr_scheduler,
        )
        self.labels = labels

    def divergence(self, batch: Batch, logits: Tensor) -> Tensor:
        """Return the loss of predictions at masked inputs, ``(K, B)``.

        Args:
            batch: The samples.
            logits: Predictions, ``(K, B, C)``.
        """
        if self.labels == "model":
            return super().divergence(batch, logits)
        return -log_likelihood(logits, batch.explaining(batch.labels), "network")

    @torch.no_grad()
    def judge(self, batch: Any, saliency: Tensor, size: int) -> dict[str, Tensor]:
        """Return how well the most relevant features predict the class, in eval mode.

        Args:
            batch: Samples with the class as their target, in any form that
                :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads.
            saliency: Explanations of them, ``(B, n)``.
            size: Number of features that are selected.

        Returns:
            ``accuracy`` (0 or 1) and ``log_likelihood``, ``(B,)`` each.

        Raises:
            ValueError: If the saliency holds NaN or Inf.
        """
        check_finite("saliency", saliency)
        read = Batch.of(batch)
        bound = self.masker.bind(read.inputs, read.sample_data)
        scores = saliency.masked_fill(~bound.present, -torch.inf)
        chosen = scores.topk(min(size, scores.shape[1]), dim=1).indices
        keep = (~bound.present).scatter(1, chosen, True)
        with eval_mode(self.backbone):
            logits = masked_logits(self.backbone, read, bound, keep[None], frozen=True)
        right = logits[0].argmax(dim=1) == read.labels
        found = log_likelihood(logits, read, "network")[0]
        return {"accuracy": right.float(), "log_likelihood": found}
