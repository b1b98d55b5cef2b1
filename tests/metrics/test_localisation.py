import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torchmetrics import MetricCollection

from pear_lightning import functional
from pear_lightning.functional.regions import region_rows
from pear_lightning.metrics import (
    AttributionInside,
    AttributionOutside,
    PointingGame,
    RelevanceMassAccuracy,
    RelevanceRankAccuracy,
    WrongReason,
)
from pear_lightning.metrics.localisation.base import RegionMetric
from tests.ddp import run_distributed
from tests.reference import localisation as reference

CASES: list[tuple[Any, Any, Any]] = [
    (AttributionInside, functional.attribution_share, reference.share_inside),
    (AttributionOutside, None, reference.share_outside),
    (PointingGame, functional.pointing_game, reference.hit),
    (RelevanceMassAccuracy, functional.relevance_mass_accuracy, reference.mass_accuracy),
    (RelevanceRankAccuracy, functional.relevance_rank_accuracy, reference.rank_accuracy),
]
CLASSES = [cls for cls, *_ in CASES]
EVERY: list[Callable[[], Any]] = [*CLASSES, WrongReason, lambda: WrongReason(0.3)]


def batches(count: int = 4, size: int = 6, n: int = 9) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    attributions = torch.randn(count, size, n, generator=generator).round(decimals=1)
    masks = torch.rand(count, size, n, generator=generator) < 0.4
    attributions[0, 0] = 0
    attributions[0, 1] = -attributions[0, 1].abs()  # nothing positive
    attributions[0, 2] = 2  # the same everywhere
    attributions[0, 3, :6] = 3  # ties at the top
    masks[1, 0] = False  # not annotated
    masks[1, 1] = True
    return list(zip(attributions, masks, strict=True))


def everything() -> tuple[Tensor, Tensor]:
    attributions, masks = zip(*batches(), strict=True)
    return torch.cat(attributions), torch.cat(masks)


@pytest.mark.parametrize(("cls", "function", "plain"), CASES)
def test_against_a_plain_transcription(cls: Any, function: Any, plain: Any) -> None:
    metric = cls()
    for batch in batches():
        metric.update(*batch)
    attributions, masks = everything()
    expected = [plain(a, m) for a, m in zip(attributions.tolist(), masks.tolist(), strict=True)]
    defined = [value for value in expected if value is not None]
    assert 0 < len(defined) < len(expected)
    assert metric.compute() == pytest.approx(sum(defined) / len(defined), abs=1e-6)
    assert metric.compute().dtype == torch.float32
    assert metric.undefined_share() == pytest.approx(1 - len(defined) / len(expected))
    found = metric.score(attributions, masks)
    assert found.undefined.tolist() == [value is None for value in expected]
    torch.testing.assert_close(found.values, torch.tensor([value or 0.0 for value in expected]))
    if function is not None:
        torch.testing.assert_close(function(attributions, masks).values, found.values)


@pytest.mark.parametrize("threshold", [None, 0.0, 0.31, 1.0])
def test_wrong_reason_in_two_passes(threshold: float | None) -> None:
    attributions, masks = everything()
    score, used, dropped = reference.wrong_reason(attributions.tolist(), masks.tolist(), threshold)
    metric = WrongReason(threshold)
    for batch in batches():
        metric.update(*batch)
    assert metric.compute() == pytest.approx(score, abs=1e-6)
    assert metric.threshold_used() == pytest.approx(used, abs=1e-6)
    assert metric.undefined_share() == pytest.approx(dropped / len(masks))
    per_sample = functional.wrong_reason(attributions, masks, float(metric.threshold_used()))
    defined = per_sample.values[~per_sample.undefined]
    torch.testing.assert_close(metric.compute(), defined.mean())
    if threshold is None:
        mean = functional.mean_activation(attributions, masks)
        torch.testing.assert_close(metric.threshold_used(), mean)


def test_values_at_the_threshold_are_not_lit() -> None:
    attributions = torch.tensor([[0.0, 0.5, 1.0]])
    mask = torch.ones(1, 3, dtype=torch.bool)
    assert WrongReason(0.5)(attributions, mask) == torch.tensor(1 / 3)
    assert WrongReason(1.0)(attributions, mask) == 0
    assert WrongReason()(attributions, mask) == torch.tensor(1 / 3)  # the mean is .5


@pytest.mark.parametrize("make", EVERY)
def test_batches_and_order_do_not_matter(make: Any) -> None:
    attributions, masks = everything()
    one, each = make(), make()
    one.update(attributions, masks)
    for i in torch.randperm(len(masks)).tolist():
        each.update(attributions[i : i + 1], masks[i : i + 1])
    assert one.compute() == each.compute()
    assert one.undefined_share() == each.undefined_share()


@pytest.mark.parametrize("make", EVERY)
def test_scale_does_not_matter(make: Any) -> None:
    attributions, masks = everything()
    for scale in (2.0**-120, 2.0**100):
        torch.testing.assert_close(make()(attributions * scale, masks), make()(attributions, masks))


@pytest.mark.parametrize("make", EVERY)
def test_channels_are_summed_where_the_mask_has_one(make: Any) -> None:
    attributions, mask = torch.randn(5, 3, 4, 4), torch.rand(5, 4, 4) < 0.3
    expected = make()(attributions.sum(dim=1), mask)
    for region in (mask, mask[:, None], mask[:, None].float(), mask.long()):
        torch.testing.assert_close(make()(attributions, region), expected)
    rows = region_rows(attributions, mask[:, None].expand(5, 3, 4, 4))
    assert rows.values.shape == (5, 48)


