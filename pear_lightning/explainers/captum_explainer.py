"""Captum's attribution methods."""

import inspect
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from pear_lightning.explainers.base import Explainer
from pear_lightning.explainers.undo_instrumentation import undo_instrumentation
from pear_lightning.masking.fixed_baseline import FixedBaseline, FixedSpec
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.eval_mode import module_of
from pear_lightning.scoring.scorer import Scorer

# Base classes, wrappers with their own arguments, and methods that mix the samples of a batch.
_NOT_OFFERED = {
    "Attribution",
    "DataLoaderAttribution",
    "FeaturePermutation",
    "GradientAttribution",
    "LayerAttribution",
    "LayerFeaturePermutation",
    "LimeBase",
    "NoiseTunnel",
    "PerturbationAttribution",
}
_STOCHASTIC = {"GradientShap", "KernelShap", "LayerGradientShap", "Lime", "ShapleyValueSampling"}
# These average over the rows of their baselines; DeepLiftShap requires more than one row.
_MANY_BASELINES = {"DeepLiftShap", "GradientShap", "LayerDeepLiftShap", "LayerGradientShap"}
_RESERVED = {"inputs", "inp", "target", "additional_forward_args", "return_convergence_delta"}
_RESERVED |= {"return_input_shape"}
# Captum emits these warnings in every call; this module handles what they announce or advise.
_EXPECTED_WARNINGS = [
    "Setting forward, backward hooks and attributes on non-linear",
    "Setting backward hooks on ReLU activations",
    "You are providing multiple inputs for Lime / Kernel SHAP",
]


