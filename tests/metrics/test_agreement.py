import pickle
from typing import Any

import pytest
import torch
from torch import Tensor
from torchmetrics import MetricCollection

from pear_lightning import metrics
from pear_lightning.functional.agreement import TOP_K_NAMES, chance_corrected, chance_level
from pear_lightning.metrics import AgreementMatrix, RankCorrelation
from pear_lightning.metrics.agreement.base import AgreementMetric
from pear_lightning.modules import PEAR
from pear_lightning.nn import MLP
from tests.ddp import run_distributed
from tests.functional.test_agreement import measure

CLASSES = [
    metrics.FeatureAgreement,
    metrics.RankAgreement,
    metrics.SignAgreement,
    metrics.SignedRankAgreement,
    metrics.RankCorrelation,
    metrics.PairwiseRankAgreement,
]


def make(cls: Any, **options: Any) -> AgreementMetric:
    metric: AgreementMetric = cls(k=3, **options) if cls.measure in TOP_K_NAMES else cls(**options)
    return metric


def batches(count: int = 4, size: int = 5, n: int = 8) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    pairs = torch.randn(count, 2, size, n, generator=generator).round(decimals=1)
    pairs[0, 0, 0] = 1  # a constant row
    return [(a, b) for a, b in pairs]


@pytest.mark.parametrize("cls", CLASSES)
def test_mean_and_standard_error_over_batches(cls: type[AgreementMetric]) -> None:
    metric = make(cls)
    data = batches()
    for a, b in data:
        metric.update(a, b)
    values = torch.cat([measure(cls.measure, a, b) for a, b in data])
    torch.testing.assert_close(metric.compute(), values.mean())
    torch.testing.assert_close(metric.sem(), values.std() / len(values) ** 0.5)
    assert metric.compute().dtype == torch.float32


@pytest.mark.parametrize("cls", CLASSES)
def test_images_are_flattened(cls: type[AgreementMetric]) -> None:
    a, b = torch.randn(2, 3, 2, 2, 2).unbind()
    metric = make(cls)
    torch.testing.assert_close(
        metric(a, b), measure(cls.measure, a.flatten(1), b.flatten(1)).mean()
    )


@pytest.mark.parametrize("cls", CLASSES)
def test_pickle_clone_and_reset(cls: type[AgreementMetric]) -> None:
    metric = make(cls)
    metric.update(*batches()[0])
    expected = metric.compute()
    for copy in (pickle.loads(pickle.dumps(metric)), metric.clone()):
        torch.testing.assert_close(copy.compute(), expected)
        copy.update(*batches()[0][:1] * 2)
        assert copy.compute() > expected
    metric.reset()
    assert all(getattr(metric, state) == 0 for state in metric._defaults)
    metric.update(*batches()[1][::-1])
    torch.testing.assert_close(metric.compute(), measure(cls.measure, *batches()[1]).mean())


@pytest.mark.parametrize("cls", CLASSES)
def test_casts_of_the_module_do_not_touch_the_sums(cls: type[AgreementMetric]) -> None:
    module = torch.nn.ModuleList([make(cls)]).to(torch.bfloat16)
    metric: Any = module[0]
    a = torch.randn(700, 8)
    for row in a.split(7):
        metric.update(row, row)
    assert metric.compute() == 1
    assert metric.sem() == 0


def test_collection_keeps_metrics_apart() -> None:
    chosen = {cls.measure: make(cls) for cls in CLASSES}
    for grouped in (False, True):
        collection = MetricCollection(dict(chosen), compute_groups=grouped).clone(prefix="val_")
        a = torch.randn(4, 8)
        collection.update(a, a)  # all metrics are 1 here, and look alike
        for pair in batches():
            collection.update(*pair)
        for name, value in collection.compute().items():
            values = [measure(name.removeprefix("val_"), x, y) for x, y in [(a, a), *batches()]]
            torch.testing.assert_close(value, torch.cat(values).mean())


@pytest.mark.parametrize("cls", [c for c in CLASSES if c is not RankCorrelation])
def test_chance_correction(cls: type[AgreementMetric]) -> None:
    plain, corrected = make(cls), make(cls, chance_corrected=True)
    for pair in batches():
        plain.update(*pair)
        corrected.update(*pair)
    chance = chance_level(cls.measure, 8, 3)
    torch.testing.assert_close(corrected.compute(), chance_corrected(plain.compute(), chance))
    torch.testing.assert_close(corrected.sem(), plain.sem() / (1 - chance))


