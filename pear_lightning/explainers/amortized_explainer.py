"""A trained network as an explainer."""

import inspect
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from pear_lightning.explainers.base import Explainer
from pear_lightning.explainers.confidence import ExplanationConfidence
from pear_lightning.explainers.fallback import Confidence, Fallback
from pear_lightning.functional.rebuilding import Rebuildable, rebuild, recipe_of
from pear_lightning.functional.shares import shares
from pear_lightning.functional.validation import check_choice
from pear_lightning.masking.bound_masker import BoundMasker
from pear_lightning.masking.masker import Masker
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.eval_mode import eval_mode
from pear_lightning.scoring.outputs import OutputName, resolve_output
from pear_lightning.scoring.scorer import Forward, Scorer
from pear_lightning.scoring.side_inputs import check_side_inputs, side_inputs

ExplainedClass = Literal["predicted", "true", "all"]
RECIPE = "amortized_explainer"
"""Key of a checkpoint with what is needed to rebuild the explainer."""
_WEIGHTS = "backbone."  # of the explainer in the modules that train it
_OF_FALLBACK = "backbone._fallback."  # which is given anew
_OF_TRAINING = ("network", "masker", "explained", "side", "zero_rule", "output")


class AmortizedExplainer(Rebuildable, Explainer):
    """A network that returns explanations in one pass, without access to the explained model.

    It is trained by a module such as :class:`~pear_lightning.modules.DeepFaith`, and takes part in
    :func:`~pear_lightning.explainers.explain`,
    :func:`~pear_lightning.metrics.rank_explainers` and
    :class:`~pear_lightning.metrics.AgreementMatrix` as other explainers do. The explained model is
    evaluated only for the side inputs, if the network has any, and for a ``fallback``.

    A network with scores of every class explains the target; a network without explains the class
    that it was trained for, regardless of the target.

    Args:
        network: Maps inputs ``(B, *S)`` to scores ``(B, n)``, or ``(B, n, C)`` for all classes. If
            its ``forward`` has the arguments ``target``, ``side``, ``attention_mask`` or ``active``
            (the features that can have a score, ``(B, n)`` bool), it gets them by name. With an
            attribute ``takes_ids`` that is true, it gets the token ids of embedded texts.
        masker: Defines the features.
        explained: Class that the scores explain: the ``"predicted"`` one, the ``"true"`` one or
            ``"all"``.
        side: Side inputs: ``"gradient"``, ``"removals"`` and ``"hidden:<layer>"``, as in
            :class:`~pear_lightning.modules.amortized.AmortizedModule`.
        zero_rule: Whether features that equal the baseline get score 0: removing them has no
            effect.
        output: Scalar of the model that side inputs describe.
        fallback: Explainer of the samples where the network is poor, such as
            ``KernelShap(masker=masker)``; ``None`` for none. The model is then evaluated a few
            times for the confidence of each explanation, and for these samples.
        share: Share of the samples of a call that the fallback explains, those with the lowest
            confidence. Their choice depends on the other samples of the call.
        threshold: Confidence below which the fallback explains a sample; instead of ``share``.
        confidence: How good an explanation is; ``None`` for
            :class:`~pear_lightning.explainers.ExplanationConfidence` with its default settings.

    Raises:
        TypeError: If ``network`` is not a module, ``masker`` not a masker, or ``fallback`` not an
            explainer.
        ValueError: If a name is unknown, or a number out of range; when called, if the network
            returns another shape, or the model is missing.

    Shapes:
        - inputs: ``(B, *S)``
        - saliency: ``(B, n)``, or ``(B, n, C)``
        - attributions: ``(B, *S)``; each score is spread over the elements of its feature so that
          ``masker.pool`` returns it

    Example:
        >>> from pear_lightning.explainers import KernelShap, explain
        >>> from pear_lightning.masking import ColumnMasker
        >>> explainer = AmortizedExplainer(nn.Linear(5, 5), ColumnMasker(5))
        >>> model, inputs = nn.Linear(5, 2), torch.rand(3, 5)
        >>> explainer.attributions(inputs).shape
        torch.Size([3, 5])
        >>> logits, (attributions,) = explain(model, inputs, 0, [explainer])
        >>> bool((attributions == explainer.attributions(inputs)).all())
        True
        >>> explainer.set_fallback(KernelShap(), threshold=0.5)  # where the network is poor
        >>> explainer.confidence(model, inputs).shape
        torch.Size([3])
    """

    def __init__(
        self,
        network: nn.Module,
        masker: Masker,
        *,
        explained: ExplainedClass = "predicted",
        side: Sequence[str] = (),
        zero_rule: bool = True,
        output: OutputName = "centered_logit",
        fallback: Explainer | None = None,
        share: float | None = None,
        threshold: float | None = None,
        confidence: Confidence | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(network, nn.Module):
            raise TypeError(f"network must be a torch.nn.Module, got {network!r}")
        if not isinstance(masker, Masker):
            raise TypeError(f"masker must be a Masker, such as ColumnMasker(30), got {masker!r}")
        check_choice("explained", explained, ("predicted", "true", "all"))
        check_side_inputs(side)
        resolve_output(output)
        self.network = network
        self.masker = masker
        self.baseline = masker.baseline  # a module: moves with this one, saved in checkpoints
        self.explained: ExplainedClass = explained
        self.side = tuple(side)
        self.zero_rule = zero_rule
        self.output: OutputName = output
        # that of a compiled network names no argument
        own: nn.Module = getattr(network, "_orig_mod", network)
        self._arguments = frozenset(inspect.signature(own.forward).parameters)
        self._confidence: Confidence = confidence or ExplanationConfidence()
        self._fallback: Fallback | None = None
        self.set_fallback(fallback, share=share, threshold=threshold)

    def set_fallback(
        self,
        fallback: Explainer | None,
        *,
        share: float | None = None,
        threshold: float | None = None,
    ) -> None:
        """Set the explainer of the samples where the network is poor; see the class.

        Args:
            fallback: The explainer; ``None`` for none.
            share: Share of the samples of a call.
            threshold: Confidence below which a sample is explained again.

        Raises:
            TypeError: See the class.
            ValueError: See the class.
        """
        if fallback is None:
            if share is not None or threshold is not None:
                raise ValueError(
                    "fallback must be given with share or threshold, got None; give "
                    "fallback=KernelShap(...)"
                )
            self._fallback = None
            self.stochastic = type(self).stochastic
            return
        self._fallback = Fallback(fallback, self._confidence, share=share, threshold=threshold)
        self.stochastic = fallback.stochastic

    @property
    def fallback(self) -> Explainer | None:
        """Explainer of the samples where the network is poor."""
        return None if self._fallback is None else self._fallback.explainer

    @property
    def takes_gradients(self) -> bool:
        """Whether the explained model is differentiated."""
        return "gradient" in self.side or (
            self.fallback is not None and self.fallback.takes_gradients
        )

    @property
    def needs_floating_inputs(self) -> bool:
        """Whether inputs must be floating point; token ids have no gradient."""
        return "gradient" in self.side or (
            self.fallback is not None and self.fallback.needs_floating_inputs
        )

    @property
    def awaits_training_data(self) -> bool:
        """Whether :meth:`fit_reference` must be called before the first explanation."""
        if self.fallback is not None and self.fallback.awaits_training_data:
            return True
        fitted = any(name.startswith("baseline.") for name in self.state_dict())
        return self.baseline.from_training_data and not fitted

    @property
    def uses_training_data(self) -> bool:
        """Whether reference data come from the training data."""
        of_fallback = self.fallback is not None and self.fallback.uses_training_data
        return self.baseline.from_training_data or of_fallback

    @property
    def uses_training_rows(self) -> bool:
        """Whether the fallback uses rows of the training data."""
        return self.fallback is not None and self.fallback.uses_training_rows

    def fit_reference(self, mean: Tensor, rows: Tensor) -> None:
        """Take reference data from the training data, also for the fallback.

        Args:
            mean: Mean of the training inputs, ``(*S)``.
            rows: A sample of the training inputs, ``(N, *S)``.
        """
        super().fit_reference(mean, rows)
        if self.fallback is not None:
            self.fallback.fit_reference(mean, rows)

    @property
    def uses_target(self) -> bool:
        """Whether the network needs the explained class."""
        return "target" in self._arguments and bool(getattr(self.network, "uses_target", True))

    @property
    def uses_model(self) -> bool:
        """Whether the explained model is evaluated for an explanation of a given class."""
        return bool(self.side)

    def saliency(
        self, batch: Any, *, forward: Forward | None = None, bound: BoundMasker | None = None
    ) -> Tensor:
        """Return the scores of the features, with the graph to the network's weights.

        Args:
            batch: Anything that :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads; the
                target is the explained class.
            forward: The explained model; required for side inputs.
            bound: Features of the batch, if they are known.

        Returns:
            ``(B, n)``, or ``(B, n, C)`` for all classes; float32 or better; 0 for features that a
            sample does not have. Scores of a network with ``scale="softmax"`` sum to 1 over the
            features that can have one.

        Raises:
            ValueError: If the model or the class is needed and missing, or the network returns
                another shape.
        """
        read = Batch.of(batch)
        if bound is None:
            bound = self.masker.bind(read.inputs, read.sample_data)
        inputs = self._inputs(read)
        scores: Tensor = self.network(inputs, **self._inputs_beside(read, bound, forward))
        wanted = (len(read), bound.n_features)
        if scores.shape[:2] != wanted or scores.ndim not in (2, 3):
            raise ValueError(
                f"network must return scores {wanted} or {(*wanted, 'C')}, got "
                f"{tuple(scores.shape)}"
            )
        active = self.active(bound)
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        if getattr(self.network, "scale", None) == "softmax":
            return shares(scores, active)
        return scores.masked_fill(~active if scores.ndim == 2 else ~active[..., None], 0)

    def active(self, bound: BoundMasker) -> Tensor:
        """Return the features that can have a score, ``(B, n)`` bool.

        Args:
            bound: Features of a batch.
        """
        return bound.present & ~bound.at_baseline if self.zero_rule else bound.present

    def _inputs(self, read: Batch) -> Tensor:
        """Return the inputs; the ids of texts that were embedded for other explainers."""
        ids = read.sample_data.get("input_ids")
        if not isinstance(ids, Tensor) or not read.inputs.is_floating_point():
            return read.inputs
        return ids if getattr(self.network, "takes_ids", False) else read.inputs

    def _inputs_beside(
        self, read: Batch, bound: BoundMasker, forward: Forward | None
    ) -> dict[str, Any]:
        """Return the arguments of the network beside its inputs."""
        arguments: dict[str, Any] = {}
        if self.uses_target:
            if read.target is None:
                raise ValueError(
                    "target must be given for a network whose input is the explained class, got "
                    "None; use attributions((inputs, classes)), with the classes that the model "
                    "predicts, for example"
                )
            n_classes = getattr(self.network, "num_classes", None)
            arguments["target"] = (
                read.classes if n_classes is None else read.classes_among(n_classes, "network")
            )
        if "attention_mask" in self._arguments and "attention_mask" in read.sample_data:
            arguments["attention_mask"] = read.sample_data["attention_mask"]
        if self.side:
            if forward is None:
                raise ValueError(
                    f"forward must be the explained model for side={list(self.side)}, got None; "
                    "use explain(model, ...)"
                )
            scorer = Scorer(forward, read, resolve_output(self.output))
            if read.target is None:
                scorer, _ = scorer.of_predicted()
            arguments["side"] = side_inputs(self.side, scorer, bound)
        if "active" in self._arguments:
            arguments["active"] = self.active(bound)
        return arguments

    @torch.no_grad()
    def interval(
        self, batch: Any, level: float = 0.9, *, forward: Forward | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return quantiles between which a share of the members' scores lie, ``(B, n)`` each.

        Args:
            batch: See :meth:`saliency`.
            level: The share, in (0, 1).
            forward: See :meth:`saliency`.

        Raises:
            TypeError: If the network is no :class:`~pear_lightning.nn.ExplainerEnsemble`.
            ValueError: See :meth:`saliency`.
        """
        of_members = getattr(self.network, "interval", None)
        if of_members is None:
            raise TypeError(
                "network must be an ExplainerEnsemble for an interval, got "
                f"{type(self.network).__name__}"
            )
        read = Batch.of(batch)
        bound = self.masker.bind(read.inputs, read.sample_data)
        beside = self._inputs_beside(read, bound, forward)
        low, high = of_members(self._inputs(read), level, **beside)
        without = ~self.active(bound)
        without = without.view(*without.shape, *(1,) * (low.ndim - 2))
        return low.masked_fill(without, 0), high.masked_fill(without, 0)

    @torch.no_grad()
    def attributions(
        self, batch: Any, *, forward: Forward | None = None, evaluate: bool = True
    ) -> Tensor:
        """Return attributions ``(B, *S)``, by default in eval mode.

        Args:
            batch: See :meth:`saliency`; without target, networks with scores of all classes cannot
                be used.
            forward: See :meth:`saliency`.
            evaluate: Whether to put the network in eval mode, without dropout.

        Raises:
            ValueError: See :meth:`saliency`.
        """
        read = Batch.of(batch)
        bound = self.masker.bind(read.inputs, read.sample_data)
        with eval_mode(self.network) if evaluate else nullcontext():
            saliency = self.saliency(read, forward=forward, bound=bound)
        if saliency.ndim == 3:
            saliency = _of_target(saliency, read)
        return bound.spread(saliency)

    @torch.no_grad()
    def confidence(self, forward: Forward, batch: Any) -> Tensor:
        """Return the confidence of the network's explanations, ``(B,)``, in eval mode.

        Args:
            forward: The explained model.
            batch: See :meth:`attributions`; without target, the class that the network explains,
                unless it needs the class.
        """
        read = Batch.of(batch)
        bound = self.masker.bind(read.inputs, read.sample_data)
        with eval_mode(self.network):
            saliency = self.saliency(read, forward=forward, bound=bound)
        if saliency.ndim == 3:
            saliency = _of_target(saliency, read)
        return self._confidence(forward, read, bound, saliency)

    def forward(self, scorer: Scorer, inputs: Tensor | None = None) -> Tensor:
        """Return attributions, ``(B, *S)``.

        Args:
            scorer: The explained model; evaluated only for side inputs and with a fallback.
            inputs: Inputs, ``(B, *S)``; ``None`` for those of the scorer.

        Raises:
            TypeError: If tensors are given instead; see :meth:`attributions`.
        """
        if not isinstance(scorer, Scorer):
            raise TypeError(
                f"scorer must be a Scorer, as explain() passes it, got {type(scorer).__name__}; "
                "without the explained model, use attributions(inputs), or "
                "attributions((inputs, classes)) of given classes"
            )
        inputs = scorer.batch.inputs if inputs is None else inputs
        batch = scorer.batch if inputs is scorer.batch.inputs else scorer.batch.with_inputs(inputs)
        explained = batch
        if batch.target is None and self.explained == "all":
            explained = batch.explaining(0)  # a model with one output
        attributions = self.attributions(explained, forward=scorer.forward)
        if self._fallback is None:
            return attributions
        bound = self.masker.bind(batch.inputs, batch.sample_data)
        with torch.no_grad():
            found: Tensor = self._fallback(
                replace(scorer, batch=batch), bound, bound.pool(attributions), attributions
            )
        return found

    # --- checkpoints --------------------------------------------------------------------------

    def init_args(self) -> dict[str, Any]:
        """Return the constructor arguments by name, without those of the fallback."""
        return {name: getattr(self, name) for name in _OF_TRAINING}

    def recipe(self) -> dict[str, Any]:
        """Return the settings as plain values; without the parts that cannot be described.

        The network or the masker is missing if it is of a class that is not
        :class:`~pear_lightning.functional.rebuilding.Rebuildable`; it must be passed to
        :meth:`load_from_checkpoint` again.
        """
        found: dict[str, Any] = {}
        for name, value in self.init_args().items():
            try:
                found[name] = recipe_of(value)
            except TypeError:
                continue
        return found

    @classmethod
    def load_from_checkpoint(
        cls,
        path: str | Path,
        *,
        network: nn.Module | None = None,
        masker: Masker | None = None,
        fallback: Explainer | None = None,
        share: float | None = None,
        threshold: float | None = None,
        confidence: Confidence | None = None,
        map_location: Any = "cpu",
    ) -> Self:
        """Return the explainer of a checkpoint, without the training data and the explained model.

        Args:
            path: Checkpoint of a module that trains an explainer, such as
                :class:`~pear_lightning.modules.DeepFaith`.
            network: The network, if the checkpoint does not describe it: networks of this package
                are rebuilt, and others must be given; the weights come from the checkpoint.
            masker: The masker, likewise.
            fallback: See the class.
            share: See the class.
            threshold: See the class.
            confidence: See the class.
            map_location: Device of the weights; see :func:`torch.load`.

        Raises:
            ValueError: If the checkpoint has no explainer, or a part is missing.
        """
        checkpoint = torch.load(path, map_location=map_location, weights_only=True)
        if RECIPE not in checkpoint:
            raise ValueError(
                f"path must be a checkpoint of a module that trains an explainer, got {path}, "
                f"which has no {RECIPE!r}"
            )
        arguments = dict(checkpoint[RECIPE])
        for name, given in (("network", network), ("masker", masker)):
            if given is not None:
                arguments[name] = given
            elif name not in arguments:
                raise ValueError(
                    f"{name} must be given for this checkpoint, because its class cannot be "
                    f"described by plain values, got None; pass {name}=..."
                )
            else:
                arguments[name] = rebuild(arguments[name])
        explainer = cls(**arguments, confidence=confidence)
        weights = {
            name.removeprefix(_WEIGHTS): value
            for name, value in checkpoint["state_dict"].items()
            if name.startswith(_WEIGHTS) and not name.startswith(_OF_FALLBACK)
        }
        explainer.load_state_dict(weights)
        explainer.set_fallback(fallback, share=share, threshold=threshold)
        if isinstance(map_location, str | torch.device):
            explainer.to(map_location)
        return explainer.eval()

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return (
            f"masker={self.masker}, explained={self.explained!r}, side={self.side}, "
            f"zero_rule={self.zero_rule}"
        )


def of_class(saliency: Tensor, target: Tensor | None) -> Tensor:
    """Return the explanation of one class, ``(B, n)``.

    Args:
        saliency: ``(B, n, C)``.
        target: The class, ``(B,)``.

    Raises:
        ValueError: If there is no target.
    """
    if target is None:
        raise ValueError(
            "target must name the explained class for saliency of all classes, got None"
        )
    return saliency.gather(2, target[:, None, None].expand(-1, saliency.shape[1], 1))[..., 0]


def _of_target(saliency: Tensor, batch: Batch) -> Tensor:
    """Return the explanation of the target's class, ``(B, n)``, of those of all ``(B, n, C)``."""
    if batch.target is not None:
        return of_class(saliency, batch.classes_among(saliency.shape[2], "network"))
    return of_class(saliency, None)
