"""The explained scalar at many query points of every sample."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.eval_mode import eval_mode
from pear_lightning.scoring.modules_behind import modules_behind
from pear_lightning.scoring.outputs import OutputFunction, explained_scalars, sum_logit
from pear_lightning.scoring.probability_outputs import look_for_probabilities
from pear_lightning.scoring.progress import count_evaluations

Forward = Callable[..., Tensor]
"""The model: maps inputs ``(N, *S)`` (and keyword tensors) to logits ``(N, C)``."""

# errors of torch about inputs and weights of different dtypes
_ABOUT_DTYPES = ("must have the same dtype", "should be the same", "expected scalar type")
# error of torch where a model writes to inputs that gradients are taken of
_WRITES_TO_A_LEAF = "leaf Variable that requires grad is being used in an in-place operation"


@dataclass(frozen=True, eq=False)
class Scorer:
    """Evaluate the explained scalar of a batch of samples at K query points each.

    Every explainer calls the model through this object. It repeats the target and the per-sample
    keyword tensors for each point, adds the class dimension to single outputs, checks shapes, and
    bounds the number of rows in one forward pass.

    Args:
        forward: Model; maps inputs ``(N, *S)`` to logits ``(N, C)``.
        batch: The samples; their target is the explained class, ``None`` for a model with one
            output.
        output: Maps logits ``(N, C)`` and target ``(N,)`` to scalars ``(N,)``.
        points_per_pass: At most this many query points of each sample in one forward pass;
            ``None`` for all at once.

    Raises:
        TypeError: If the model is not callable, or the target does not hold integers.
        ValueError: If the target does not have one class per sample.

    Shapes:
        - points: ``(K, B, *S)``
        - scores: ``(K, B)``
        - logits: ``(K, B, C)``
    """

    forward: Forward
    batch: Batch
    output: OutputFunction
    points_per_pass: int | None = None

    def __post_init__(self) -> None:
        """Check the model and the target."""
        check_model(self.forward)
        _ = self.batch.classes

    @property
    def target(self) -> Tensor | None:
        """Explained class of each sample, ``(B,)``; ``None`` for a model with one output."""
        return self.batch.classes

    def __call__(self, points: Tensor) -> Tensor:
        """Return the scores ``(K, B)`` of all points, in chunks of ``points_per_pass``.

        Args:
            points: Query points, ``(K, B, *S)``.
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
            ValueError: If the model does not return logits ``(N, C)``, a target is not one of its
                classes, or the output is not one scalar per row.
        """
        scores, logits = self.evaluate_rows(points.flatten(0, 1), len(points))
        return scores.unflatten(0, points.shape[:2]), logits.unflatten(0, points.shape[:2])

    def evaluate_rows(self, rows: Tensor, n_points: int) -> tuple[Tensor, Tensor]:
        """Run the model once on points in rows; rows of the first point come first.

        Args:
            rows: Query points, ``(K·B, *S)``.
            n_points: K.

        Returns:
            Scores ``(K·B,)`` and logits ``(K·B, C)``.

        Raises:
            ValueError: As in :meth:`evaluate`.
        """
        logits = self.logits_of_rows(rows, n_points)
        return self.scores_of(logits, n_points), logits

    def logits_of_rows(self, rows: Tensor, n_points: int) -> Tensor:
        """Run the model once on points in rows, without its explained scalar.

        Args:
            rows: Query points, ``(K·B, *S)``; rows of the first point come first.
            n_points: K.

        Returns:
            Logits ``(K·B, C)``.

        Raises:
            ValueError: If the model does not return logits ``(N, C)``.
        """
        outputs = run_model(self.forward, rows, self.repeat_kwargs(n_points))
        return as_logits(outputs, len(rows))

    def logits_of_samples(self) -> Tensor:
        """Run the model on a copy of the samples, to which it may write, and return logits."""
        return self.logits_of_rows(self.batch.inputs.clone(), 1)

    def scores_of(self, logits: Tensor, n_points: int = 1) -> Tensor:
        """Return the explained scalar of logits.

        Args:
            logits: ``(K·B, C)``; rows of the first point come first.
            n_points: K.

        Returns:
            Scores ``(K·B,)``.

        Raises:
            ValueError: If a target is not one of the classes, or the output is not one scalar per
                row.
        """
        return explained_scalars(self.output, logits, self._targets(logits, n_points))

    def outside_inference_mode(self) -> "Scorer":
        """Return this scorer with copies of inference tensors, which autograd cannot save."""
        return replace(self, batch=self.batch.outside_inference_mode())

    def of_predicted(self) -> tuple["Scorer", Tensor]:
        """Return the scorer of the predicted classes, and their logits.

        Returns:
            Scorer whose target is the class of the largest logit, and logits ``(B, C)``.
        """
        batch = self.batch
        logits = self.logits_of_samples()
        return replace(self, batch=batch.explaining_predicted(logits)), logits

    def _targets(self, logits: Tensor, n_points: int) -> Tensor:
        """Return the target of each row of logits ``(N, C)``, after checking its range."""
        if logits.shape[1] == 1:
            if self.target is None:
                return torch.zeros(len(logits), dtype=torch.long, device=logits.device)
            self._check_one_output()
        # several times faster than repeat()
        return self.batch.classes_among(logits.shape[1]).expand(n_points, -1).flatten()

    def _check_one_output(self) -> None:
        """Raise if a target names a class of a model with one output."""
        found = None if torch.compiler.is_compiling() else self.batch.class_range
        if found is not None and found != (0, 0):
            raise ValueError(
                f"target must be None for a model with one output, got values from {found[0]} to "
                f"{found[1]}; explain the output itself, with target=None; in a callback, with "
                "batch_to_inputs=lambda batch: Batch(batch[0], None), and the masks as a third "
                "argument if there are any (from pear_lightning.scoring import Batch)"
            )

    def repeat_kwargs(self, n_points: int) -> dict[str, Any]:
        """Return the keyword arguments with each tensor's rows repeated ``n_points`` times."""
        return {
            name: value.repeat(n_points, *(1,) * (value.ndim - 1))
            if isinstance(value, Tensor)
            else value
            for name, value in self.batch.forward_kwargs.items()
        }


