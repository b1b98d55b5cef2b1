"""A mask for each sample, found by optimisation."""

import torch
from torch import Tensor

from pear_lightning.explainers.base import Explainer
from pear_lightning.functional.validation import at_least_float32, check_count, check_number
from pear_lightning.masking.bound_masker import BoundMasker
from pear_lightning.masking.masker import Masker
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.embedding import embedded_features
from pear_lightning.scoring.masked_logits import masked_logits
from pear_lightning.scoring.scorer import Forward, Scorer, logits_of


class OptimizedMask(Explainer):
    r"""The sparsest mask that keeps the prediction, found for each sample by optimisation.

    .. math:: \arg\min_{m ∈ [0, 1]^n} \; w \, \frac{1}{n} \sum_i m_i
              + \left\| f(x) - f(m ⊙ x + (1 - m) ⊙ b) \right\|_1

    with the probabilities of all classes. Masks of a model that was not trained for it can be
    arbitrary, because the masked input is unlike any that it has seen;
    :class:`~pear_lightning.modules.DiET` trains a copy of a model for it. An explanation takes
    ``n_steps`` passes forward and backward.

    Args:
        masker: Defines the features and their values when removed.
        n_steps: Number of steps of Adam, from a mask of ones.
        learning_rate: Its learning rate.
        sparsity_weight: w, at least 0.

    Raises:
        TypeError: If ``masker`` is not a masker.
        ValueError: If a number is out of range; when called, if the model has no gradient.

    Shapes:
        - inputs: ``(B, *S)``, floating point
        - attributions: ``(B, *S)``; pooled, they are m

    Example:
        >>> from torch import nn
        >>> from pear_lightning.explainers import explain
        >>> from pear_lightning.masking import ColumnMasker
        >>> model = nn.Linear(3, 2)
        >>> _, (masks,) = explain(model, torch.rand(4, 3), 0, [OptimizedMask(ColumnMasker(3))])
        >>> bool((masks >= 0).all() and (masks <= 1).all())
        True

    References:
        Bhalla, Srinivas, Lakkaraju, *Discriminative Feature Attributions: Bridging Post Hoc
        Explainability and Inherent Interpretability* (DiET), NeurIPS 2023, arXiv 2307.15007.

    Deviations from the paper:
        Adam with a fixed number of steps instead of SGD until convergence; one mask value for each
        feature of the masker instead of an image of low resolution.
    """

    def __init__(
        self,
        masker: Masker,
        n_steps: int = 100,
        learning_rate: float = 0.1,
        sparsity_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if not isinstance(masker, Masker):
            raise TypeError(f"masker must be a Masker, such as ColumnMasker(30), got {masker!r}")
        check_count("n_steps", n_steps)
        check_number("learning_rate", learning_rate)
        check_number("sparsity_weight", sparsity_weight)
        self.masker = masker
        self.baseline = masker.baseline  # a module: moves with this one, saved in checkpoints
        self.n_steps = n_steps
        self.learning_rate = learning_rate
        self.sparsity_weight = sparsity_weight

    @property
    def needs_floating_inputs(self) -> bool:
        """Whether inputs must be floating point; token ids are embedded by the model."""
        return False

    def forward(self, scorer: Scorer, inputs: Tensor) -> Tensor:
        """Return attributions, ``(B, *S)``.

        Args:
            scorer: The explained model; the mask keeps its probabilities, whatever the class.
            inputs: Inputs, ``(B, *S)``.
        """
        batch = scorer.batch if inputs is scorer.batch.inputs else scorer.batch.with_inputs(inputs)
        bound = self.masker.bind(batch.inputs, batch.sample_data)
        start = torch.ones(len(batch), bound.n_features, device=inputs.device)
        return bound.spread(self.optimized(scorer.forward, batch, start))

    def optimized(
        self,
        forward: Forward,
        batch: Batch,
        start: Tensor,
        *,
        n_steps: int | None = None,
        sparsity_weight: float | None = None,
        seed: int = 0,
    ) -> Tensor:
        """Return masks ``(B, n)``, 0 for features that a sample lacks.

        The model is evaluated in its own precision, outside of autocast.

        Args:
            forward: The model; its weights are not changed.
            batch: The samples.
            start: First masks, ``(B, n)``.
            n_steps: Another number of steps.
            sparsity_weight: Another w.
            seed: Another seed gives other draws of a random baseline; each step has its own.

        Raises:
            ValueError: If the model has no gradient.
        """
        weight = self.sparsity_weight if sparsity_weight is None else sparsity_weight
        full = torch.autocast(start.device.type, enabled=False)
        with torch.inference_mode(False), torch.enable_grad(), full:
            batch = batch.explaining(None).outside_inference_mode()
            batch = batch.with_inputs(batch.inputs.detach())  # not into the graph of the caller
            with torch.no_grad():
                wanted = probabilities(logits_of(forward, batch))
                batch, bound = embedded_features(self.masker, batch, forward)
            counts = bound.present.sum(dim=1)
            mask = start.detach().clone().requires_grad_()
            adam = torch.optim.Adam([mask], lr=self.learning_rate)
            n_steps = self.n_steps if n_steps is None else n_steps
            for step in range(n_steps):
                adam.zero_grad()
                draw = seed * n_steps + step
                found = masked_probabilities(forward, batch, bound, mask, frozen=True, seed=draw)
                if not found.requires_grad:
                    raise ValueError(
                        "model must be differentiable for OptimizedMask, got outputs without a "
                        "graph to the inputs; use a differentiable model, such as a Surrogate of it"
                    )
                sparsity = (mask * bound.present).sum(dim=1) / counts
                (weight * sparsity + (found - wanted).abs().sum(dim=1)).sum().backward()
                adam.step()
                with torch.no_grad():
                    mask.clamp_(0, 1)
            return mask.detach() * bound.present

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return (
            f"masker={self.masker}, n_steps={self.n_steps}, learning_rate={self.learning_rate}, "
            f"sparsity_weight={self.sparsity_weight}"
        )


def probabilities(logits: Tensor) -> Tensor:
    """Return probabilities of logits ``(N, C)``; a single output is returned unchanged.

    Args:
        logits: Logits, ``(N, C)``.
    """
    logits = at_least_float32(logits)
    return logits if logits.shape[1] == 1 else logits.softmax(dim=1)


def masked_probabilities(
    forward: Forward,
    batch: Batch,
    bound: BoundMasker,
    mask: Tensor,
    *,
    frozen: bool,
    seed: int = 0,
) -> Tensor:
    """Return probabilities at masked samples, ``(B, C)``.

    Args:
        forward: The model.
        batch: The samples, in floating point.
        bound: Their features.
        mask: Share of each feature that is kept, ``(B, n)``.
        frozen: See :func:`~pear_lightning.scoring.masked_logits.masked_logits`.
        seed: See there.
    """
    logits = masked_logits(forward, batch, bound, mask[None], frozen=frozen, seed=seed)
    return probabilities(logits[0])