class CaptumExplainer(Explainer):
    """Run an attribution method of Captum, given by its class name.

    For evaluation and supervision: **the attributions cannot train a model**. Captum calls
    ``torch.autograd.grad`` without ``create_graph``, or detaches, so no gradient reaches the
    weights. Some of its methods still return a tensor with a ``grad_fn``, which hides this. The
    attributions returned here are detached. For training, use :class:`Gradient`,
    :class:`IntegratedGradients` and the other explainers of this package.

    The explained scalar is the one given to :func:`explain`, so the method sees a model with one
    output. Methods that need a module (DeepLift, LRP, GuidedBackprop, layer methods) hook the
    module behind ``forward``; the module is restored afterwards, also after an error. Captum's own
    arguments (``internal_batch_size``, ``perturbations_per_eval``) set the size of each call of the
    model; ``points_per_pass`` has no effect.

    Args:
        method: Name of a class in ``captum.attr``, such as ``"DeepLift"``, ``"LRP"``,
            ``"GuidedBackprop"``, ``"Occlusion"`` or ``"LayerGradCam"``. Methods of single neurons
            and methods that permute features between samples are not available.
        layer: Name of a submodule of the model, for methods that take a layer. Attributions of a
            layer of an image model are summed over its channels, resized to the inputs' spatial
            size and repeated for every input channel, unless they already have the inputs' shape.
        baseline: ``"zeros"``, ``"mean"`` (of the training data), a number, or a tensor ``(*S)``.
            ``None`` uses the method's own default, zeros. Methods that average over many baselines
            take them as ``attribute_kwargs={"baselines": rows}``, ``(N, *S)``.
        attribute_kwargs: Further arguments of the method's ``attribute``; lists become tuples
            (``sliding_window_shapes: [1, 4, 4]`` in YAML).
        method_kwargs: Further arguments of the method's constructor.
        noise_tunnel: Arguments of ``captum.attr.NoiseTunnel.attribute``, which averages the method
            over noisy inputs, such as ``{"nt_type": "smoothgrad", "nt_samples": 10}``.
        interpolate_mode: Mode of ``torch.nn.functional.interpolate`` that resizes attributions of a
            layer.

    Raises:
        ValueError: If a name is unknown, or an argument does not fit the method; when called, if
            the model has no such layer or the layer's attributions do not fit the inputs.
        TypeError: When called, if the method needs a module and the model is a function.

    Shapes:
        - inputs: ``(B, *S)``
        - attributions: ``(B, *S)``, detached, float32 or better

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from pear_lightning.explainers import explain
        >>> model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> inputs = torch.rand(4, 3)
        >>> logits, (attributions,) = explain(model, inputs, 1, [CaptumExplainer("DeepLift")])
        >>> difference = logits[:, 1] - model(torch.zeros(1, 3))[:, 1]
        >>> bool(torch.allclose(attributions.sum(1), difference, atol=1e-4))
        True

    References:
        Kokhlikyan et al., *Captum: A unified and generic model interpretability library for
        PyTorch*, 2020, arXiv 2009.07896.
    """

    def __init__(
        self,
        method: str,
        *,
        layer: str | None = None,
        baseline: FixedSpec | None = None,
        attribute_kwargs: dict[str, Any] | None = None,
        method_kwargs: dict[str, Any] | None = None,
        noise_tunnel: dict[str, Any] | None = None,
        interpolate_mode: str = "nearest",
    ) -> None:
        super().__init__()
        methods = captum_methods()
        if method not in methods:
            raise ValueError(f"method must be one of {sorted(methods)}, got {method!r}")
        constructor = inspect.signature(methods[method]).parameters
        attribute = inspect.signature(methods[method].attribute).parameters
        if layer is None and "layer" in constructor:
            raise ValueError(
                f"layer must name a submodule of the model for method={method!r}, got None"
            )
        if layer is not None and "layer" not in constructor:
            raise ValueError(
                f"layer must be None for method={method!r}, which takes no layer, got {layer!r}"
            )
        if baseline is not None and "baselines" not in attribute:
            raise ValueError(
                f"baseline must be None for method={method!r}, which takes no baselines, got "
                f"{baseline!r}"
            )
        self.attribute_kwargs = _as_tuples(attribute_kwargs or {})
        self.method_kwargs = dict(method_kwargs or {})
        self.noise_tunnel = None if noise_tunnel is None else _as_tuples(noise_tunnel)
        reserved = _RESERVED | ({"baselines"} if baseline is not None else set())
        _check_names("attribute_kwargs", self.attribute_kwargs, attribute, reserved)
        _check_names(
            "method_kwargs", self.method_kwargs, constructor, {"forward_func", "model", "layer"}
        )
        if self.noise_tunnel is not None:
            known = dict(inspect.signature(_captum().NoiseTunnel.attribute).parameters)
            del known["kwargs"]  # arguments of the method, which belong in attribute_kwargs
            _check_names("noise_tunnel", self.noise_tunnel, known, _RESERVED)
        self.method = method
        self.layer = layer
        self.interpolate_mode = interpolate_mode
        self.stochastic = method in _STOCHASTIC or noise_tunnel is not None
        self.needs_module = "model" in constructor or "layer" in constructor
        is_needed = (
            "baselines" in attribute and attribute["baselines"].default is inspect.Parameter.empty
        )
        if baseline is None and is_needed and "baselines" not in self.attribute_kwargs:
            baseline = "zeros"
        self.baseline = None if baseline is None else FixedBaseline(baseline)

    def forward(self, scorer: Scorer, inputs: Tensor) -> Tensor:
        """Return the attributions of Captum's method, ``(B, *S)``.

        Args:
            scorer: Evaluates the explained scalar at query points.
            inputs: Inputs, ``(B, *S)``.
        """
        module = module_of(scorer.forward)
        if module is None and self.needs_module:
            raise TypeError(
                f"forward must be an nn.Module or a method of one for method={self.method!r}, "
                f"which hooks the layers of the model, got {type(scorer.forward).__name__}"
            )
        if not len(inputs):  # methods of Captum read the first sample
            return torch.zeros_like(inputs, dtype=torch.promote_types(inputs.dtype, torch.float32))
        method_class = captum_methods()[self.method]
        by_gradient = not issubclass(method_class, _captum().PerturbationAttribution)
        # Inference tensors enter autograd only as copies made outside inference mode.
        with (
            torch.inference_mode(False),
            torch.set_grad_enabled(by_gradient),
            undo_instrumentation(module),
            _expected_warnings_ignored(),
        ):
            explained = _ExplainedScalar(scorer.outside_inference_mode(), module)
            layer = [] if self.layer is None else [_submodule(module, self.layer)]
            attribution = method_class(explained, *layer, **self.method_kwargs)
            kwargs = self._attribute_kwargs(inputs)
            if self.noise_tunnel is not None:
                attribution = _captum().NoiseTunnel(attribution)
                kwargs |= self.noise_tunnel
            result = attribution.attribute(
                inputs.clone().detach().requires_grad_(by_gradient),
                additional_forward_args=explained.per_sample,
                **kwargs,
            )
        return self._in_shape_of(inputs, result)

    def _attribute_kwargs(self, inputs: Tensor) -> dict[str, Any]:
        kwargs = {
            name: value.to(inputs.device).contiguous() if isinstance(value, Tensor) else value
            for name, value in self.attribute_kwargs.items()
        }
        if self.baseline is not None:
            n_rows = 2 if self.method in _MANY_BASELINES else inputs.shape[0]
            # repeat() copies, so that a baseline made in inference mode can be saved for backward.
            kwargs["baselines"] = self.baseline(inputs).repeat(n_rows, *(1,) * (inputs.ndim - 1))
        return kwargs

    def _in_shape_of(self, inputs: Tensor, result: Any) -> Tensor:
        """Return Captum's result in the shape of the inputs, detached, in float32 or better."""
        attributions = result[0] if isinstance(result, tuple) and len(result) == 1 else result
        if not isinstance(attributions, Tensor):
            raise ValueError(
                f"layer must have one output for method={self.method!r}, got {len(attributions)} "
                f"outputs of layer={self.layer!r}"
            )
        attributions = attributions.detach()
        attributions = attributions.to(torch.promote_types(attributions.dtype, torch.float32))
        if attributions.shape == inputs.shape:
            return attributions
        if inputs.ndim not in (4, 5) or attributions.ndim != inputs.ndim:
            raise ValueError(
                f"layer must have attributions that fit inputs {tuple(inputs.shape)}, got "
                f"{tuple(attributions.shape)} for layer={self.layer!r}; choose a layer of the "
                "inputs' shape or, for images, one with spatial dimensions"
            )
        resized = _captum().LayerAttribution.interpolate(
            attributions.sum(dim=1, keepdim=True), tuple(inputs.shape[2:]), self.interpolate_mode
        )
        expanded: Tensor = resized.expand(inputs.shape).clone()
        return expanded

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return (
            f"{self.method!r}, layer={self.layer!r}, attribute_kwargs={self.attribute_kwargs}, "
            f"method_kwargs={self.method_kwargs}, noise_tunnel={self.noise_tunnel}"
        )


