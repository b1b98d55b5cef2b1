"""The function that runs explainers."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, overload

import torch
from torch import Tensor

from pear_lightning.explainers.base import Explainer, GradientExplainer
from pear_lightning.explainers.perturbation_explainer import PerturbationExplainer
from pear_lightning.functional.validation import check_count
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.eval_mode import eval_mode
from pear_lightning.scoring.game import checked_scores
from pear_lightning.scoring.gradients import gradients_at
from pear_lightning.scoring.kernels import differentiable_kernels
from pear_lightning.scoring.outputs import OutputFunction, OutputName, resolve_output
from pear_lightning.scoring.perturbed_copies import evaluate_copies, evaluate_with_samples
from pear_lightning.scoring.probability_outputs import look_for_probabilities
from pear_lightning.scoring.scorer import Forward, Scorer


@overload
def explain(
    forward: Forward,
    inputs: Tensor,
    target: Tensor | int | None,
    explainers: Mapping[str, Explainer],
    *,
    output: OutputName | OutputFunction = "logit",
    forward_kwargs: Mapping[str, Any] | None = None,
    masker_kwargs: Mapping[str, Any] | None = None,
    points_per_pass: int | None = None,
    create_graph: bool = False,
) -> tuple[Tensor, dict[str, Tensor]]: ...


@overload
def explain(
    forward: Forward,
    inputs: Tensor,
    target: Tensor | int | None,
    explainers: Sequence[Explainer],
    *,
    output: OutputName | OutputFunction = "logit",
    forward_kwargs: Mapping[str, Any] | None = None,
    masker_kwargs: Mapping[str, Any] | None = None,
    points_per_pass: int | None = None,
    create_graph: bool = False,
) -> tuple[Tensor, list[Tensor]]: ...


def explain(
    forward: Forward,
    inputs: Tensor,
    target: Tensor | int | None,
    explainers: Mapping[str, Explainer] | Sequence[Explainer],
    *,
    output: OutputName | OutputFunction = "logit",
    forward_kwargs: Mapping[str, Any] | None = None,
    masker_kwargs: Mapping[str, Any] | None = None,
    points_per_pass: int | None = None,
    create_graph: bool = False,
) -> tuple[Tensor, dict[str, Tensor] | list[Tensor]]:
    r"""Explain a batch with several explainers, in one pass through the model where possible.

    The inputs and the query points of all gradient explainers go through the model together, in
    one forward pass and one vector-Jacobian product. Other explainers run afterwards and call the
    model themselves.

    The explained function is the model at inference: its modules are in eval mode during the call
    and get their training flags back afterwards. If ``forward`` is a function, its modules are
    those to which it refers, in its closure, default arguments and global names. ``explain`` works
    under ``no_grad``, in ``inference_mode``, under autocast and inside ``torch.compile`` (where
    ``forward`` should be a module, or in eval mode already). It does not modify the caller's
    tensors.

    To train the model with a loss of its attributions, set ``create_graph=True``: the logits and
    the attributions of differentiable explainers then keep the graph of all query points to the
    model's weights, and kernels without a second derivative (fused attention, cuDNN's recurrent
    layers) are avoided. Lightning modules, losses and callbacks of this package do so by
    themselves.

    Args:
        forward: The model: inputs ``(N, *S)`` to logits ``(N, C)``, or ``(N,)`` for one output.
        inputs: Inputs, ``(B, *S)``, floating point. Explainers that take no gradients and have a
            masker (``KernelShap``, ``Lime``, ``Occlusion``) also explain token ids.
        target: Index of the explained output: ``(B,)``, or one index for all samples. ``None`` for
            a model with one output.
        explainers: Explainers to run: a sequence, or a mapping of names to explainers.
        output: Scalar that is explained: ``"logit"`` (the target's), ``"prob"`` (the target's
            probability), ``"log_prob"`` (its logarithm), ``"sum_log_prob"`` (over all classes),
            ``"margin"`` (the target's logit minus the largest other logit); independent of the
            target, ``"max_logit"``, ``"max_prob"`` and ``"max_log_prob"`` (the predicted class) and
            ``"sum_logit"``; or a function of logits ``(N, C)`` and target ``(N,)`` that returns
            ``(N,)``, each row computed from its own logits.
        forward_kwargs: Further keyword arguments of ``forward``, such as an attention mask.
            Tensors must have ``B`` rows, one per sample. Maskers receive them as well.
        masker_kwargs: Data for the explainers' maskers that the model does not take, such as
            ``segments (B, H, W)`` or ``special_tokens_mask (B, T)``. Tensors must have ``B`` rows.
        points_per_pass: Largest number of query points of each sample in one pass. It bounds
            memory only if no graph is kept; the graphs of all chunks live until the backward pass.
        create_graph: Whether the results can be differentiated, where gradients are enabled, as in
            ``torch.autograd.grad``.

    Returns:
        Logits at the inputs, ``(B, C)``, and the attributions of each explainer, ``(B, *S)``, in
        float32 or better: a list in the same order, or a dictionary with the same names.

    Raises:
        TypeError: If the inputs are not floating point and an explainer needs them to be, the
            target is not an integer, an entry of ``explainers`` is not an explainer, or the model
            does not return a tensor.
        ValueError: If a shape or a value is wrong, the inputs hold NaN or Inf, there is no
            explainer, or one takes gradients of a model whose outputs depend on its inputs without
            a graph to them (``torch.no_grad()`` or ``detach()`` in its forward pass); or if a layer
            of the model normalises with the statistics of the batch even in eval mode.

    Example:
        >>> import torch
        >>> from pear_lightning.explainers import Gradient, IntegratedGradients, explain
        >>> from pear_lightning.nn import MLP
        >>> model = MLP(8, hidden_features=(16,))
        >>> inputs, target = torch.rand(32, 8), torch.randint(2, (32,))
        >>> logits, (grad, integrated) = explain(
        ...     model, inputs, target, [Gradient(), IntegratedGradients(n_steps=5)]
        ... )
        >>> logits.shape, grad.shape, integrated.shape
        (torch.Size([32, 2]), torch.Size([32, 8]), torch.Size([32, 8]))
    """
    if isinstance(explainers, Mapping | Sequence) and not explainers:
        raise ValueError("explainers must hold at least one explainer, got none")
    batch = Batch(inputs, None, None, forward_kwargs or {}, masker_kwargs or {})
    with torch.set_grad_enabled(create_graph and torch.is_grad_enabled()):
        logits, attributions = explain_batch(
            forward,
            batch.explaining(target),
            list(explainers.values()) if isinstance(explainers, Mapping) else explainers,
            output=output,
            points_per_pass=points_per_pass,
        )
    look_for_probabilities(forward, logits)
    if isinstance(explainers, Mapping):
        return logits, dict(zip(explainers, attributions, strict=True))
    return logits, attributions


def explain_batch(
    forward: Forward,
    batch: Batch,
    explainers: Sequence[Explainer],
    *,
    output: OutputName | OutputFunction = "logit",
    points_per_pass: int | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Explain a :class:`~pear_lightning.scoring.Batch`; see :func:`explain`.

    The results keep the graph to the model's weights if gradients are enabled.

    Args:
        forward: The model.
        batch: The samples; the batch's target is the explained class.
        explainers: Explainers to run.
        output: Scalar that is explained.
        points_per_pass: Largest number of query points of each sample in one pass.

    Returns:
        Logits at the inputs, ``(B, C)``, and the attributions of each explainer, ``(B, *S)``.

    Raises:
        TypeError: See :func:`explain`.
        ValueError: See :func:`explain`.
    """
    _check_explainers(explainers)
    if points_per_pass is not None:
        check_count("points_per_pass", points_per_pass)
    forward = _uncompiled(forward)
    scorer = Scorer(forward, batch, resolve_output(output), points_per_pass)
    _check_inputs(batch, explainers)
    with eval_mode(forward):
        with differentiable_kernels(forward):
            logits, found = _explain_at_points(scorer, explainers)
        if logits is None or len(found) < len(explainers):
            with differentiable_kernels(forward, by_inputs=False):
                logits, by_copies = _explain_by_copies(scorer, explainers, logits)
            found.update(by_copies)
        for number, explainer in enumerate(explainers):
            if number not in found:
                with differentiable_kernels(forward, by_inputs=explainer.takes_gradients):
                    found[number] = explainer(scorer, batch.inputs)
    return logits, [found[number] for number in range(len(explainers))]


def _explain_by_copies(
    scorer: Scorer, explainers: Sequence[Explainer], logits: Tensor | None
) -> tuple[Tensor, dict[int, Tensor]]:
    """Run explainers that remove features in one pass, with the samples if there are no logits."""
    games, plans = {}, {}
    for number, explainer in enumerate(explainers):
        if isinstance(explainer, PerturbationExplainer):
            games[number] = explainer.game(scorer, scorer.batch.inputs)
            if games[number].n_players:
                plans[number] = explainer.plan(games[number])
    # an empty batch may have no features, such as segments
    nothing = torch.zeros(len(scorer.batch), 0, dtype=torch.float64)
    attributions = {
        number: game.attributions(nothing) for number, game in games.items() if number not in plans
    }
    if not plans:
        if logits is None:
            logits = scorer.logits_of_samples()
        return logits, attributions
    copies = [plan.copies for plan in plans.values()]
    if logits is None:
        own, logits, scores = evaluate_with_samples(scorer, copies)
    else:
        own = scorer.scores_of(logits)
        read = evaluate_copies(scorer, copies, copies_per_pass=scorer.points_per_pass)
        scores = [of_set for (of_set,) in read]
    own = checked_scores(own)
    for (number, plan), of_plan in zip(plans.items(), scores, strict=True):
        values = plan.values(own, checked_scores(of_plan))
        attributions[number] = games[number].attributions(values)
    return logits, attributions


def _explain_at_points(
    scorer: Scorer, explainers: Sequence[Explainer]
) -> tuple[Tensor | None, dict[int, Tensor]]:
    """Run gradient explainers in one pass; logits are None if there are none."""
    chosen = {n: each for n, each in enumerate(explainers) if isinstance(each, GradientExplainer)}
    if not chosen:
        return None, {}
    logits, attributions = _explain_fused(scorer, scorer.batch.inputs, list(chosen.values()))
    return logits, dict(zip(chosen, attributions, strict=True))


def _explain_fused(
    scorer: Scorer, inputs: Tensor, explainers: Sequence[GradientExplainer]
) -> tuple[Tensor, list[Tensor]]:
    """Run gradient explainers in one pass; return the logits at the inputs and attributions."""
    queries = [explainer.query(inputs) for explainer in explainers]
    own_points = [query.points for query in queries if query.points is not None]
    if own_points:
        logits, gradients = gradients_at(scorer, torch.cat([inputs[None], *own_points]))
        at_inputs, *at_points = gradients.split([1, *(len(points) for points in own_points)])
    else:  # avoids copying all inputs and gradients, a large part of a small network's step
        (logits, at_inputs), at_points = gradients_at(scorer, inputs[None]), []
    remaining = iter(at_points)
    attributions = [
        explainer.reduce(at_inputs if query.points is None else next(remaining), query)
        for explainer, query in zip(explainers, queries, strict=True)
    ]
    if len(queries) > 1:  # these may be views of the gradients at all points, or of one another
        attributions = [
            each.clone() if query.is_unweighted else each
            for each, query in zip(attributions, queries, strict=True)
        ]
    return logits[0], attributions


def _uncompiled(forward: Forward) -> Forward:
    """Return the model inside a compiled model, which torch.func would run uncompiled anyway."""
    original = getattr(forward, "_orig_mod", None)
    if original is None or torch.compiler.is_compiling():
        return forward
    warnings.warn(
        "explain() got a model wrapped by torch.compile and explains it uncompiled. "
        "Compile the function that calls explain() instead",
        stacklevel=3,
    )
    compiled: Forward = original
    return compiled


def _check_explainers(explainers: Sequence[Explainer]) -> None:
    several = isinstance(explainers, Iterable) and not isinstance(explainers, Explainer)
    if not several or not all(isinstance(explainer, Explainer) for explainer in explainers):
        raise TypeError(
            "explainers must be a sequence or a mapping of Explainer instances, such as "
            f"[Gradient()], got {explainers!r}"
        )


def _check_inputs(batch: Batch, explainers: Sequence[Explainer]) -> None:
    inputs = batch.inputs
    if inputs.ndim < 2:
        raise ValueError(
            f"inputs must have a batch dimension and features, (B, *S), got {tuple(inputs.shape)}"
        )
    unable = [type(e).__name__ for e in explainers if e.needs_floating_inputs]
    if not inputs.is_floating_point() and (unable or inputs.is_complex()):
        raise TypeError(
            f"inputs must be floating point to be explained by {', '.join(dict.fromkeys(unable))}, "
            f"got {inputs.dtype}; explain embeddings instead of token ids, or use KernelShap, Lime "
            "or Occlusion with a TokenMasker"
        )
    batch.check_finite()
