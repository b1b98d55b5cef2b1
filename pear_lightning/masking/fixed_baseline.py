"""A baseline that is the same for every sample."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from pear_lightning.masking.baseline import Baseline

FixedSpec = Literal["zeros", "mean"] | float | Tensor


class FixedBaseline(Baseline):
    """A reference input: zeros, a constant, a given tensor, or the mean of the training data.

    The mean is set once, by :meth:`fit`, and kept as a buffer, which is saved in checkpoints and
    moved with the module.

    Args:
        spec: ``"zeros"``, ``"mean"``, a number, or a tensor ``(*S)`` (size 1 broadcasts:
            ``(C, 1, 1)`` is a colour).

    Raises:
        ValueError: If ``spec`` is none of these, or holds NaN or Inf.

    Shapes:
        - inputs: ``(B, *S)``
        - output: ``(1, *S)``

    Example:
        >>> import torch
        >>> baseline = FixedBaseline("mean")
        >>> baseline.fit(torch.tensor([1.0, 2.0]))
        >>> baseline(torch.zeros(3, 2))
        tensor([[1., 2.]])
    """

    value: Tensor | None

    def __init__(self, spec: FixedSpec = "zeros") -> None:
        super().__init__()
        value: Tensor | None = None
        if isinstance(spec, str):
            if spec not in ("zeros", "mean"):
                raise ValueError(
                    f"baseline must be 'zeros', 'mean', a number or a tensor, got {spec!r}"
                )
            self.from_training_data = spec == "mean"
            value = None if self.from_training_data else torch.zeros(())
        else:
            value = torch.as_tensor(spec).detach().clone()
            if not value.is_floating_point():
                value = value.float()
            if not value.isfinite().all():
                raise ValueError("baseline must be finite, got NaN or Inf")
        self.register_buffer("value", value)
        self.register_load_state_dict_pre_hook(_allocate)  # type: ignore[no-untyped-call]

    def init_args(self) -> dict[str, Any]:
        """Return the argument ``spec``: ``"mean"``, or the value."""
        return {"spec": "mean" if self.from_training_data else self.value}

    def fit(self, mean: Tensor) -> None:
        """Take the mean of the training data if ``spec`` is ``"mean"``.

        Args:
            mean: Mean of the training inputs, ``(*S)``.
        """
        if self.from_training_data:
            self.value = mean.detach().clone()

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the baseline in the dtype of the inputs, ``(1, *S)``.

        Args:
            inputs: Inputs, ``(B, *S)``.

        Raises:
            RuntimeError: If the mean has not been fitted.
            ValueError: If the baseline does not have the shape of one input.
        """
        if self.value is None:
            raise RuntimeError(
                "baseline='mean' must be fitted to the training data before it is used, got no "
                "mean yet; train with Trainer.fit (modules take it from the data once), call "
                "explainer.fit_reference(mean, rows) or masker.fit(mean), or pass the baseline as "
                "a tensor"
            )
        if self.value.ndim and not _fits(self.value.shape, inputs.shape[1:]):
            raise ValueError(
                f"baseline must have the shape of one input, {tuple(inputs.shape[1:])} (or size 1 "
                f"in some dimensions), got {tuple(self.value.shape)}"
            )
        if not inputs.is_floating_point() and bool((self.value != self.value.trunc()).any()):
            raise ValueError(
                f"baseline must hold integers for inputs in {inputs.dtype}, got {self.value}; "
                "give inputs in floating point, or another baseline"
            )
        return self.value.to(inputs).expand(inputs.shape[1:])[None]

    def replacements(
        self, inputs: Tensor, seeds: Tensor, draws: Tensor, where: Tensor | None = None
    ) -> Tensor:
        """Return the baseline, ``(1, 1, *S)``, the same for every sample and draw."""
        return self(inputs)[None]  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """Return the value of the baseline, for ``repr``."""
        return "mean of the training data" if self.from_training_data else f"{self.value}"


def _fits(shape: torch.Size, wanted: torch.Size) -> bool:
    """Return whether a shape equals the wanted one, up to dimensions of size 1."""
    return len(shape) == len(wanted) and all(
        size in (1, full) for size, full in zip(shape, wanted, strict=True)
    )


def _allocate(module: nn.Module, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    """Allocate the value, so that a new baseline can load the one of a checkpoint."""
    saved = state_dict.get(f"{prefix}value")
    fitted = isinstance(module, FixedBaseline) and module.from_training_data
    if fitted and isinstance(saved, Tensor):
        module.value = torch.empty_like(saved)