@pytest.mark.parametrize("make", EVERY)
def test_one_region_applies_to_all_samples(make: Any) -> None:
    attributions, masks = everything()
    whole = masks[3:4].expand_as(attributions)
    torch.testing.assert_close(make()(attributions, masks[3:4]), make()(attributions, whole))


@pytest.mark.parametrize("make", EVERY)
def test_half_precision_is_read_in_float32(make: Any) -> None:
    attributions, masks = everything()
    half = attributions.bfloat16()
    assert make()(half, masks) == make()(half.float(), masks)
    module: Any = torch.nn.ModuleList([make()]).to(torch.bfloat16)
    for _ in range(40):
        module[0].update(attributions, masks)
    module.to(torch.bfloat16)
    torch.testing.assert_close(module[0].compute(), make()(attributions, masks))


@pytest.mark.parametrize("make", EVERY)
def test_pickle_clone_and_reset(make: Any) -> None:
    metric = make()
    metric.update(*batches()[2])
    expected = metric.compute()
    for copy in (pickle.loads(pickle.dumps(metric)), metric.clone()):
        assert copy.compute() == expected
    metric.reset()
    metric.update(*batches()[3])
    assert metric.compute() == make()(*batches()[3])


def test_collection_keeps_metrics_apart() -> None:
    for grouped in (False, True):
        named = {type(make()).__name__: make() for make in EVERY[:-1]}
        collection = MetricCollection(named, compute_groups=grouped).clone(prefix="val_")
        for batch in batches():
            collection.update(*batch)
        for name, value in collection.compute().items():
            alone = type(named[name.removeprefix("val_")])()
            alone.update(*everything())
            torch.testing.assert_close(value, alone.compute())


def test_a_collection_takes_mask_and_region_by_name() -> None:
    named = {type(make()).__name__: make() for make in EVERY[:-1]}
    for grouped in (False, True):
        collection = MetricCollection(dict(named), compute_groups=grouped).clone()
        for attributions, mask in batches():
            region = ~mask & mask.any(dim=1, keepdim=True)
            collection.update(attributions=attributions, mask=mask, region=region)
        attributions, masks = everything()
        regions = ~masks & masks.any(dim=1, keepdim=True)
        for name, value in collection.compute().items():
            takes_region = isinstance(named[name], RegionMetric)
            alone = named[name].clone()
            alone.update(attributions, regions if takes_region else masks)
            torch.testing.assert_close(value, alone.compute())
            assert alone.undefined_share() == collection[name].undefined_share()
        with pytest.raises(TypeError, match="'region'"):
            collection.update(attributions=attributions, mask=masks)


@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric")
@pytest.mark.parametrize("make", EVERY)
def test_without_samples(make: Any) -> None:
    metric = make()
    assert metric.compute().isnan()
    metric.update(torch.rand(0, 4), torch.zeros(0, 4).bool())
    metric.update(torch.rand(2, 4), torch.zeros(2, 4).bool())
    metric = pickle.loads(pickle.dumps(metric))
    assert metric.compute().isnan()
    assert metric.undefined_share() == 1


def test_directions() -> None:
    lower = {cls for cls in [*CLASSES, WrongReason] if not cls.higher_is_better}
    assert lower == {AttributionInside, WrongReason}


@pytest.mark.parametrize("make", EVERY)
def test_errors_name_the_argument_and_leave_no_trace(make: Any) -> None:
    metric = make()
    attributions, mask = torch.rand(2, 3, 4, 4), torch.zeros(2, 3, 4, 4).bool()
    for values, region, message in [
        (attributions * torch.nan, mask, "attributions must be finite, got 96 NaN"),
        (
            attributions,
            mask[[0, 1, 1]],
            r"(mask|region) must have the shape of attributions, .*, got \(3, 3, 4, 4\)",
        ),
        (attributions, mask[..., :2], r"(mask|region) must have .*, got \(2, 3, 4, 2\)"),
        (attributions, mask + 0.5, r"(mask|region) must hold zeros and ones only, got (0|1)\.5"),
    ]:
        with pytest.raises(ValueError, match=message):
            metric.update(values, region)
    with pytest.raises(TypeError, match="attributions must be floating-point"):
        metric.update(attributions.long(), mask)
    assert metric._state("count") == 0
    with pytest.raises(ValueError, match=r"threshold must be between 0 and 1.*, got 1\.5"):
        WrongReason(1.5)
    with pytest.raises(ValueError, match=r"threshold must be between 0 and 1.*, got -1"):
        functional.wrong_reason(attributions, mask, -1)


def compute_split(rank: int, world_size: int, splits: list[list[int]]) -> list[Any]:
    return compute_on_a_rank(splits[rank])


def compute_on_a_rank(indices: list[int]) -> list[Any]:
    results = []
    for make in EVERY:
        metric = make()
        for index in indices:
            metric.update(*batches()[index])
        results.append((metric.compute(), metric.undefined_share()))
        if isinstance(metric, WrongReason):
            results.append((metric.threshold_used(), metric.compute()))
    return results


@pytest.mark.ddp
@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric")
def test_two_processes_equal_one() -> None:
    one = compute_on_a_rank([0, 1, 2, 3])
    for splits in ([[0, 2], [1, 3]], [[0, 1, 2], [3]], [[3, 2, 1, 0], []]):
        for found in run_distributed(compute_split, splits):
            assert found == one
