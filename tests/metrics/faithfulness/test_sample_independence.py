"""A sample's score depends on that sample alone: not on its batch, its place, its padding."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor

from pear_lightning.masking import ColumnMasker
from tests.metrics.faithfulness.cases import CASES, Recorder, images, score, table, texts
from tests.metrics.faithfulness.configurations import CONFIGURATIONS, make

every_configuration = pytest.mark.parametrize("name", CONFIGURATIONS)
on_every_case = pytest.mark.parametrize("kind", CASES)

FIXED_SIZE = ("correlation", "correlation, share")


def same(found: Tensor, expected: Tensor, name: str = "") -> None:
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-9, msg=name or None)


@on_every_case
@every_configuration
def test_score_of_a_batch_is_the_scores_of_its_samples(name: str, kind: str) -> None:
    case = CASES[kind]()
    metric = make(name, case.masker)
    together = score(metric, case)
    same(torch.cat([score(metric, case.rows([i])) for i in range(len(case))]), together)
    order = torch.randperm(len(case)).tolist()
    same(score(metric, case.rows(order)), together[order])


@on_every_case
@every_configuration
def test_score_does_not_depend_on_the_size_of_a_pass(name: str, kind: str) -> None:
    case = CASES[kind]()
    expected = score(make(name, case.masker), case)
    for samples_per_pass in (1, 2, 5, 1000):
        metric = make(name, case.masker, samples_per_pass=samples_per_pass)
        same(score(metric, case), expected, f"{name}, {samples_per_pass} samples in a pass")


@on_every_case
def test_passes_are_no_larger_than_asked(kind: str) -> None:
    case = CASES[kind]()
    case.model = recorder = Recorder(case.model)
    for samples_per_pass in (1, 2, 5, 7):
        recorder.seen.clear()
        score(make("correlation", case.masker, samples_per_pass=samples_per_pass), case)
        assert max(map(len, recorder.seen)) <= samples_per_pass
        assert recorder.count == len(case) * 13


@pytest.mark.parametrize("side", ["right", "left"])
@every_configuration
def test_padding_changes_nothing(name: str, side: str) -> None:
    lengths = (8, 3, 5)
    padded = texts(lengths, side)
    alone = [texts((length,)) for length in lengths]
    metric = make(name, padded.masker)
    same(score(metric, padded), torch.cat([score(metric, case) for case in alone]), name)


@pytest.mark.parametrize("baseline", ["uniform", "gaussian", "shuffle"])
@every_configuration
def test_random_baselines_belong_to_the_sample(name: str, baseline: str) -> None:
    case = table() if baseline == "uniform" else images()
    masker = case.masker.with_baseline(baseline)
    metric = make(name, masker)
    together = score(metric, case)
    same(torch.cat([score(metric, case.rows([i])) for i in range(len(case))]), together)
    assert torch.equal(score(metric, case), together)


@every_configuration
def test_float32(name: str) -> None:
    """Scores of a float32 model are float32, and those of a float64 model to that precision."""
    case = table(dtype=torch.float32)
    precise = deepcopy(case.model).double()
    metric = make(name, case.masker)
    found = score(metric, case)
    exact = metric.score(lambda x: precise(x.double()), case.inputs, case.attributions.double())
    assert found.dtype == torch.float32
    assert exact.dtype == torch.float64
    torch.testing.assert_close(found, exact.float(), rtol=1e-3, atol=1e-5)


@every_configuration
def test_a_sample_with_one_feature(name: str) -> None:
    case = texts((1, 6))
    too_large = CONFIGURATIONS[name][1].get("subset_size") == 2
    options = {"subset_size": 1} if too_large else {}
    metric = make(name, case.masker, **options)
    values = score(metric, case)
    assert values.isfinite().all()
    same(values[1:], score(metric, texts((6,))))
    metric.update(case.model, case.inputs, case.attributions, forward_kwargs=case.kwargs)
    # one feature gives nothing to compare, and a curve of one step has nothing after it
    defined = {"infidelity, DeepFaith", "region, DeepFaith"}
    late = name.endswith("DeepFaith") and name not in defined
    inner = name.endswith("Chefer")
    alone = late or inner or name in ("estimate", "monotonicity", *FIXED_SIZE)
    assert metric.undefined_share() == (0.5 if alone else 0), name


def test_gradients_do_not_flow() -> None:
    case = table()
    masker = ColumnMasker(7)
    for name in CONFIGURATIONS:
        attributions = case.attributions.clone().requires_grad_()
        values = make(name, masker).score(case.model, case.inputs, attributions)
        assert not values.requires_grad, name
