import pickle
from typing import Any

import pytest
import torch
from torch import Tensor
from torchmetrics import MetricCollection

from pear_lightning.functional import (
    importance_stability,
    kendall,
    precision_at_k,
    relevance_auroc,
    relevance_average_precision,
    spearman,
    top_k_overlap,
)
from pear_lightning.functional.importance import false_discovery_rate, true_discovery_rate
from pear_lightning.metrics import (
    FalseDiscoveryRate,
    ImportanceKendall,
    ImportanceSpearman,
    ImportanceStability,
    PrecisionAtK,
    RelevanceAUROC,
    RelevanceAveragePrecision,
    TopKOverlap,
    TrueDiscoveryRate,
)
from tests.ddp import run_distributed

AGAINST_RELEVANCE = [
    (PrecisionAtK, {}, precision_at_k),
    (RelevanceAUROC, {}, relevance_auroc),
    (RelevanceAveragePrecision, {}, relevance_average_precision),
]
AGAINST_REFERENCE = [
    (ImportanceSpearman, {}, spearman),
    (ImportanceKendall, {}, kendall),
    (TopKOverlap, {"k": 3}, lambda a, b: top_k_overlap(a, b, 3)),
]
OF_SELECTIONS = [
    (TrueDiscoveryRate, {}, true_discovery_rate),
    (FalseDiscoveryRate, {}, false_discovery_rate),
]
ALL = [*AGAINST_RELEVANCE, *AGAINST_REFERENCE, *OF_SELECTIONS]
RELEVANCE = torch.arange(8) % 3 == 0


def batches(count: int = 4, size: int = 5, d: int = 8) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    runs = torch.randn(count, size, d, generator=generator).round(decimals=1)
    runs[0, 0] = 1  # a constant run
    return list(runs)


def arguments(cls: Any, runs: Tensor) -> tuple[Tensor, Tensor]:
    if cls in [each for each, *_ in AGAINST_REFERENCE]:
        return runs, runs.flip(0) ** 2
    if cls in [each for each, *_ in OF_SELECTIONS]:
        return runs > 0.5, RELEVANCE
    return runs, RELEVANCE


@pytest.mark.parametrize(("cls", "options", "function"), ALL)
def test_mean_and_deviation_over_updates(cls: Any, options: Any, function: Any) -> None:
    metric = cls(**options)
    for runs in batches():
        metric.update(*arguments(cls, runs))
    values = torch.cat([function(*arguments(cls, runs)) for runs in batches()])
    torch.testing.assert_close(metric.compute(), values.mean())
    torch.testing.assert_close(metric.sd(), values.std(correction=0))
    assert metric.compute().dtype == torch.float32


@pytest.mark.parametrize(("cls", "options", "function"), ALL)
def test_one_run_at_a_time(cls: Any, options: Any, function: Any) -> None:
    together, apart = cls(**options), cls(**options)
    first, second = arguments(cls, batches()[1])
    together.update(first, second)
    for i, run in enumerate(first):
        apart.update(run, second if second.ndim == 1 else second[i])
    assert apart.compute() == together.compute()
    assert apart.sd() == together.sd()


@pytest.mark.parametrize(("cls", "options", "function"), ALL)
def test_pickle_clone_and_reset(cls: Any, options: Any, function: Any) -> None:
    metric = cls(**options)
    metric.update(*arguments(cls, batches()[1]))
    expected = metric.compute()
    for copy in (pickle.loads(pickle.dumps(metric)), metric.clone()):
        assert copy.compute() == expected
    metric.reset()
    assert all(getattr(metric, state) == 0 for state in metric._defaults)


def test_casts_of_the_module_do_not_touch_the_sums() -> None:
    module = torch.nn.ModuleList([PrecisionAtK()]).to(torch.bfloat16)
    metric: Any = module[0]
    for _ in range(700):
        metric.update(RELEVANCE.float(), RELEVANCE)
    assert metric.compute() == 1
    assert metric.sd() == 0


