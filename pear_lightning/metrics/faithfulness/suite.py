"""Several faithfulness metrics of one or more explanations, from shared model evaluations."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor

from pear_lightning.functional.aligned_text import aligned_text
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.functional.validation import check_by_name, check_finite, trusted_values
from pear_lightning.masking import Masker
from pear_lightning.masking.baseline_spec import BaselineSpec
from pear_lightning.metrics.exact_states import ExactStates
from pear_lightning.metrics.exact_sum import N_LIMBS, as_float32, exact_means, exact_sums
from pear_lightning.metrics.faithfulness.base import FaithfulnessMetric
from pear_lightning.metrics.faithfulness.deletion import Deletion
from pear_lightning.metrics.faithfulness.explained_batch import (
    check_explanations,
    explained_batch,
)
from pear_lightning.metrics.faithfulness.faithfulness_correlation import FaithfulnessCorrelation
from pear_lightning.metrics.faithfulness.faithfulness_estimate import FaithfulnessEstimate
from pear_lightning.metrics.faithfulness.infidelity import Infidelity
from pear_lightning.metrics.faithfulness.insertion import Insertion
from pear_lightning.metrics.faithfulness.irof import IROF
from pear_lightning.metrics.faithfulness.monotonicity_correlation import MonotonicityCorrelation
from pear_lightning.metrics.faithfulness.negative_perturbation import NegativePerturbation
from pear_lightning.metrics.faithfulness.positive_perturbation import PositivePerturbation
from pear_lightning.metrics.faithfulness.region_perturbation import RegionPerturbation
from pear_lightning.metrics.faithfulness.short_names import legend, metric_labels
from pear_lightning.metrics.fixed_point import from_fixed_point, to_fixed_point
from pear_lightning.scoring.evaluation import Evaluation, Need
from pear_lightning.scoring.outputs import OutputFunction, OutputName, resolve_output
from pear_lightning.scoring.probes import SubsetSize
from pear_lightning.scoring.readings import Readings
from pear_lightning.scoring.scorer import Forward

Metrics = Mapping[str, FaithfulnessMetric]


class FaithfulnessSuite(ExactStates):
    """Scores explanations by several faithfulness metrics, which share evaluations of the model.

    The model is evaluated once at each perturbed copy that any of the metrics needs. Copies that do
    not depend on the attributions (random subsets, single removals) are evaluated once for all
    explanations of a sample. Scores equal those of each metric alone.

    Args:
        masker: Defines the features, and what replaces a removed one.
        names: Names of the explanations that are compared; None for a single one.
        metrics: The metrics, as a mapping from names, or as a sequence to use their own names;
            their ``output`` must be that of the suite. A string in a sequence, ``"deletion"``, is
            one of the ten of DeepFaith with the settings below. None for all ten:
            faithfulness correlation and estimate, monotonicity correlation, region perturbation,
            insertion, deletion, negative and positive perturbation, IROF, infidelity.
        n_steps: Number of steps of removal curves; None for one feature at a time.
        n_subsets: Number of random subsets.
        subset_size: Size of random subsets: a number of features, a share of them,
            ``"bernoulli"`` or ``"uniform"``.
        seed: Seed of the subsets.
        output: See :class:`~pear_lightning.metrics.faithfulness.base.FaithfulnessMetric`.
        samples_per_pass: See there.
        progress: See there.
        **kwargs: Options of :class:`torchmetrics.Metric`.

    Raises:
        ValueError: If a name occurs twice, there is no metric, or a setting is out of range.

    Shapes:
        - update: a model, inputs ``(B, *S)``, attributions ``(B, *S)`` or saliency ``(B, n)`` for
          each name, target ``(B,)``; see :meth:`update`
        - compute: a scalar for each metric, or for each explanation and metric

    Example:
        >>> import torch
        >>> from pear_lightning.masking import ColumnMasker
        >>> model, inputs = torch.nn.Linear(6, 3), torch.rand(8, 6)
        >>> suite = FaithfulnessSuite(ColumnMasker(6), ["inputs", "noise"])
        >>> suite.update(model, inputs, {"inputs": inputs, "noise": torch.randn(8, 6)})
        >>> sorted(suite.compute())[:2]
        ['inputs/deletion', 'inputs/faithfulness_correlation']
        >>> suite.score(model, inputs, {"inputs": inputs, "noise": inputs})["deletion"].shape
        torch.Size([2, 8])

    References:
        The ten metrics are those of Guo et al., *Learning for Highly Faithful Explainability*,
        ICLR 2026; each has its own reference in its class.
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False

    def __init__(
        self,
        masker: Masker,
        names: Sequence[str] | None = None,
        metrics: Sequence[FaithfulnessMetric | str] | Metrics | None = None,
        *,
        n_steps: int | None = 50,
        n_subsets: int = 100,
        subset_size: SubsetSize = 0.1,
        seed: int = 0,
        output: OutputName | OutputFunction = "prob",
        samples_per_pass: int | None = None,
        progress: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if names is not None and (not len(names) or len(set(names)) < len(names)):
            raise ValueError(f"names must be one or more different names, got {list(names)}")
        if isinstance(metrics, str):
            raise TypeError(f"metrics must be a sequence, got {metrics!r}; give [{metrics!r}]")
        if not isinstance(metrics, Mapping):
            subsets: dict[str, Any] = {"n_subsets": n_subsets, "subset_size": subset_size}
            subsets.update(seed=seed, output=output)
            ten: list[FaithfulnessMetric] = [
                FaithfulnessCorrelation(masker, **subsets),
                FaithfulnessEstimate(masker, output=output),
                MonotonicityCorrelation(masker, output=output),
                RegionPerturbation(masker, n_steps, output=output),
                Insertion(masker, n_steps, output=output),
                Deletion(masker, n_steps, output=output),
                NegativePerturbation(masker, n_steps, output=output),
                PositivePerturbation(masker, n_steps, output=output),
                IROF(masker, n_steps, output=output),
                Infidelity(masker, **subsets),
            ]
            metrics = ten if metrics is None else _chosen(ten, metrics)
        self.names = None if names is None else tuple(names)
        self.metrics = _by_name(metrics, resolve_output(output))
        self.masker = masker
        self.baseline = masker.baseline  # registered: a fitted mean goes into checkpoints
        others = dict.fromkeys(metric.masker.baseline for metric in self.metrics.values())
        others.pop(self.baseline, None)
        self.other_baselines = torch.nn.ModuleList(others)
        self.evaluation = Evaluation(resolve_output(output), samples_per_pass, progress)
        shape = (len(self.metrics), len(self.names or ("",)))
        sizes = {"sum": (*shape, N_LIMBS), "undefined": shape, "tied": shape[1:], "count": ()}
        self._add_states("faithfulness_suite", sizes)

    @classmethod
    def deepfaith(
        cls,
        masker: Masker,
        names: Sequence[str] | None = None,
        *,
        n_steps: int,
        n_subsets: int = 100,
        subset_size: SubsetSize = 0.1,
        insertion_baseline: BaselineSpec | None = None,
        **kwargs: Any,
    ) -> Self:
        """Return the ten metrics with the settings of DeepFaith's released code.

        Curves begin after their first step and are not divided by their width, so the area of ten
        steps is at most 0.9. Chunks of features in the order of relevance replace single features.
        Positive and negative perturbation are frozen at the first change of the prediction. Region
        perturbation does not count the start. ``infidelity`` is a correlation over subsets that
        contain each feature with probability 1/2; higher is better. Use these settings to compare
        with numbers of that paper; the default settings are those of the papers of the metrics.

        Args:
            masker: What the features are; DeepFaith replaces elements by zero.
            names: Names of the explanations that are compared; None for a single one.
            n_steps: Number of steps and chunks; DeepFaith uses 48 for images, 30 for texts, and the
                number of columns for tables.
            n_subsets: Number of random subsets; DeepFaith uses 50 to 100.
            subset_size: Size of random subsets.
            insertion_baseline: Another baseline to insert features into; DeepFaith uses a blurred
                image. None for the masker's.
            **kwargs: Further arguments of the suite.
        """
        late: dict[str, Any] = {"n_steps": n_steps, "ends": "last", "normalize": False}
        output: Any = kwargs.get("output", "prob")
        late["output"] = output
        seed = kwargs.pop("seed", 0)
        subsets: dict[str, Any] = {"n_subsets": n_subsets, "seed": seed, "output": output}
        metrics: dict[str, FaithfulnessMetric] = {
            "faithfulness_correlation": FaithfulnessCorrelation(
                masker, subset_size=subset_size, **subsets
            ),
            "faithfulness_estimate": FaithfulnessEstimate(masker, chunks=n_steps, output=output),
            "monotonicity_correlation": MonotonicityCorrelation(
                masker, chunks=n_steps, absolute=False, output=output
            ),
            "region_perturbation": RegionPerturbation(
                masker, n_steps, include_start=False, output=output
            ),
            "insertion": Insertion(masker, baseline=insertion_baseline, **late),
            "deletion": Deletion(masker, **late),
            "negative_perturbation": NegativePerturbation(masker, freeze=True, **late),
            "positive_perturbation": PositivePerturbation(masker, freeze=True, **late),
            "irof": IROF(masker, **late),
            "infidelity": FaithfulnessCorrelation(masker, subset_size="bernoulli", **subsets),
        }
        return cls(masker, names, metrics, **kwargs)

    @property
    def directions(self) -> dict[str, bool]:
        """Whether a higher value is better, for each metric."""
        return {name: bool(metric.higher_is_better) for name, metric in self.metrics.items()}

    def update(
        self,
        model: Forward,
        inputs: Tensor,
        attributions: Tensor | Mapping[str, Tensor],
        target: Tensor | int | None = None,
        *,
        forward_kwargs: Mapping[str, Any] | None = None,
        masker_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a batch.

        Args:
            model: The explained model: inputs ``(N, *S)`` to logits ``(N, C)``. It runs in eval
                mode, without gradients.
            inputs: Inputs, ``(B, *S)``.
            attributions: Attributions ``(B, *S)``, signed, or pooled to saliency ``(B, n)``: one
                for each name, or a single tensor if the suite has no names.
            target: Explained class, ``(B,)`` or one for all; None for the predicted one.
            forward_kwargs: Further keyword arguments of the model, such as an attention mask;
                tensors have B rows. The maskers see them too.
            masker_kwargs: Further data of the samples for the maskers alone, such as label maps.

        Raises:
            TypeError: If attributions are not floating, or the model returns no tensor.
            ValueError: If names are missing or unknown, a shape does not fit, a target is out of
                range, or inputs, attributions or outputs hold NaN or Inf.
        """
        scores, tied = self._scores(
            model, inputs, attributions, target, forward_kwargs, masker_kwargs
        )
        values = torch.stack([each.values for each in scores.values()])
        undefined = torch.stack([each.undefined.sum(dim=1) for each in scores.values()])
        with trusted_values():
            self._add("sum", exact_sums("scores", values))
        self._add("undefined", undefined)
        self._add("tied", to_fixed_point(tied).sum(dim=1))
        self._add("count", torch.tensor(len(inputs)))

    def score(
        self,
        model: Forward,
        inputs: Tensor,
        attributions: Tensor | Mapping[str, Tensor],
        target: Tensor | int | None = None,
        *,
        forward_kwargs: Mapping[str, Any] | None = None,
        masker_kwargs: Mapping[str, Any] | None = None,
    ) -> dict[str, Tensor]:
        """Return the scores of each sample, without adding the batch; arguments as in ``update``.

        Returns:
            ``(E, B)`` for each metric, explanations in the order of the names; float32 or better.
        """
        scores = self.per_sample(
            model,
            inputs,
            attributions,
            target,
            forward_kwargs=forward_kwargs,
            masker_kwargs=masker_kwargs,
        )
        return {name: each.values for name, each in scores.items()}

    def per_sample(
        self,
        model: Forward,
        inputs: Tensor,
        attributions: Tensor | Mapping[str, Tensor],
        target: Tensor | int | None = None,
        *,
        forward_kwargs: Mapping[str, Any] | None = None,
        masker_kwargs: Mapping[str, Any] | None = None,
    ) -> dict[str, PerSample]:
        """Return the scores of each sample, and whether they are undefined; see :meth:`score`.

        Returns:
            ``(E, B)`` values and bool for each metric; the value of an undefined score is 0.
        """
        return self._scores(model, inputs, attributions, target, forward_kwargs, masker_kwargs)[0]

    def compute(self) -> dict[str, Tensor]:
        """Return the means over all samples, scalars; NaN if there were none.

        They are float32, or float64 if one of them exceeds the range of float32.

        Returns:
            ``{metric: mean}``, or ``{explanation/metric: mean}`` if the suite has names.
        """
        means = exact_means(self._state("sum"), self._state("count"))
        return self._labelled(as_float32(means))

    def undefined_share(self) -> dict[str, Tensor]:
        """Return the share of samples with an undefined score, under the names of ``compute``.

        In a distributed run it covers the samples of all processes, and every process must call it.
        """
        with self._synced():
            undefined = self._state("undefined").float()
            return self._labelled(undefined / self._state("count"))

    def tied_share(self) -> dict[str, Tensor]:
        """Return the share of features with the same saliency as another feature of the sample.

        Among tied features the one with the lower index counts as the more relevant. If the share
        is large, removal curves depend on the order of the features more than on the explanation.
        In a distributed run every process must call it.

        Returns:
            ``{explanation: share}``; the explanation is ``""`` if the suite has no names.
        """
        with self._synced():
            shares = from_fixed_point(self._state("tied")) / self._state("count")
        return dict(zip(self.names or ("",), shares.float().unbind(), strict=True))

    def to_table(self) -> str:
        """Return the means as aligned text: explanations in rows, metrics in columns.

        An arrow shows the direction that is better. A legend of the metrics follows the table.
        """
        rows = [["", *metric_labels(self.directions)]]
        means = self.compute()
        for name in self.names or ("",):
            labels = [f"{name}/{metric}" if self.names else metric for metric in self.metrics]
            rows.append([name, *(f"{float(means[label]):.4f}" for label in labels)])
        return f"{aligned_text(rows)}\n\n{legend(self.directions)}"

    @torch.no_grad()
    def _scores(
        self,
        model: Forward,
        inputs: Tensor,
        attributions: Tensor | Mapping[str, Tensor],
        target: Tensor | int | None,
        forward_kwargs: Mapping[str, Any] | None,
        masker_kwargs: Mapping[str, Any] | None,
    ) -> tuple[dict[str, PerSample], Tensor]:
        """Return scores ``(E, B)`` for each metric, and shares of ties ``(E, B)``."""
        named = self._named(attributions)
        batch = explained_batch(inputs, target, forward_kwargs, masker_kwargs)
        check_explanations(named, batch)
        if not len(batch):
            nothing = torch.zeros(len(named), 0, device=inputs.device)
            return {name: PerSample(nothing, nothing.bool()) for name in self.metrics}, nothing
        # the suite's own masker comes last, for the shares of ties
        needs = [
            Need(metric.masker, metric.probes, metric.needs_hits)
            for metric in self.metrics.values()
        ]
        needs.append(Need(self.masker, ()))
        parts: dict[str, list[PerSample]] = {name: [] for name in self.metrics}
        ties = []
        size = self.evaluation.rows_per_pass(inputs)
        blocks = zip(
            batch.blocks(size), *(each.split(size) for each in named.values()), strict=True
        )
        with self.evaluation.bar(len(batch)) as bar:
            for block, *of_block in blocks:
                *readings, own = self.evaluation(model, block, of_block, needs, bar)
                with trusted_values():
                    for (name, metric), each in zip(self.metrics.items(), readings, strict=True):
                        parts[name].append(_in_rows(metric, each, len(named)))
                ties.append(own.tied.view(len(named), -1))
        scores = {
            name: PerSample(*(torch.cat(each, dim=1) for each in zip(*part, strict=True)))
            for name, part in parts.items()
        }
        if not bool(torch.stack([each.values for each in scores.values()]).isfinite().all()):
            for name, of_metric in scores.items():
                check_finite(f"scores of {name}", of_metric.values)
        return scores, torch.cat(ties, dim=1)

    def _named(self, attributions: Tensor | Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the explanations in the order of the names, by their name in error messages."""
        if self.names is None:
            if not isinstance(attributions, Tensor):
                raise ValueError(
                    "attributions must be one tensor for a suite without names, got "
                    f"{list(attributions)}; give FaithfulnessSuite(names={list(attributions)})"
                )
            return {"attributions": attributions}
        given = {} if isinstance(attributions, Tensor) else attributions
        check_by_name("attributions", given, self.names)
        if set(given) != set(self.names):
            raise ValueError(
                f"attributions must have the names {sorted(self.names)}, got {sorted(given)}"
            )
        return {f"attributions[{name!r}]": given[name] for name in self.names}

    def _labelled(self, values: Tensor) -> dict[str, Tensor]:
        """Name values ``(metrics, explanations)``."""
        return {
            f"{name}/{metric}" if self.names else metric: value
            for metric, row in zip(self.metrics, values, strict=True)
            for name, value in zip(self.names or ("",), row, strict=True)
        }


def _chosen(
    ten: Sequence[FaithfulnessMetric], wanted: Sequence[FaithfulnessMetric | str]
) -> list[FaithfulnessMetric]:
    """Replace names by the metrics that they name."""
    named = {metric.metric_name: metric for metric in ten}
    if unknown := [each for each in wanted if isinstance(each, str) and each not in named]:
        raise ValueError(f"metrics must be names among {list(named)}, got {unknown}")
    return [named[each] if isinstance(each, str) else each for each in wanted]


def _by_name(
    metrics: Sequence[FaithfulnessMetric] | Metrics, output: OutputFunction
) -> dict[str, FaithfulnessMetric]:
    """Name metrics, and check that they have the output of the suite."""
    if isinstance(metrics, Mapping):
        named = dict(metrics)
    else:
        named = {metric.metric_name: metric for metric in metrics}
        if len(named) < len(metrics):
            raise ValueError(
                "metrics must have different names, got two metrics of a kind; give a mapping: "
                "{'deletion to zero': ..., 'deletion to blur': ...}"
            )
    if not named:
        raise ValueError("metrics must hold at least one metric, got none")
    for name, metric in named.items():
        if not isinstance(metric, FaithfulnessMetric):
            raise TypeError(f"metrics[{name!r}] must be a faithfulness metric, got {metric!r}")
        if metric.evaluation.output is not output:
            raise ValueError(
                f"metrics[{name!r}] must have the output of the suite, got "
                f"output={metric.output!r}; give both the same"
            )
    return named


def _in_rows(metric: FaithfulnessMetric, readings: Readings, n_explanations: int) -> PerSample:
    """Return the scores of a metric, ``(E, B)``."""
    values, undefined = metric.reduce(readings)
    return PerSample(values.view(n_explanations, -1), undefined.view(n_explanations, -1))
