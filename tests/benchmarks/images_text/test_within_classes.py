"""Whether one number of a sample predicts another, within classes."""

from typing import Any

import pytest
import torch

from benchmarks.images_text.within_classes import auroc_of, auroc_within, column, thirds


def run(n: int = 60) -> dict[str, Any]:
    """Return a record in which the first metric follows agreement, and the other confidence."""
    generator = torch.Generator().manual_seed(0)
    agreement, confidence = torch.rand(2, n, generator=generator)
    samples = {
        "agreement a / b": agreement,
        "agreement a / c": agreement,
        "faithfulness first": agreement,
        "faithfulness second": -confidence,
        "confidence": confidence,
        "features": torch.full((n,), 7),
        "predicted": torch.arange(n) % 3,
    }
    directions = {"first": True, "second": False}
    named = {name: values.tolist() for name, values in samples.items()}
    return {"samples": named, "higher_is_better": directions}


def test_a_perfect_predictor_and_a_reversed_one():
    values, groups = torch.tensor([1.0, 2, 3, 4, 9, 8]), torch.tensor([0, 0, 0, 0, 1, 1])
    assert auroc_within(values, values, groups) == 1
    assert auroc_within(-values, values, groups) == 0
    assert auroc_within(torch.zeros(6), values, groups) == 0.5


def test_a_score_that_only_knows_the_class_is_of_no_use():
    classes = torch.arange(40) % 2
    values = classes + 0.1 * torch.rand(40)
    assert auroc_within(classes.float(), values, classes) == 0.5
    assert auroc_within(classes.float(), values, torch.zeros(40).long()) == 1  # across classes


@pytest.mark.parametrize("by_thirds", [False, True])
def test_each_metric_is_predicted_by_what_it_follows(by_thirds):
    record = run()
    assert auroc_of(record, "agreement", "first", by_thirds=by_thirds) == 1
    assert auroc_of(record, "confidence", "second") == 1
    assert abs(auroc_of(record, "agreement", "second", by_thirds=by_thirds) - 0.5) < 0.2


def test_a_constant_predicts_nothing():
    assert auroc_of(run(), "few features") == 0.5


def test_metrics_are_turned_and_ranked():
    faithfulness = column(run(), "faithfulness")
    assert faithfulness.min() >= 0
    assert faithfulness.max() <= 1
    # the mean rank of two independent columns, each of which it follows in part
    assert 0.6 < auroc_of(run(), "agreement") < 1
    assert 0.6 < auroc_of(run(), "confidence") < 1


def test_samples_of_a_third_have_similar_confidence():
    record = run()
    groups, confidence = thirds(record), column(record, "confidence")
    predicted = column(record, "predicted").long()
    for label in range(3):
        sizes = [(groups == 3 * label + third).sum().item() for third in range(3)]
        assert sum(sizes) == 20
        assert min(sizes) >= 6
        of_class = [confidence[groups == 3 * label + third] for third in range(3)]
        assert of_class[0].max() < of_class[1].min()
        assert of_class[1].max() < of_class[2].min()
        assert (predicted[groups // 3 == label] == label).all()