class _ExplainedScalar(nn.Module):
    """A model whose only output is the explained scalar, ``(N,)``.

    Captum repeats ``per_sample`` with the inputs, in the order that each method needs.
    """

    def __init__(self, scorer: Scorer, model: nn.Module | None) -> None:
        super().__init__()
        self.scorer = scorer
        self.model = model  # registered as a child, so that methods find its layers
        kwargs = scorer.batch.forward_kwargs
        self.names = [name for name, value in kwargs.items() if isinstance(value, Tensor)]

    @property
    def per_sample(self) -> tuple[Any, ...]:
        """The target and the keyword tensors, each with one row per sample."""
        kwargs = self.scorer.batch.forward_kwargs
        return (self.scorer.target, *(kwargs[name] for name in self.names))

    def forward(self, inputs: Tensor, target: Tensor | None, *values: Tensor) -> Tensor:
        named = dict(zip(self.names, values, strict=True))
        kwargs = {**self.scorer.batch.forward_kwargs, **named}
        batch = Batch(inputs, target, forward_kwargs=kwargs)
        return replace(self.scorer, batch=batch).evaluate(inputs[None])[0][0]


def captum_methods() -> dict[str, type[Any]]:
    """Return Captum's attribution classes that :class:`CaptumExplainer` accepts, by name."""
    captum = _captum()
    return {
        name: cls
        for name in captum.__all__
        if isinstance(cls := getattr(captum, name), type)
        and issubclass(cls, captum.Attribution)
        and name not in _NOT_OFFERED
        and not name.startswith("Neuron")
        and "LLM" not in name
    }


def _captum() -> Any:
    """Return ``captum.attr``, imported at first use because it imports matplotlib."""
    import captum.attr

    return captum.attr


@contextmanager
def _expected_warnings_ignored() -> Iterator[None]:
    with warnings.catch_warnings():
        for message in _EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", message, UserWarning)
        yield


def _submodule(module: nn.Module | None, name: str) -> nn.Module:
    names = [] if module is None else [each for each, _ in module.named_modules() if each]
    if module is None or name not in names:
        raise ValueError(f"layer must be one of the model's submodules {names}, got {name!r}")
    return module.get_submodule(name)


def _check_names(
    argument: str, given: Mapping[str, Any], known: Mapping[str, Any], reserved: set[str]
) -> None:
    names = [name for name in known if name not in reserved and name not in ("self", "kwargs")]
    unknown = [name for name in given if name not in names]
    if unknown and ("kwargs" not in known or set(unknown) & reserved):
        raise ValueError(f"{argument} must only have keys among {names}, got {unknown}")


def _as_tuples(value: Any) -> Any:
    """Return nested values with lists, the only sequences in YAML, replaced by tuples."""
    if isinstance(value, Mapping):
        return {name: _as_tuples(each) for name, each in value.items()}
    return tuple(map(_as_tuples, value)) if isinstance(value, list | tuple) else value
