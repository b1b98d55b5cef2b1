"""Runs the model at the probes of several metrics, each probe once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from typing import NamedTuple

import torch
from rich.progress import Progress
from torch import Tensor

from pear_lightning.functional.ranks import hard_ranks
from pear_lightning.functional.validation import at_least_float32, check_finite
from pear_lightning.masking import BoundMasker, Masker
from pear_lightning.scoring.eval_mode import eval_mode, module_of
from pear_lightning.scoring.explained_batch import ExplainedBatch
from pear_lightning.scoring.outputs import OutputFunction
from pear_lightning.scoring.probes import Ground, Original, Probe
from pear_lightning.scoring.readings import Outcome, Readings
from pear_lightning.scoring.scorer import Forward, Scorer, as_logits

# on a CPU small networks are up to five times slower where a pass does not fit the caches
_ELEMENTS_PER_PASS = {"cpu": 2**17}  # half a MiB of float32 inputs
_ELEMENTS_PER_PASS_ELSEWHERE = 2**24  # 64 MiB
_LARGEST_PASS = {"cpu": 2**11}
_LARGEST_PASS_ELSEWHERE = 2**14
_ELEMENTS_KEPT = 2**26  # 64 MiB of bool


class Need(NamedTuple):
    """What a metric asks for.

    Attributes:
        masker: What its features are.
        probes: Where it reads the model.
    """

    masker: Masker
    probes: Sequence[Probe]


@dataclass(frozen=True)
class Evaluation:
    """Evaluates a model at probes of a batch of inputs.

    Args:
        output: The explained scalar: maps logits ``(N, C)`` and target ``(N,)`` to ``(N,)``.
        samples_per_pass: At most this many perturbed samples in one forward pass; None for as many
            as fill half a MiB with inputs on a CPU, so that they stay in its caches, and 64 MiB
            elsewhere.
        progress: Whether to show a progress bar over the passes.

    Raises:
        ValueError: If ``samples_per_pass`` is not positive.
    """

    output: OutputFunction
    samples_per_pass: int | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        """Check the bound."""
        if self.samples_per_pass is not None and self.samples_per_pass < 1:
            raise ValueError(f"samples_per_pass must be at least 1, got {self.samples_per_pass}")

    def rows_per_pass(self, inputs: Tensor) -> int:
        """Return how many perturbed samples go through the model at once."""
        if self.samples_per_pass is not None:
            return self.samples_per_pass
        device = inputs.device.type
        elements = _ELEMENTS_PER_PASS.get(device, _ELEMENTS_PER_PASS_ELSEWHERE)
        largest = _LARGEST_PASS.get(device, _LARGEST_PASS_ELSEWHERE)
        return max(1, min(largest, elements // max(1, prod(inputs.shape[1:]))))

    @torch.no_grad()
    def __call__(
        self, model: Forward, batch: ExplainedBatch, needs: Sequence[Need]
    ) -> list[Readings]:
        """Return what each need asked for, with E explanations of B samples in ``E B`` rows.

        Args:
            model: Inputs ``(N, *S)`` to logits ``(N, C)``; put in eval mode meanwhile.
            batch: Explained inputs, no more than fit into one pass.
            needs: What is asked for.

        Returns:
            Readings, one for each need; rows of the first explanation first.
        """
        with eval_mode(module_of(model)):
            plan = _Plan(batch, needs)
            scorer, original, n_classes = self._explained(model, batch)
            at_once = max(1, self.rows_per_pass(batch.inputs) // max(1, len(batch.inputs)))
            passes = list(plan.passes(at_once))
            with self._progress(len(passes)) as advance:
                for parts in passes:
                    plan.take(parts, _outcome(scorer, *scorer.evaluate(plan.copies(parts))))
                    advance()
        return plan.readings(original, n_classes)

    def _explained(self, model: Forward, batch: ExplainedBatch) -> tuple[Scorer, Outcome, int]:
        """Return a scorer of the explained class, the outcome of the samples, and C."""
        scorer = Scorer(model, batch.target, self.output, batch.forward_kwargs)
        if batch.target is not None:
            scores, logits = scorer.evaluate(batch.inputs[None])
        else:
            logits = as_logits(model(batch.inputs, **batch.forward_kwargs), len(batch.inputs))
            predicted = logits.argmax(dim=1)
            scorer = replace(scorer, target=predicted)
            scores, logits = self.output(logits, predicted)[None], logits[None]
        return scorer, _outcome(scorer, scores, logits), logits.shape[2]

    @contextmanager
    def _progress(self, total: int) -> Iterator[Callable[[], None]]:
        if not self.progress:
            yield lambda: None
            return
        with Progress(transient=True) as bar:
            task = bar.add_task("evaluating perturbed inputs", total=total)
            yield lambda: bar.advance(task)


def _outcome(scorer: Scorer, scores: Tensor, logits: Tensor) -> Outcome:
    """Return scores ``(K, B)`` and what logits ``(K, B, C)`` predict as ``(B, K)``."""
    check_finite("the explained output of perturbed inputs", scores)
    assert scorer.target is not None
    hits = logits.argmax(dim=2).eq(scorer.target)
    return Outcome(at_least_float32(scores).T, hits.T)


class _Job(NamedTuple):
    """A probe of one masker's features, for all explanations or for one."""

    masker: int
    probe: Probe
    explanation: int | None


