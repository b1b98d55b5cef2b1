"""Expected gradients."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from pear_lightning.explainers.base import GradientExplainer, Query
from pear_lightning.functional.random_draws import random_draws
from pear_lightning.functional.validation import check_count


class ExpectedGradients(GradientExplainer):
    r"""Integrated gradients averaged over baselines from the data.

    .. math:: a = \mathbb{E}_{b \sim D,\; t \sim U(0, 1)}
              \left[ (x - b) \odot \nabla f(b + t (x - b)) \right]

    The expectation is estimated with K draws of a background row and a position on the path.

    Args:
        n_samples: Number of draws K.
        background: Rows ``(N, *S)`` that baselines are drawn from, with size 1 in dimensions that
            are broadcast (``torch.zeros(1, 1, 1)`` for embeddings of texts of any length), or
            ``"train"`` for rows of the training data, which modules set at the start of training.
        seed: Seed of draws shared by all samples and calls. ``None`` draws anew for each sample
            from torch's global generator.

    Raises:
        TypeError: If the background is neither a tensor nor a string.
        ValueError: If ``n_samples < 1``, or the background is empty or not finite.

    Shapes:
        - inputs: ``(B, *S)``
        - attributions: ``(B, *S)``

    Example:
        >>> import torch
        >>> from pear_lightning.explainers import explain
        >>> model, inputs, background = torch.nn.Linear(3, 2), torch.rand(4, 3), torch.zeros(1, 3)
        >>> _, (attributions,) = explain(model, inputs, 0, [ExpectedGradients(4, background)])
        >>> bool(torch.allclose(attributions, inputs * model.weight[0], atol=1e-6))
        True

    References:
        Erion, Janizek, Sturmfels, Lundberg, Lee, *Improving performance of deep learning models
        with axiomatic attribution priors and expected gradients*, 2021, arXiv 1906.10670.
    """

    background: Tensor | None

    def __init__(
        self,
        n_samples: int = 20,
        background: Tensor | Literal["train"] = "train",
        *,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        check_count("n_samples", n_samples)
        if isinstance(background, str) and background != "train":
            raise ValueError(f"background must be rows (N, *S) or 'train', got {background!r}")
        if not isinstance(background, str | Tensor):
            raise TypeError(
                "background must be a tensor of rows (N, *S) or 'train', got "
                f"{type(background).__name__}; use torch.as_tensor(...)"
            )
        self.n_samples = n_samples
        self.from_training_data = isinstance(background, str)
        self.seed = seed
        self.stochastic = seed is None
        self.register_buffer("background", None)
        if isinstance(background, Tensor):
            if background.ndim < 2 or not len(background) or not background.isfinite().all():
                raise ValueError(
                    "background must be finite rows (N, *S) with N >= 1, "
                    f"got shape {tuple(background.shape)}"
                )
            self.background = background.detach().clone()
        self.register_load_state_dict_pre_hook(_allocate)  # type: ignore[no-untyped-call]

    @property
    def uses_training_data(self) -> bool:
        """Whether the background consists of training rows."""
        return self.from_training_data

    def fit_reference(self, mean: Tensor, rows: Tensor) -> None:
        """Take training rows as the background if ``background="train"``.

        Args:
            mean: Not used.
            rows: A sample of the training inputs, ``(N, *S)``.
        """
        if self.from_training_data:
            self.background = rows.detach().clone()

    def query(self, inputs: Tensor) -> Query:
        """Return random points between background rows and the inputs.

        Args:
            inputs: Inputs, ``(B, *S)``.

        Raises:
            RuntimeError: If the background rows are not set yet.
            ValueError: If the background rows do not have the shape of one input.
        """
        if self.background is None:
            raise RuntimeError(
                "background='train' must be filled before it is used, got no rows yet; train with "
                "Trainer.fit (modules take rows from the data once), call "
                "explainer.fit_reference(mean, rows), or pass rows"
            )
        own, wanted = self.background.shape[1:], inputs.shape[1:]
        fits = zip(own, wanted, strict=False)
        if len(own) != len(wanted) or any(n not in (1, full) for n, full in fits):
            raise ValueError(
                f"background must hold rows of shape {tuple(wanted)}, or with size 1 in dimensions "
                f"that are broadcast, got {tuple(own)}"
            )
        # half precision has too few distinct values to draw each of many rows
        like = inputs.new_empty(len(inputs), dtype=torch.promote_types(inputs.dtype, torch.float32))
        uniform = random_draws("uniform", self.n_samples, like, (2,), self.seed)
        row = (uniform[..., 0] * len(self.background)).long().clamp_(max=len(self.background) - 1)
        position = uniform[..., 1].to(inputs).reshape(*row.shape, *(1,) * (inputs.ndim - 1))
        baseline = self.background.to(inputs)[row]
        difference = inputs - baseline
        return Query(points=baseline + position * difference, weights=difference / self.n_samples)

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"n_samples={self.n_samples}, seed={self.seed}"


def _allocate(module: nn.Module, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    """Allocate the background, so that a new explainer can load the rows of a checkpoint."""
    saved = state_dict.get(f"{prefix}background")
    if isinstance(module, ExpectedGradients) and isinstance(saved, Tensor):
        module.background = torch.empty_like(saved)