def run_model(forward: Forward, inputs: Tensor, kwargs: Mapping[str, Any]) -> Tensor:
    """Run a model and check that it returns a tensor.

    Args:
        forward: The model.
        inputs: Inputs, ``(N, *S)``.
        kwargs: Further keyword arguments of the model.

    Raises:
        TypeError: If the output is not a tensor, or the inputs do not have the dtype of the model.
    """
    if torch.compiler.is_compiling():
        outputs: Any = forward(inputs, **kwargs)
    else:
        count_evaluations(len(inputs))
        try:
            outputs = forward(inputs, **kwargs)
        except RuntimeError as error:
            if _WRITES_TO_A_LEAF in str(error) and inputs.requires_grad:
                outputs = forward(inputs.clone(), **kwargs)  # the model writes to its inputs
            else:
                _raise_for_dtype(forward, inputs, error)
                raise
        except (AttributeError, LookupError, TypeError) as error:
            error.add_note(
                f"The model was called with inputs {tuple(inputs.shape)}"
                f"{''.join(f' and {name}' for name in kwargs)}. If its forward takes a whole batch "
                "instead, explain the network within it: give model='...' to a callback, or pass "
                "this network instead of the module."
            )
            raise
    return _checked(outputs)


def _checked(outputs: Any) -> Tensor:
    """Return the output of a model, or raise if it is not a tensor."""
    if not isinstance(outputs, Tensor):
        raise TypeError(
            f"forward must return a tensor of logits (N, C), got {type(outputs).__name__}; wrap "
            "the model so that it returns the logits alone (for transformers models: "
            "pear_lightning.nn.TransformersClassifier)"
        )
    return outputs


def _raise_for_dtype(forward: Forward, inputs: Tensor, error: RuntimeError) -> None:
    """Raise an error about the dtype of the inputs if a model's error is about dtypes."""
    weights = [each for module in modules_behind(forward) for each in module.parameters()]
    others = {each.dtype for each in weights if each.is_floating_point()} - {inputs.dtype}
    about_dtypes = any(phrase in str(error) for phrase in _ABOUT_DTYPES)
    if about_dtypes and inputs.is_floating_point() and others:
        raise TypeError(
            f"inputs must have the dtype of the model's weights, {others.pop()}, got "
            f"{inputs.dtype}; convert them, or the model: model.to({inputs.dtype})"
        ) from error


def as_logits(outputs: Any, n_rows: int) -> Tensor:
    """Check the output of a model and return it as logits ``(N, C)``.

    Args:
        outputs: Return value of the model: ``(N, C)``, or ``(N,)`` for a single output.
        n_rows: Expected ``N``.

    Raises:
        TypeError: If the output is not a tensor.
        ValueError: If its shape is wrong.
    """
    logits = _checked(outputs)
    if logits.ndim == 1:
        logits = logits[:, None]
    if logits.ndim != 2 or logits.shape[0] != n_rows:
        raise ValueError(
            f"forward must return logits (N, C) with N = {n_rows}, got {tuple(logits.shape)}"
        )
    return logits


def check_model(forward: Any) -> None:
    """Raise unless the model can be called.

    Args:
        forward: The model.

    Raises:
        TypeError: If it is no module or function.
    """
    if not callable(forward):
        raise TypeError(
            "model must be a module or a function that maps inputs (N, *S) to logits (N, C), "
            f"got {forward!r}; only a trained network explains without the model: "
            "AmortizedExplainer.attributions(inputs)"
        )


@torch.no_grad()
def logits_of(forward: Forward, batch: Batch) -> Tensor:
    """Return the logits ``(B, C)`` of samples by a model in eval mode.

    Args:
        forward: Model; maps inputs ``(N, *S)`` to logits ``(N, C)``, or ``(N,)`` for one output.
        batch: The samples; their target is not used.
    """
    check_model(forward)
    with eval_mode(forward):
        logits = Scorer(forward, batch.explaining(None), sum_logit).logits_of_samples()
    look_for_probabilities(forward, logits)
    return logits


def predicted_classes(forward: Forward, batch: Batch) -> Tensor:
    """Return the classes ``(B,)``, long, that a model predicts in eval mode.

    Args:
        forward: Model; maps inputs ``(N, *S)`` to logits ``(N, C)``.
        batch: The samples; their target is not used.
    """
    return logits_of(forward, batch).argmax(dim=1)
