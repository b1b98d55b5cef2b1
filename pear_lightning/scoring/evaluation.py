"""Evaluation of the model at the probes of several metrics, each probe once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from pear_lightning.functional.ranks import hard_ranks
from pear_lightning.functional.validation import at_least_float32, check_finite
from pear_lightning.masking import BoundMasker, Masker
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.eval_mode import eval_mode
from pear_lightning.scoring.keep_blocks import KeepBlocks
from pear_lightning.scoring.outputs import OutputFunction
from pear_lightning.scoring.perturbed_copies import CopySet, evaluate_copies, n_passes
from pear_lightning.scoring.probability_outputs import look_for_probabilities
from pear_lightning.scoring.probes import Ground, Original, Probe
from pear_lightning.scoring.progress import PassBar
from pear_lightning.scoring.readings import Outcome, Readings
from pear_lightning.scoring.scorer import Forward, Scorer

# on a CPU, small networks are up to five times slower if a pass does not fit into the caches
_ELEMENTS_PER_PASS = {"cpu": 2**17}  # half a MiB of float32 inputs
_ELEMENTS_PER_PASS_ELSEWHERE = 2**24  # 64 MiB
_LARGEST_PASS = {"cpu": 2**11}
_LARGEST_PASS_ELSEWHERE = 2**14
_ELEMENTS_KEPT = 2**26  # 64 MiB of bool


def rows_that_fit(inputs: Tensor) -> int:
    """Return how many samples like the given ones one forward pass should hold.

    Args:
        inputs: Inputs, ``(B, *S)``.

    Returns:
        As many as have half a MiB on a CPU, so that they stay in its caches, and 64 MiB on other
        devices; at least 1.

    Example:
        >>> rows_that_fit(torch.zeros(1, 3, 224, 224))
        1
    """
    device = inputs.device.type
    elements = _ELEMENTS_PER_PASS.get(device, _ELEMENTS_PER_PASS_ELSEWHERE)
    largest = _LARGEST_PASS.get(device, _LARGEST_PASS_ELSEWHERE)
    return max(1, min(largest, elements // max(1, prod(inputs.shape[1:]))))


def copies_that_fit(inputs: Tensor, samples_per_pass: int | None = None) -> int:
    """Return how many copies of each sample of a batch one forward pass should hold.

    Args:
        inputs: Inputs of the batch, ``(B, *S)``.
        samples_per_pass: Number of samples in a pass; ``None`` for :func:`rows_that_fit`.

    Raises:
        ValueError: If ``samples_per_pass`` is not positive.

    Example:
        >>> copies_that_fit(torch.zeros(100, 5))
        20
    """
    _check_samples_per_pass(samples_per_pass)
    return max(1, (samples_per_pass or rows_that_fit(inputs)) // max(1, len(inputs)))


def _check_samples_per_pass(number: int | None) -> None:
    if number is not None and number < 1:
        raise ValueError(f"samples_per_pass must be at least 1, got {number}")


class Need(NamedTuple):
    """The probes that a metric needs.

    Attributes:
        masker: The masker that defines the features.
        probes: The probes at which the metric reads the model.
        hits: Whether the metric needs to know if the predicted class is the target.
    """

    masker: Masker
    probes: Sequence[Probe]
    hits: bool = False


@dataclass(frozen=True)
class Evaluation:
    """Evaluate a model at the probes of a batch of inputs.

    Args:
        output: The explained scalar: maps logits ``(N, C)`` and target ``(N,)`` to ``(N,)``.
        samples_per_pass: At most this many perturbed samples in one forward pass; None for as many
            have inputs of half a MiB on a CPU, so that they stay in its caches, and of 64 MiB on
            other devices.
        progress: Whether to show a progress bar over the passes; None shows it on a terminal once
            the work has taken five seconds.

    Raises:
        ValueError: If ``samples_per_pass`` is not positive.
    """

    output: OutputFunction
    samples_per_pass: int | None = None
    progress: bool | None = None

    def __post_init__(self) -> None:
        """Check ``samples_per_pass``."""
        _check_samples_per_pass(self.samples_per_pass)

    def rows_per_pass(self, inputs: Tensor) -> int:
        """Return the number of perturbed samples in one forward pass."""
        return self.samples_per_pass or rows_that_fit(inputs)

    def bar(self, samples: int) -> PassBar:
        """Return a progress bar over the evaluation of samples, a context manager.

        Args:
            samples: Number of samples.
        """
        return PassBar(self.progress, samples)

    def __call__(
        self,
        model: Forward,
        batch: Batch,
        attributions: Sequence[Tensor],
        needs: Sequence[Need],
        bar: PassBar | None = None,
    ) -> list[Readings]:
        """Return the readings of each need, with E explanations of B samples as ``E B`` rows.

        The model is evaluated without gradients; the saliency keeps the graph of the attributions.

        Args:
            model: Maps inputs ``(N, *S)`` to logits ``(N, C)``; runs in eval mode.
            batch: Explained inputs, no more than fit into one pass. Their target is the explained
                class; without target, the predicted class is explained.
            attributions: E explanations, ``(B, *S)`` or pooled ``(B, n)``, finite.
            needs: Maskers and probes of the metrics.
            bar: Progress bar of a caller that evaluates several blocks; None for one of this call.

        Returns:
            One :class:`Readings` per need; rows of the first explanation come first.

        Raises:
            ValueError: If the inputs or the explained output hold NaN or Inf.
        """
        if bar is None:
            with self.bar(len(batch)) as bar:
                return self(model, batch, attributions, needs, bar)
        plan = _Plan(batch, attributions, needs)
        hits = any(need.hits for need in needs)
        with eval_mode(model), torch.no_grad():
            scorer, original, n_classes = self._explained(model, batch, hits)
            at_once = copies_that_fit(batch.inputs, self.samples_per_pass)
            sets = plan.copy_sets()
            copies = sum(each.n_copies for each in sets)
            bar.expect(n_passes(sets, at_once), copies, len(batch))
            read = evaluate_copies(
                scorer,
                sets,
                copies_per_pass=at_once,
                read=lambda scores, logits: _outcome(scorer, scores, logits, hits),
                advance=bar.advance,
            )
        check_finite("explained output of perturbed inputs", _all_scores(original, read))
        # a curve of one step consists of its ends and has no copies
        nothing = tuple(each[:0] for each in original)
        outcomes = [Outcome(*(each or nothing)) for each in read]
        return plan.readings(Outcome(*original), outcomes, n_classes)

    def _explained(
        self, model: Forward, batch: Batch, hits: bool
    ) -> tuple[Scorer, tuple[Tensor, ...], int]:
        """Return the scorer of the explained class, the outcome of the samples, and C."""
        scorer = Scorer(model, batch, self.output)
        if batch.target is None:
            scorer, logits = scorer.of_predicted()
        else:
            logits = scorer.logits_of_samples()
        scores = scorer.scores_of(logits)
        look_for_probabilities(model, logits)
        return scorer, _outcome(scorer, scores[None], logits[None], hits), logits.shape[1]


def _outcome(scorer: Scorer, scores: Tensor, logits: Tensor, hits: bool) -> tuple[Tensor, ...]:
    """Return scores, and whether logits ``(K, B, C)`` predict the target, ``(K, B)`` each."""
    scores = at_least_float32(scores)
    return (scores, logits.argmax(dim=2) == scorer.batch.labels) if hits else (scores,)


def _all_scores(original: tuple[Tensor, ...], read: Sequence[tuple[Tensor, ...]]) -> Tensor:
    return torch.cat([original[0], *(each[0] for each in read if each)])


class _Job(NamedTuple):
    """A probe of the features of one masker, for all explanations or for one."""

    masker: int
    probe: Probe
    explanation: int | None


class _Plan:
    """The perturbed copies that a set of needs requires, each once."""

    def __init__(self, batch: Batch, attributions: Sequence[Tensor], needs: Sequence[Need]) -> None:
        self._batch = batch.check_finite()
        self._attributions = attributions
        self._needs = needs
        self._bound: dict[int, BoundMasker] = {}
        self._saliency: dict[int, list[Tensor]] = {}
        self._grounds: dict[tuple[int, int | None], Ground] = {}
        for masker in (need.masker for need in needs):
            if id(masker) not in self._bound:
                self._add(masker)
        # a dict, because a set does not keep the order
        self._jobs = list(dict.fromkeys(job for need in needs for job in self._jobs_of(need)))
        self._kept: dict[_Job, list[Tensor]] = {}

    def _add(self, masker: Masker) -> None:
        """Bind a masker, pool the explanations to its features, and rank the features."""
        bound = masker.bind(self._batch.inputs, self._batch.sample_data, validate=False)
        present = bound.present
        ground = Ground(present, present.sum(dim=1), bound.seeds)
        self._bound[id(masker)] = bound
        self._grounds[id(masker), None] = ground
        self._saliency[id(masker)] = [_saliency(bound, each) for each in self._attributions]
        for number, saliency in enumerate(self._saliency[id(masker)]):
            known = saliency.detach().masked_fill(~present, -torch.inf)
            ranks = hard_ranks(known, ties="ordinal", descending=True).long() - 1
            self._grounds[id(masker), number] = replace(ground, ranks=ranks)

    def _jobs_of(self, need: Need) -> Iterator[_Job]:
        for probe in need.probes:
            if isinstance(probe, Original):
                continue
            for number in range(len(self._attributions)) if probe.ranked else (None,):
                yield _Job(id(need.masker), probe, number)

    def copy_sets(self) -> list[CopySet]:
        """Return the copies of each job."""
        return [self._copy_set(job) for job in self._jobs]

    def _copy_set(self, job: _Job) -> CopySet:
        bound, ground = self._bound[job.masker], self._grounds[job.masker, job.explanation]
        n_copies = job.probe.n_points(ground.n_features)
        blocks = KeepBlocks(job.probe, ground)
        # drawing random subsets is slow
        if not job.probe.ranked and n_copies * ground.present.numel() <= _ELEMENTS_KEPT:
            self._kept[job] = blocks.drawn = []
        return CopySet(bound, n_copies, blocks, job.probe.draws)

    def readings(
        self, original: Outcome, outcomes: Sequence[Outcome], n_classes: int
    ) -> list[Readings]:
        """Return the readings of each need.

        Args:
            original: Outcome of the samples themselves, ``(1, B)``.
            outcomes: Outcome of the copies of each job, ``(K, B)``.
            n_classes: Number of outputs of the model.
        """
        of_job = dict(zip(self._jobs, outcomes, strict=True))
        repeated = _in_rows([original] * len(self._attributions))
        of_probe: dict[int, dict[Probe, Outcome]] = {
            masker: {Original(): repeated} for masker in self._bound
        }
        for job in self._jobs:
            if job.probe not in of_probe[job.masker]:
                numbers = range(len(self._attributions))
                jobs = [job._replace(explanation=n if job.probe.ranked else None) for n in numbers]
                of_probe[job.masker][job.probe] = _in_rows([of_job[each] for each in jobs])
        of_masker = {
            masker: Readings(
                ground=self._ground(masker),
                saliency=torch.cat(self._saliency[masker]),
                outcomes=each,
                n_classes=n_classes,
                kept={job.probe: keep for job, keep in self._kept.items() if job.masker == masker},
            )
            for masker, each in of_probe.items()
        }
        return [of_masker[id(need.masker)] for need in self._needs]

    def _ground(self, masker: int) -> Ground:
        """Return the ground of all explanations, as rows."""
        grounds = [self._grounds[masker, number] for number in range(len(self._attributions))]
        return Ground(*(torch.cat(each) for each in zip(*map(_fields, grounds), strict=True)))


def _fields(ground: Ground) -> tuple[Tensor, ...]:
    assert ground.ranks is not None
    return ground.present, ground.counts, ground.seeds, ground.ranks


def _in_rows(outcomes: Sequence[Outcome]) -> Outcome:
    """Return outcomes ``(K, B)`` of E explanations as rows ``(E B, K)``."""
    hits = [each.hits.T for each in outcomes if each.hits is not None]
    scores = torch.cat([each.scores.T for each in outcomes])
    return Outcome(scores, torch.cat(hits) if hits else None)


def _saliency(bound: BoundMasker, attributions: Tensor) -> Tensor:
    """Return attributions pooled to features; attributions of that shape are not pooled."""
    shape = (len(bound.inputs), bound.n_features)
    if attributions.shape == shape and attributions.shape != bound.inputs.shape:
        return at_least_float32(attributions).masked_fill(~bound.present, 0)
    return bound.pool(attributions, validate=False)
