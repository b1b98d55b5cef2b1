"""The baseline that is the same for every sample."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from pear_lightning.masking.baseline import Baseline

FixedSpec = Literal["zeros", "mean"] | float | Tensor


class FixedBaseline(Baseline):
    """A reference input: zeros, a constant, a given tensor, or the mean of the training data.

    The mean is taken once, by :meth:`fit`, and kept as a buffer: it is saved in checkpoints and
    follows the device.

    Args:
        spec: ``"zeros"``, ``"mean"``, a number, or a tensor ``(*S)`` (1 in a dimension stands for
            all of it: ``(C, 1, 1)`` is a colour).

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
        self.register_load_state_dict_pre_hook(_make_room)  # type: ignore[no-untyped-call]

    def fit(self, mean: Tensor) -> None:
        """Take the mean of the training data, where that is what was asked for.

        Args:
            mean: Mean of the training inputs, ``(*S)``.
        """
        if self.from_training_data:
            self.value = mean.detach().clone()

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the baseline in the inputs' type.

        Args:
            inputs: Inputs, ``(B, *S)``.

        Returns:
            Baseline, ``(1, *S)``.

        Raises:
            RuntimeError: If the mean has not been fitted.
            ValueError: If the baseline's shape is not that of one input.
        """
        if self.value is None:
            raise RuntimeError(
                "baseline='mean' is the mean of the training data and has not been computed yet: "
                "train with Trainer.fit (modules take it from the data once), call "
                "explainer.fit_reference(mean, rows) or masker.fit(mean), or pass the baseline as "
                "a tensor"
            )
        if self.value.ndim and not _fits(self.value.shape, inputs.shape[1:]):
            raise ValueError(
                f"baseline must have the shape of one input, {tuple(inputs.shape[1:])} (or 1 in "
                f"some dimensions), got {tuple(self.value.shape)}"
            )
        return self.value.to(inputs).expand(inputs.shape[1:])[None]

    def replacements(
        self, inputs: Tensor, seeds: Tensor, draws: Tensor, where: Tensor | None = None
    ) -> Tensor:
        """Return the baseline, ``(1, 1, *S)``: the same for every sample and draw."""
        return self(inputs)[None]  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """Say what the baseline is."""
        return "mean of the training data" if self.from_training_data else f"{self.value}"


def _fits(shape: torch.Size, wanted: torch.Size) -> bool:
    """Whether a baseline's shape is the wanted one, up to dimensions of size 1."""
    return len(shape) == len(wanted) and all(
        size in (1, full) for size, full in zip(shape, wanted, strict=True)
    )


def _make_room(module: nn.Module, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    """Let a fresh baseline take the value that a checkpoint holds."""
    saved = state_dict.get(f"{prefix}value")
    fitted = isinstance(module, FixedBaseline) and module.from_training_data
    if fitted and isinstance(saved, Tensor):
        module.value = torch.empty_like(saved)
