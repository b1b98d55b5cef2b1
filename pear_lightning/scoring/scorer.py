"""The explained scalar, evaluated at many query points of every sample."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from pear_lightning.scoring.outputs import OutputFunction

Forward = Callable[..., Tensor]
"""The model: inputs ``(N, *S)`` (and keyword tensors) to logits ``(N, C)``."""


@dataclass(frozen=True)
class Scorer:
    """Evaluate the explained scalar of a batch of samples at K query points each.

    Every explainer sees the model through this object: it repeats the target and the
    per-sample keyword tensors for each point, unwraps single outputs and checks shapes, and
    bounds how many rows go through the model at once.

    Args:
        forward: Model, inputs ``(N, *S)`` to logits ``(N, C)``.
        target: Explained class of each sample, ``(B,)``; ``None`` for a model with one output.
        output: Maps logits ``(N, C)`` and target ``(N,)`` to scalars ``(N,)``.
        forward_kwargs: Keyword arguments of ``forward``; tensors have ``B`` rows, one per sample.
        points_per_pass: At most this many query points of each sample in one forward pass;
            ``None`` for all at once.
        masker_kwargs: Data of the samples for maskers alone, such as segments.

    Shapes:
        - points: ``(K, B, *S)``
        - scores: ``(K, B)``
        - logits: ``(K, B, C)``
    """

    forward: Forward
    target: Tensor | None
    output: OutputFunction
    forward_kwargs: Mapping[str, Any] = field(default_factory=dict)
    points_per_pass: int | None = None
    masker_kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sample_data(self) -> dict[str, Any]:
        """What a masker may want to know of the samples, by name."""
        return {**self.forward_kwargs, **self.masker_kwargs}

    def __call__(self, points: Tensor) -> Tensor:
        """Return the scores of all points, in chunks where the memory bound asks for it.

        Args:
            points: Query points, ``(K, B, *S)``.

        Returns:
            Scores ``(K, B)``.
        """
        return torch.cat([self.evaluate(chunk)[0] for chunk in self.chunks(points)])

    def chunks(self, points: Tensor) -> Iterator[Tensor]:
        """Split query points ``(K, B, *S)`` along ``K`` by ``points_per_pass``."""
        if self.points_per_pass is None or points.shape[0] <= self.points_per_pass:
            return iter((points,))
        return iter(points.split(self.points_per_pass))

    def evaluate(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Run the model once on all the given points.

        Args:
            points: Query points, ``(K, B, *S)``.

        Returns:
            Scores ``(K, B)`` and logits ``(K, B, C)``.

        Raises:
            ValueError: If the model does not return logits ``(N, C)`` or has no class with the
                index of a target, or the output is not one scalar for each row.
        """
        scores, logits = self.evaluate_rows(points.flatten(0, 1), len(points))
        return scores.unflatten(0, points.shape[:2]), logits.unflatten(0, points.shape[:2])

    def evaluate_rows(self, rows: Tensor, n_points: int) -> tuple[Tensor, Tensor]:
        """Run the model once on points as it takes them, all of the first point before the next.

        Args:
            rows: Query points, ``(K·B, *S)``.
            n_points: K.

        Returns:
            Scores ``(K·B,)`` and logits ``(K·B, C)``.

        Raises:
            ValueError: As in :meth:`evaluate`.
        """
        logits = as_logits(self.forward(rows, **self.repeat_kwargs(n_points)), len(rows))
        scores = self.output(logits, self._targets(logits, n_points))
        if scores.shape[:1] != logits.shape[:1]:
            raise ValueError(
                "output must return one scalar for each row of the logits, "
                f"({len(logits)},), got {tuple(scores.shape)}"
            )
        return scores, logits

    def outside_inference_mode(self) -> "Scorer":
        """Return this scorer with copies of tensors that autograd could not save."""

        def usable(value: Any) -> Any:
            return value.clone() if isinstance(value, Tensor) and value.is_inference() else value

        kwargs = {name: usable(value) for name, value in self.forward_kwargs.items()}
        return replace(self, target=usable(self.target), forward_kwargs=kwargs)

    def _targets(self, logits: Tensor, n_points: int) -> Tensor:
        """Return the target of each row of logits ``(N, C)``, checked against their classes."""
        n_classes = logits.shape[1]
        if self.target is None:
            if n_classes != 1:
                raise ValueError(
                    f"target says which of the {n_classes} outputs is explained and may be left "
                    "out for a model with one output only"
                )
            return torch.zeros(len(logits), dtype=torch.long, device=logits.device)
        if not torch.compiler.is_compiling() and self.target.numel():
            low, high = (int(bound) for bound in self.target.aminmax())
            if low < 0 or high >= n_classes:
                raise ValueError(_of_classes(n_classes, low, high))
        return self.target.repeat(n_points)

    def repeat_kwargs(self, n_points: int) -> dict[str, Any]:
        """Return the keyword arguments with each tensor's rows repeated ``n_points`` times."""
        return {
            name: value.repeat(n_points, *(1,) * (value.ndim - 1))
            if isinstance(value, Tensor)
            else value
            for name, value in self.forward_kwargs.items()
        }


