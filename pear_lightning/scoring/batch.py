"""The batch: inputs, target, annotations, and keyword arguments of the model and of maskers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any, Self

import torch
from torch import Tensor

from pear_lightning.functional.validation import check_finite, check_tensor

_INPUTS = ("inputs", "inputs_embeds", "pixel_values", "input_ids")
_TARGETS = ("target", "labels", "label")
_OF_MASKERS = ("input_ids", "special_tokens_mask", "segments")
_KWARGS = ("forward_kwargs", "masker_kwargs")
_POSITIONS = ("inputs", "target", "mask", *_KWARGS)


@dataclass(frozen=True, eq=False)
class Batch:
    """A batch of samples, read and checked once.

    All modules, callbacks, losses and metrics read their batches through this class. Each of them
    uses the parts that it needs and ignores the others.

    Args:
        inputs: Inputs, ``(B, *S)``.
        target: Labels ``(B,)``: class indices, or values for regression. ``None`` for a model with
            one output, or to use the predicted class.
        mask: Annotations, ``(B, *S)``, where dimensions may have size 1; ``None`` for no
            annotations.
        forward_kwargs: Further keyword arguments of the model, such as an attention mask; tensors
            have one row per sample. Maskers receive them too.
        masker_kwargs: Data of the samples that only maskers take, such as label maps of segments;
            tensors have one row per sample.

    Raises:
        TypeError: If inputs, target or mask is not a tensor.
        ValueError: If the numbers of rows differ.

    Example:
        >>> x, y = torch.rand(4, 3), torch.tensor([0, 1, 1, 0])
        >>> batch = Batch.of((x, y))
        >>> len(batch), batch.rows(slice(2)).target.tolist()
        (4, [0, 1])
    """

    inputs: Tensor
    target: Tensor | None = None
    mask: Tensor | None = None
    forward_kwargs: Mapping[str, Any] = field(default_factory=dict)
    masker_kwargs: Mapping[str, Any] = field(default_factory=dict)
    _finite: bool = field(default=False, repr=False, kw_only=True)
    _marks_elements: bool = field(default=False, repr=False, kw_only=True)
    _range: tuple[int, int] | None = field(default=None, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        """Check types and numbers of rows, without reading values."""
        check_tensor("inputs", self.inputs)
        if isinstance(self.target, str | float | bool):
            raise TypeError(
                "target must be labels (B,), one class index for all samples, or None, got "
                f"{self.target!r}"
            )
        if isinstance(self.target, Integral):
            target = torch.full(self.inputs.shape[:1], int(self.target), device=self.inputs.device)
            object.__setattr__(self, "target", target)
        rows = self.inputs.shape[:1]
        if self.target is not None:
            check_tensor("target", self.target)
            if self.target.shape[:1] != rows:
                raise ValueError(_of_target(rows, self.target))
        if self.mask is not None:
            check_tensor("mask", self.mask)
        for argument in _KWARGS:
            kwargs = getattr(self, argument)
            if kwargs is None:
                object.__setattr__(self, argument, {})
                continue
            if not isinstance(kwargs, Mapping):
                raise TypeError(
                    f"{argument} must be a mapping of names to tensors, got {type(kwargs).__name__}"
                )
            for name, value in kwargs.items():
                if isinstance(value, Tensor) and value.shape[:1] != rows:
                    raise ValueError(
                        f"{argument}[{name!r}] must have one row per sample, ({rows[0]}, ...), "
                        f"got {tuple(value.shape)}"
                    )

    @classmethod
    def of(cls, batch: Any) -> "Batch":
        """Read what a loader yields.

        Args:
            batch: A :class:`Batch`, which is returned unchanged; inputs alone; a sequence
                ``(inputs, target, mask, forward_kwargs, masker_kwargs)``, which may end after any
                of them; or a mapping with these names. In a mapping collated by Hugging Face,
                ``inputs_embeds``, ``pixel_values`` or ``input_ids`` are the inputs, and ``labels``
                or ``label`` the target; ``special_tokens_mask``, ``segments`` and, if there are
                other inputs, ``input_ids`` are passed to the maskers; all other tensors are passed
                to the model; values that are not tensors are dropped.

        Raises:
            TypeError: If it has another form, or a part is of the wrong type.
            ValueError: If the inputs are missing, or the numbers of rows differ.
        """
        if isinstance(batch, Batch):
            return batch
        if isinstance(batch, Tensor):
            return cls(batch)
        if isinstance(batch, Mapping):
            if not any(name in batch for name in _INPUTS):
                raise ValueError(
                    f"batch must be a mapping with one of the keys {_INPUTS}, got the keys "
                    f"{list(batch)}"
                )
            return cls(**_of_mapping(batch))
        is_sequence = isinstance(batch, Sequence) and not isinstance(batch, str)
        if (
            is_sequence
            and 1 <= len(batch) <= 5
            and not any(isinstance(each, Mapping) for each in batch[1:3])
            and all(_is_kwargs(each) for each in batch[3:])
        ):
            if not isinstance(batch[0], Tensor):
                raise ValueError(
                    f"batch must begin with the inputs, a tensor, got {form_of(batch)}"
                )
            return cls(**dict(zip(_POSITIONS, batch, strict=False)))
        raise TypeError(
            "batch must be (inputs, target), (inputs, target, mask) or (inputs, target, mask, "
            "forward_kwargs), where mask may be None and forward_kwargs is a mapping of the "
            "model's keyword arguments, or a mapping with 'inputs' or 'input_ids', got "
            f"{form_of(batch)}"
        )

    def __len__(self) -> int:
        """Return the number of samples B."""
        return len(self.inputs)

    @property
    def _shares_mask(self) -> bool:
        """Whether one mask applies to all samples."""
        return self.mask is None or (len(self.mask) == 1 and len(self) != 1)

    @property
    def sample_data(self) -> dict[str, Any]:
        """Data of the samples that maskers may use, by name."""
        return {**self.forward_kwargs, **self.masker_kwargs}

    @property
    def labels(self) -> Tensor:
        """The target, ``(B,)``.

        Raises:
            ValueError: If the batch has no target.
        """
        if self.target is None:
            raise ValueError(
                "batch must have a target in training, validation and test, got none; give "
                "(inputs, target) or a mapping with 'target' or 'labels'"
            )
        return self.target

    @property
    def marks(self) -> Tensor:
        """The mask, which must be there.

        Raises:
            ValueError: If there is none.
        """
        if self.mask is None:
            raise ValueError("a batch has no mask: (inputs, target, mask) or a mapping with 'mask'")
        return self.mask

    @property
    def classes(self) -> Tensor | None:
        """The target as class indices, ``(B,)`` long; ``None`` if there is no target.

        Raises:
            TypeError: If the target does not hold integers.
            ValueError: If its shape is not ``(B,)``.
        """
        target = self.target
        if target is None:
            return None
        if target.is_floating_point() or target.is_complex() or target.dtype == torch.bool:
            raise TypeError(f"target must hold class indices (torch.long), got {target.dtype}")
        if target.shape != self.inputs.shape[:1]:
            raise ValueError(_of_target(self.inputs.shape[:1], target))
        return target.long()

    @property
    def class_range(self) -> tuple[int, int] | None:
        """Smallest and largest class index; ``None`` if there is no target, or no sample.

        The first access synchronises with an accelerator; the result is kept.
        """
        if self._range is None and len(self) and (classes := self.classes) is not None:
            low, high = classes.aminmax()
            object.__setattr__(self, "_range", (int(low), int(high)))
        return self._range

    def classes_among(self, n_classes: int, model: str = "model") -> Tensor:
        """Return the class indices ``(B,)``, long, or raise if a model has others.

        Args:
            n_classes: Number of classes of the model.
            model: Name of the argument that holds the model.

        Raises:
            TypeError: If the target does not hold integers.
            ValueError: If there is no target, or it is out of range.

        Example:
            >>> Batch(torch.rand(2, 3), torch.tensor([0, 2])).classes_among(2, "predictor")
            Traceback (most recent call last):
            ...
            ValueError: target must lie in 0..1, the predictor's classes, got values from 0 to 2
        """
        classes = self.classes
        if classes is None:
            raise ValueError(
                f"target must name one of the {n_classes} outputs for each sample, got None; only "
                "a model with one output needs no target"
            )
        if not torch.compiler.is_compiling() and self.class_range is not None:
            low, high = self.class_range
            if low < 0 or high >= n_classes:
                raise ValueError(
                    f"target must lie in 0..{n_classes - 1}, the {model}'s classes, got values "
                    f"from {low} to {high}"
                )
        return classes

    def check_finite(self) -> Self:
        """Return the batch, or raise if the inputs are not finite; later calls do not check again.

        Raises:
            ValueError: If the inputs hold NaN or Inf.
        """
        if not self._finite:
            check_finite("inputs", self.inputs)
            object.__setattr__(self, "_finite", True)
        return self

    def rows(self, index: Tensor | slice, inputs: Tensor | None = None) -> "Batch":
        """Return a batch of some of the samples.

        Args:
            index: Indices ``(A,)`` long, a mask ``(B,)`` bool, or a slice.
            inputs: Other inputs of these samples, ``(A, *S)``, which have not been checked; None
                for the same ones.
        """

        def chosen(value: Any) -> Any:
            return value[index] if isinstance(value, Tensor) else value

        return replace(
            self,
            inputs=self.inputs[index] if inputs is None else inputs,
            _finite=self._finite and inputs is None,
            target=chosen(self.target),
            mask=self.mask if self._shares_mask else chosen(self.mask),
            forward_kwargs={name: chosen(each) for name, each in self.forward_kwargs.items()},
            masker_kwargs={name: chosen(each) for name, each in self.masker_kwargs.items()},
        )

    def blocks(self, size: int) -> Iterator["Batch"]:
        """Split the batch into blocks of at most ``size`` samples.

        Args:
            size: Largest number of samples of a block.

        Yields:
            The blocks, in order.
        """
        if len(self) <= size:
            yield self
            return
        for start in range(0, len(self), size):
            yield self.rows(slice(start, start + size))

    def explaining(self, target: Tensor | int | None) -> "Batch":
        """Return the same samples with another explained output.

        Args:
            target: Class indices ``(B,)``, or one for all samples; ``None`` for a model with one
                output.
        """
        return replace(self, target=target, _range=None)  # type: ignore[arg-type]  # an integer is expanded

    def explaining_predicted(self, logits: Tensor) -> "Batch":
        """Return the same samples with the class of the largest logit as the explained output.

        Args:
            logits: Logits of the samples, ``(B, C)``.
        """
        # the range is known without reading the classes, which waits for an accelerator
        return replace(self, target=logits.argmax(dim=1), _range=(0, logits.shape[1] - 1))

    def with_inputs(self, inputs: Tensor) -> "Batch":
        """Return the same samples with other inputs, which have not been checked.

        Args:
            inputs: ``(B, *S)``.
        """
        return replace(self, inputs=inputs, _finite=False)

    @property
    def marks_elements(self) -> bool:
        """Whether the mask is checked and marks elements of the inputs, not features."""
        return self._marks_elements

    def with_elements_marked(self, mask: Tensor) -> "Batch":
        """Return the same samples with a checked mask of the elements of the inputs.

        Args:
            mask: Bool, with the dimensions of the inputs, where some may have size 1.
        """
        return replace(self, mask=mask, _marks_elements=True)

    def embedded(self, embed: Callable[[Tensor], Tensor]) -> "Batch":
        """Replace token ids by embeddings; maskers still receive the ids, as ``input_ids``.

        Args:
            embed: Maps ids ``(B, L)`` to embeddings ``(B, L, D)``.

        Returns:
            The batch with embeddings; the batch itself if the inputs are floating point.
        """
        if self.inputs.is_floating_point():
            return self
        ids = {"input_ids": self.inputs}
        return replace(self, inputs=embed(self.inputs), masker_kwargs={**ids, **self.masker_kwargs})

    def to(self, *args: Any, **kwargs: Any) -> "Batch":
        """Move all tensors, as :meth:`torch.Tensor.to` does.

        Args:
            *args: Arguments of :meth:`torch.Tensor.to`, such as a device.
            **kwargs: Its keyword arguments.
        """

        def moved(value: Any) -> Any:
            return value.to(*args, **kwargs) if isinstance(value, Tensor) else value

        return self._with_each(moved)

    def outside_inference_mode(self) -> "Batch":
        """Return the batch with copies of inference tensors, which autograd cannot save.

        It must be called with inference mode off.
        """

        def usable(value: Any) -> Any:
            return value.clone() if isinstance(value, Tensor) and value.is_inference() else value

        return self._with_each(usable)

    def _with_each(self, function: Callable[[Any], Any]) -> "Batch":
        """Return the batch with a function applied to each part."""
        return replace(
            self,
            inputs=function(self.inputs),
            target=function(self.target),
            mask=function(self.mask),
            forward_kwargs={name: function(each) for name, each in self.forward_kwargs.items()},
            masker_kwargs={name: function(each) for name, each in self.masker_kwargs.items()},
        )


def form_of(batch: Any) -> str:
    """Describe an object that is not a batch, for error messages.

    Args:
        batch: Anything.

    Example:
        >>> form_of((torch.zeros(1), "a")), form_of({"x": 1})
        ('tuple of 2: Tensor, str', "dict of 'x'")
    """
    name = type(batch).__name__
    if isinstance(batch, list | tuple):
        return f"{name} of {len(batch)}: {', '.join(type(part).__name__ for part in batch)}"
    if isinstance(batch, Mapping):
        return f"{name} of {', '.join(map(repr, batch))}"
    return name


def _is_kwargs(value: Any) -> bool:
    return isinstance(value, Mapping | None)


def _of_mapping(batch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of :class:`Batch` that a mapping holds."""
    rest = dict(batch)
    known: dict[str, Any] = {}
    for name, choices in (("inputs", _INPUTS), ("target", _TARGETS), ("mask", ("mask",))):
        found = next((each for each in choices if each in rest), None)
        known[name] = None if found is None else rest.pop(found)
    forward_kwargs, masker_kwargs = (dict(rest.pop(name, None) or {}) for name in _KWARGS)
    for name, value in rest.items():
        if isinstance(value, Tensor):
            (masker_kwargs if name in _OF_MASKERS else forward_kwargs)[name] = value
    return {**known, "forward_kwargs": forward_kwargs, "masker_kwargs": masker_kwargs}


def _of_target(rows: Sequence[int], target: Tensor) -> str:
    what = "value" if target.is_floating_point() else "class index"
    return f"target must have one {what} per sample, ({rows[0]},), got {tuple(target.shape)}"