def test_options_reach_the_measure() -> None:
    a, b = torch.tensor([[3.0, 2.0, 2.0]]), torch.tensor([[3.0, 2.0, 1.0]])
    assert metrics.RankAgreement(k=2, ties="dense")(a, b) == 1
    assert metrics.RankAgreement(k=2)(a, b) == 0.5
    assert metrics.PairwiseRankAgreement()(a, b) == torch.tensor(2 / 3)
    assert metrics.PairwiseRankAgreement(strict=True)(a.flip(-1), b.flip(-1)) == 1
    with pytest.raises(ValueError, match=r"ties must be one of .*, got 'max'"):
        metrics.RankAgreement(k=2, ties="max")  # type: ignore[arg-type]


def test_constant_rows_are_counted() -> None:
    metric = RankCorrelation()
    for a, b in batches():
        metric.update(a, b)
    assert metric.constant_rows == 1


@pytest.mark.parametrize("cls", [c for c in CLASSES if c is not RankCorrelation])
def test_a_batch_of_texts_of_one_word_can_be_corrected_for_chance(
    cls: type[AgreementMetric],
) -> None:
    """They have no ranking, and with padding fewer words than k."""
    metric, expected = (make(cls, chance_corrected=True) for _ in range(2))
    metric.update(*torch.randn(2, 4, 2), torch.tensor([[True, False]]).expand(4, 2))
    for each in (metric, expected):
        each.update(*batches()[1], torch.ones(5, 8).bool())
    assert metric.compute() == expected.compute()


@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric")
def test_without_samples() -> None:
    metric = metrics.PairwiseRankAgreement()
    assert metric.compute().isnan()
    metric.update(torch.rand(0, 4), torch.rand(0, 4))
    assert metric.compute().isnan()
    metric.update(torch.rand(1, 4), torch.rand(1, 4))
    assert metric.compute().isfinite()
    assert metric.sem().isnan()


def test_errors_name_the_argument() -> None:
    metric = metrics.FeatureAgreement(k=9)
    a = torch.rand(2, 8)
    with pytest.raises(ValueError, match=r"k must be between 1 and .*, got 9"):
        metric.update(a, a)
    with pytest.raises(ValueError, match="attributions_b must be finite, got 16 NaN"):
        metric.update(a, a * torch.nan)
    with pytest.raises(
        ValueError, match="attributions_a and attributions_b must have the same shape"
    ):
        metric.update(a, a[:, :4])
    with pytest.raises(TypeError, match="'k'"):
        metrics.FeatureAgreement()  # type: ignore[call-arg]


def test_gradients_do_not_flow() -> None:
    a = torch.rand(2, 8, requires_grad=True)
    assert not metrics.PairwiseRankAgreement()(a, a).requires_grad


def compute_splits(rank: int, world_size: int, splits: list[list[list[int]]]) -> list[Any]:
    return [compute_on_a_rank(split[rank]) for split in splits]


def compute_on_a_rank(indices: list[int]) -> dict[str, Any]:
    results: dict[str, Any] = {}
    matrix = AgreementMatrix(["a", "b"], k=3)
    collection = [make(cls) for cls in CLASSES]
    for index in indices:
        a, b = batches()[index]
        for metric in collection:
            metric.update(a, b)
        matrix.update({"a": a, "b": b}, repeats={"b": a})
    for metric in collection:
        results[metric.measure] = (metric.compute(), metric.sem())
    results["matrix"] = matrix.compute()
    return results


@pytest.mark.ddp
def test_two_processes_equal_one() -> None:
    one = compute_on_a_rank([0, 1, 2, 3])
    splits = [[[0, 2], [1, 3]], [[0, 1, 2], [3]]]
    for results in run_distributed(compute_splits, splits):
        for found in results:
            for name, expected in one.items():
                if name == "matrix":
                    assert all(torch.equal(found[name][m], expected[m]) for m in expected)
                else:
                    assert found[name] == expected, name


def test_the_five_largest_features_are_compared_by_default() -> None:
    model = PEAR(MLP(8))
    assert model.val_agreement.k == model.test_agreement.k == 5