def test_collection_keeps_metrics_apart() -> None:
    for grouped in (False, True):
        collection = MetricCollection(
            [cls(**options) for cls, options, _ in AGAINST_RELEVANCE], compute_groups=grouped
        ).clone(prefix="val_")
        collection.update(RELEVANCE.float(), RELEVANCE)  # all are 1 here, and look alike
        for runs in batches():
            collection.update(runs, RELEVANCE)
        found = collection.compute()
        for cls, _, function in AGAINST_RELEVANCE:
            values = [function(runs, RELEVANCE) for runs in batches()]
            expected = torch.cat([torch.ones(1), *values]).mean()
            torch.testing.assert_close(found[f"val_{cls.__name__}"], expected)


def test_one_reference_serves_all_runs() -> None:
    runs = batches()[1]
    for cls, options, _ in AGAINST_REFERENCE:
        one, each = cls(**options), cls(**options)
        one.update(runs, runs[0])
        each.update(runs, runs[:1].expand_as(runs))
        assert one.compute() == each.compute()


def test_constant_scores_count_as_zero_and_are_counted() -> None:
    for cls in (ImportanceSpearman, ImportanceKendall):
        metric = cls()
        metric.update(torch.stack([torch.arange(4.0), torch.ones(4)]), torch.arange(4.0))
        assert metric.compute() == pytest.approx(0.5)
        metric.update(torch.arange(4.0), torch.zeros(4))
        assert metric.constant_rows == 2


def test_stability_counts_all_pairs_of_all_groups() -> None:
    metric = ImportanceStability("kuncheva_index", k=3)
    groups = [torch.randn(4, 8), torch.randn(3, 8)]
    for runs in groups:
        metric.update(runs)
    means = [importance_stability(runs, "kuncheva_index", 3) for runs in groups]
    torch.testing.assert_close(metric.compute(), (6 * means[0] + 3 * means[1]) / 9)
    same = ImportanceStability()
    same.update(torch.rand(1, 5).expand(3, 5))
    assert same.compute() == pytest.approx(1, abs=1e-6)


@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric")
def test_without_runs() -> None:
    metric = RelevanceAUROC()
    assert metric.compute().isnan()
    assert metric.sd().isnan()
    metric.update(torch.rand(0, 8), RELEVANCE)
    assert metric.compute().isnan()
    for relevance in (RELEVANCE, RELEVANCE.expand(0, 8)):
        precision = PrecisionAtK()
        precision.update(torch.rand(0, 8), relevance)
        assert precision.compute().isnan()


def test_direction_is_declared() -> None:
    assert all(
        cls.higher_is_better is (cls is not FalseDiscoveryRate)
        for cls in [ImportanceStability, *(cls for cls, *_ in ALL)]
    )


def test_a_refused_update_leaves_no_trace() -> None:
    metric = ImportanceSpearman()
    scores = torch.rand(3, 4)
    for bad, error in [
        (scores * torch.nan, "scores must be finite, got 12 NaN"),
        (torch.rand(3, 4, 2), r"scores must have shape \(d,\) or \(R, d\)"),
        (torch.rand(3, 5), "scores and reference must have the same shape"),
    ]:
        with pytest.raises(ValueError, match=error):
            metric.update(bad, scores[0] if bad.shape[-1] == 4 else scores)
    assert metric._state("count") == 0
    with pytest.raises(TypeError, match="'k'"):
        TopKOverlap()  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="k must be the number of top features"):
        ImportanceStability("jaccard_at_k")


def compute_split(rank: int, world_size: int, splits: list[list[int]]) -> list[Any]:
    return compute_on_a_rank(splits[rank])


def compute_on_a_rank(indices: list[int]) -> list[Any]:
    results = []
    for cls, options, _ in ALL:
        metric = cls(**options)
        for index in indices:
            metric.update(*arguments(cls, batches()[index]))
        results.append((metric.compute(), metric.sd()))
    stability = ImportanceStability("jaccard_at_k", k=2)
    for index in indices:
        stability.update(batches()[index])
    results.append((stability.compute(), stability.sd()))
    return results


@pytest.mark.ddp
def test_two_processes_equal_one() -> None:
    one = compute_on_a_rank([0, 1, 2, 3])
    for splits in ([[0, 2], [1, 3]], [[0, 1, 2], [3]]):
        for found in run_distributed(compute_split, splits):
            assert found == one