def _of_classes(n_classes: int, low: int, high: int) -> str:
    found = f"got values from {low} to {high}"
    if n_classes > 1:
        return f"target must lie in 0..{n_classes - 1}, the model's classes, {found}"
    return (
        f"the model has one output, which needs no target, and target was given: {found}. Explain "
        "the output itself, with target=None; in ExplanationRegularizer(..., "
        "batch_to_inputs=lambda batch: Sample(batch[0], None, batch[2])), without batch[2] where "
        "there are no masks"
    )


def as_logits(outputs: Any, n_rows: int) -> Tensor:
    """Check a model's output and give it the shape ``(N, C)``.

    Args:
        outputs: What the model returned: ``(N, C)``, or ``(N,)`` for a single output.
        n_rows: Expected ``N``.

    Returns:
        Logits ``(N, C)``.

    Raises:
        TypeError: If the output is not a tensor.
        ValueError: If its shape is wrong.
    """
    if not isinstance(outputs, Tensor):
        raise TypeError(
            f"forward must return a tensor of logits (N, C), got {type(outputs).__name__}; wrap "
            "the model so that it returns the logits alone (for transformers models: "
            "pear_lightning.nn.TransformersClassifier)"
        )
    if outputs.ndim == 1:
        outputs = outputs[:, None]
    if outputs.ndim != 2 or outputs.shape[0] != n_rows:
        raise ValueError(
            f"forward must return logits (N, C) with N = {n_rows}, got {tuple(outputs.shape)}"
        )
    logits: Tensor = outputs
    return logits


def check_target(target: Tensor | int | None, inputs: Tensor) -> Tensor | None:
    """Return the explained class of each sample.

    Args:
        target: ``(B,)``, or one for all; ``None`` for a model with one output.
        inputs: Inputs, ``(B, *S)``.

    Returns:
        Target ``(B,)`` long, or ``None``.

    Raises:
        TypeError: If it is not made of integers.
        ValueError: If its shape is wrong.
    """
    if target is None:
        return None
    if isinstance(target, int):
        return torch.full(inputs.shape[:1], target, device=inputs.device)
    if target.is_floating_point() or target.is_complex() or target.dtype == torch.bool:
        raise TypeError(f"target must hold class indices (torch.long), got {target.dtype}")
    if target.shape != inputs.shape[:1]:
        raise ValueError(
            f"target must have one class index per sample, ({inputs.shape[0]},), "
            f"got {tuple(target.shape)}"
        )
    return target.long()


def check_rows(argument: str, kwargs: Mapping[str, Any], inputs: Tensor) -> Mapping[str, Any]:
    """Return keyword arguments whose tensors have a row for each sample.

    Args:
        argument: What the caller calls them, for messages.
        kwargs: Keyword arguments.
        inputs: Inputs, ``(B, *S)``.

    Returns:
        The same.

    Raises:
        ValueError: If a tensor has another number of rows.
    """
    for name, value in kwargs.items():
        if isinstance(value, Tensor) and value.shape[:1] != inputs.shape[:1]:
            raise ValueError(
                f"{argument}[{name!r}] must have one row per sample, ({inputs.shape[0]}, ...), "
                f"got {tuple(value.shape)}"
            )
    return kwargs