class _Part(NamedTuple):
    """Some of the copies of a job."""

    job: _Job
    points: Tensor


class _Plan:
    """The perturbed copies that a set of needs asks for, each once."""

    def __init__(self, batch: ExplainedBatch, needs: Sequence[Need]) -> None:
        self._batch = batch
        self._inputs = batch.inputs
        self._needs = needs
        self._n_explanations = len(batch.attributions)
        self._bound: dict[int, BoundMasker] = {}
        self._saliency: dict[int, list[Tensor]] = {}
        self._grounds: dict[tuple[int, int | None], Ground] = {}
        for masker, _ in needs:
            if id(masker) not in self._bound:
                self._add(masker)
        # a dictionary, because a set would lose the order
        self._jobs = list(dict.fromkeys(job for need in needs for job in self._jobs_of(need)))
        self._outcomes: dict[_Job, list[Outcome]] = {job: [] for job in self._jobs}
        self._kept: dict[_Job, list[Tensor]] = {}

    def _add(self, masker: Masker) -> None:
        """Bind a masker, pool the explanations to its features, and rank those."""
        sample_data = {**self._batch.forward_kwargs, **self._batch.masker_kwargs}
        bound = masker.bind(self._inputs, sample_data)
        present = bound.present
        ground = Ground(present, present.sum(dim=1), bound.seeds)
        self._bound[id(masker)] = bound
        self._grounds[id(masker), None] = ground
        self._saliency[id(masker)] = [
            _saliency(bound, each) for each in self._batch.attributions.values()
        ]
        for number, saliency in enumerate(self._saliency[id(masker)]):
            known = saliency.masked_fill(~present, -torch.inf)
            ranks = hard_ranks(known, ties="ordinal", descending=True).long() - 1
            self._grounds[id(masker), number] = replace(ground, ranks=ranks)

    def _jobs_of(self, need: Need) -> Iterator[_Job]:
        for probe in need.probes:
            if isinstance(probe, Original):
                continue
            for number in range(self._n_explanations) if probe.ranked else (None,):
                yield _Job(id(need.masker), probe, number)

    def passes(self, at_once: int) -> Iterator[list[_Part]]:
        """Split the copies of all jobs into passes of so many copies of each sample."""
        parts: list[_Part] = []
        room = at_once
        for job in self._jobs:
            n_points = job.probe.n_points(self._bound[job.masker].n_features)
            points = torch.arange(n_points, device=self._inputs.device)
            while len(points):
                parts.append(_Part(job, points[:room]))
                room -= len(parts[-1].points)
                points = points[len(parts[-1].points) :]
                if room == 0:
                    yield parts
                    parts, room = [], at_once
        if parts:
            yield parts

    def copies(self, parts: Sequence[_Part]) -> Tensor:
        """Return perturbed copies, ``(k, B, *S)``."""
        made = [self._copies(part) for part in parts]
        return made[0] if len(made) == 1 else torch.cat(made)

    def _copies(self, part: _Part) -> Tensor:
        job, points = part
        ground = self._grounds[job.masker, job.explanation]
        keep = job.probe.keep(ground, points)
        n_points = job.probe.n_points(ground.n_features)
        if not job.probe.ranked and n_points * ground.present.numel() <= _ELEMENTS_KEPT:
            self._kept.setdefault(job, []).append(keep)  # random subsets take time to draw
        copies = self._bound[job.masker].removed(keep, job.probe.draws(points))
        return copies.expand(len(points), *self._inputs.shape)

    def take(self, parts: Sequence[_Part], outcome: Outcome) -> None:
        """Take what the model said of the copies of one pass."""
        sizes = [len(part.points) for part in parts]
        split = zip(outcome.scores.split(sizes, dim=1), outcome.hits.split(sizes, 1), strict=True)
        for part, (scores, hits) in zip(parts, split, strict=True):
            self._outcomes[part.job].append(Outcome(scores, hits))

    def readings(self, original: Outcome, n_classes: int) -> list[Readings]:
        """Return the readings of each need, once all passes are taken."""
        outcomes: dict[int, dict[Probe, Outcome]] = {}
        repeated = _join([original] * self._n_explanations, 0)
        for masker in self._bound:
            outcomes[masker] = {Original(): repeated}
        for job in self._jobs:
            outcomes[job.masker].setdefault(job.probe, self._outcome(job, repeated))
        of_masker = {
            masker: Readings(
                ground=self._ground(masker),
                saliency=torch.cat(self._saliency[masker]),
                outcomes=each,
                n_classes=n_classes,
                kept={
                    job.probe: torch.cat(keep)
                    for job, keep in self._kept.items()
                    if job.masker == masker
                },
            )
            for masker, each in outcomes.items()
        }
        return [of_masker[id(need.masker)] for need in self._needs]

    def _outcome(self, job: _Job, original: Outcome) -> Outcome:
        """Return the outcome of a probe for all explanations, in rows."""
        jobs = [
            job._replace(explanation=number if job.probe.ranked else None)
            for number in range(self._n_explanations)
        ]
        rows = len(self._inputs)
        # a curve in one step has its ends alone, and no copies
        nothing = Outcome(original.scores[:rows, :0], original.hits[:rows, :0])
        return _join([_join(self._outcomes[each] or [nothing], 1) for each in jobs], 0)

    def _ground(self, masker: int) -> Ground:
        """Return the ground of all explanations, in rows."""
        grounds = [self._grounds[masker, number] for number in range(self._n_explanations)]
        return Ground(*(torch.cat(each) for each in zip(*map(_fields, grounds), strict=True)))


def _fields(ground: Ground) -> tuple[Tensor, ...]:
    assert ground.ranks is not None
    return ground.present, ground.counts, ground.seeds, ground.ranks


def _parts(outcome: Outcome) -> tuple[Tensor, Tensor]:
    return outcome.scores, outcome.hits


def _join(outcomes: Sequence[Outcome], dim: int) -> Outcome:
    if len(outcomes) == 1:
        return outcomes[0]
    scores, hits = (torch.cat(each, dim) for each in zip(*map(_parts, outcomes), strict=True))
    return Outcome(scores, hits)


def _saliency(bound: BoundMasker, attributions: Tensor) -> Tensor:
    """Return attributions pooled to features, or as they are if they already have that shape."""
    shape = (len(bound.inputs), bound.n_features)
    if attributions.shape == shape and attributions.shape != bound.inputs.shape:
        return at_least_float32(attributions).masked_fill(~bound.present, 0)
    return bound.pool(attributions)
