"""Ranks explainers on a model and its data."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from rich.progress import Progress
from torch import Tensor

from pear_lightning.explainers import Explainer
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.explainers.explainer_sets import named_explainers
from pear_lightning.functional.validation import check_choice
from pear_lightning.masking import Masker
from pear_lightning.metrics.faithfulness.explainer_ranking import ExplainerRanking
from pear_lightning.metrics.faithfulness.suite import FaithfulnessSuite
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.embedding import embedded
from pear_lightning.scoring.evaluation import copies_that_fit
from pear_lightning.scoring.modules_behind import modules_behind
from pear_lightning.scoring.outputs import OutputFunction, OutputName
from pear_lightning.scoring.progress import counted_evaluations, no_unasked_bars
from pear_lightning.scoring.scorer import Forward, predicted_classes

Target = Literal["predicted", "label"]


@torch.no_grad()
def rank_explainers(
    model: Forward,
    batches: Iterable[Any],
    explainers: Mapping[str, Explainer] | Sequence[Explainer],
    suite: FaithfulnessSuite | Masker,
    *,
    target: Target = "predicted",
    output: OutputName | OutputFunction = "centered_logit",
    points_per_pass: int | None = None,
    n_resamples: int = 2000,
    confidence_level: float = 0.95,
    seed: int = 0,
    progress: bool = True,
) -> ExplainerRanking:
    """Explain batches with several explainers, score them, and rank the explainers.

    The result holds the mean rank of each explainer over the metrics, a bootstrap interval over the
    samples, and which explainers are tied; it can be printed as a table and drawn as a figure.
    Include a control (:class:`~pear_lightning.explainers.RandomAttributions`): an explainer that
    does not beat it is not faithful by these metrics, regardless of its rank.

    Args:
        model: The explained model: inputs ``(N, *S)`` to logits ``(N, C)``.
        batches: The samples, such as a ``DataLoader``. Each batch has a form that
            :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads: inputs ``(B, *S)``, ``(inputs,
            labels)``, or a mapping with ``"inputs"``, optionally ``"target"``, and further keyword
            arguments of the model, such as ``"attention_mask"``; or a batch of Hugging Face. Data
            that only maskers take are its ``masker_kwargs``: in a mapping, ``"input_ids"`` next to
            embeddings, ``"special_tokens_mask"`` and ``"segments"``. Tensors are moved to the
            device of the model. Token ids are embedded by the model's method ``embed``, if it has
            one and an explainer takes gradients.
        explainers: The explainers by name, or a sequence, whose explainers are named after their
            classes (``"kernel_shap"``). Stochastic explainers without a seed draw from torch's
            global generator.
        suite: The metrics, with the explainers' names; or a masker, for the ten metrics of a
            :class:`~pear_lightning.metrics.FaithfulnessSuite` with its default settings.
        target: Class that is explained: the ``"predicted"`` one, or the ``"label"`` of the batch.
        output: Scalar that the explainers explain; see :func:`~pear_lightning.explainers.explain`.
            The metrics use the suite's ``output``.
        points_per_pass: Largest number of query points of each sample in one pass of an explainer;
            ``None`` for as many as fit
            (:func:`~pear_lightning.scoring.evaluation.copies_that_fit`). For the suite see its
            ``samples_per_pass``.
        n_resamples: Number of draws of the bootstrap.
        confidence_level: Confidence level of the intervals, between 0 and 1.
        seed: Seed of the bootstrap.
        progress: Whether to show a progress bar over the batches, with an estimate of the
            evaluations of the model.

    Returns:
        The ranking; ``to_table()`` and ``plot()`` show it.

    Raises:
        TypeError: If ``explainers`` is neither a mapping nor a sequence of explainers.
        ValueError: If there is no batch, a batch has no labels with ``target="label"``, or the
            suite's names are not those of the explainers.

    Example:
        >>> import torch
        >>> from pear_lightning.explainers import InputXGradient, RandomAttributions
        >>> from pear_lightning.masking import ColumnMasker
        >>> model = torch.nn.Linear(8, 2)  # which input x gradient explains exactly
        >>> explainers = {"input x gradient": InputXGradient(), "random": RandomAttributions()}
        >>> ranking = rank_explainers(
        ...     model, torch.rand(100, 8).split(50), explainers, ColumnMasker(8), progress=False
        ... )
        >>> ranking.explainers[ranking.order[0]], ranking.mean_rank.tolist()
        ('input x gradient', [1.0, 2.0])

    References:
        The mean rank over ten metrics is how Guo et al., *Learning for Highly Faithful
        Explainability*, ICLR 2026, compare explainers.

    Deviations from the paper:
        Scores are not rounded, ties share the mean of their ranks, and infidelity is ranked as a
        squared error, lower is better.
    """
    check_choice("target", target, ("predicted", "label"))
    if isinstance(batches, Tensor):
        raise TypeError(
            f"batches must be an iterable of batches, got a tensor {tuple(batches.shape)}; give "
            "[inputs] for a single batch"
        )
    explainers = named_explainers("explainers", explainers)
    if isinstance(suite, Masker):
        suite = FaithfulnessSuite(suite, list(explainers))
    if set(suite.names or ()) != set(explainers):
        raise ValueError(
            f"suite must have the names of the explainers, {list(explainers)}, got {suite.names}; "
            "give FaithfulnessSuite(names=...)"
        )
    device = _device(model)
    total = _length(batches)
    parts: list[dict[str, Tensor]] = []
    hidden = not progress or bool(suite.evaluation.progress)
    with (
        Progress(transient=True, disable=hidden) as bar,
        counted_evaluations() as count,
        no_unasked_bars(),
    ):
        task = bar.add_task("ranking explainers", total=total)
        for done, batch in enumerate(batches, start=1):
            read = Batch.of(batch)
            if device is not None:
                read = read.to(device)
            if any(each.needs_floating_inputs for each in explainers.values()):
                read = embedded(read, model)
            if target == "predicted":
                read = read.explaining(predicted_classes(model, read))
            elif read.target is None:
                raise ValueError(
                    "batches must have labels for target='label', got a batch without; give "
                    "(inputs, labels) or a mapping with 'target'"
                )
            _, attributions = explain_batch(
                model,
                read,
                list(explainers.values()),
                output=output,
                points_per_pass=points_per_pass or copies_that_fit(read.inputs),
            )
            scores = suite.score(
                model,
                read.inputs,
                {n: a.detach() for n, a in zip(explainers, attributions, strict=True)},
                read.classes,
                forward_kwargs=read.forward_kwargs,
                masker_kwargs=read.masker_kwargs,
            )
            parts.append({name: each.cpu() for name, each in scores.items()})
            estimate = _estimate(count.evaluations, done, total)
            bar.update(task, advance=1, description=f"ranking explainers, {estimate}")
    if not parts:
        raise ValueError("batches must hold at least one batch, got none")
    if not any(each.shape[1] for part in parts for each in part.values()):
        raise ValueError("batches must hold at least one sample, got empty batches")
    return ExplainerRanking.from_scores(
        {name: torch.cat([part[name] for part in parts], dim=1) for name in parts[0]},
        suite.names or (),
        suite.directions,
        n_resamples=n_resamples,
        confidence_level=confidence_level,
        seed=seed,
    )


def _length(batches: Any) -> int | None:
    """Return the number of batches; ``None`` if it is not known before they are read."""
    try:
        return len(batches)
    except TypeError:  # also of a DataLoader, if its data set has no length
        return None


def _estimate(evaluations: int, done: int, total: int | None) -> str:
    """Say how many evaluations there were and, if the number of batches is known, will be."""
    if total is None or done >= total:
        return f"{evaluations:,} model evaluations"
    return f"{evaluations:,} of about {evaluations * total // done:,} model evaluations"


def _device(model: Forward) -> torch.device | None:
    """Return the device of the parameters of a model; None if it has no parameters."""
    parameters = (each for module in modules_behind(model) for each in module.parameters())
    parameter = next(parameters, None)
    return None if parameter is None else parameter.device
