from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pear_lightning.masking import ColumnMasker, PatchMasker, SegmentMasker
from pear_lightning.metrics.faithfulness import (
    IROF,
    Deletion,
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    FaithfulnessSuite,
    Infidelity,
    Insertion,
    MonotonicityCorrelation,
    NegativePerturbation,
    PositivePerturbation,
    RegionPerturbation,
)
from tests.metrics.faithfulness.cases import mlp, texts
from tests.metrics.faithfulness.configurations import CONFIGURATIONS, make

CURVES: list[Any] = [
    Deletion,
    Insertion,
    NegativePerturbation,
    PositivePerturbation,
    RegionPerturbation,
    IROF,
]
every_configuration = pytest.mark.parametrize("name", CONFIGURATIONS)
MASKER = ColumnMasker(7)


@every_configuration
def test_what_does_not_fit(name: str) -> None:
    model, inputs, s = mlp(7, dtype=torch.float32), torch.rand(2, 7), torch.rand(2, 7)
    metric: Any = make(name, MASKER)
    for arguments, error, message in (
        ((inputs, s * torch.nan), ValueError, "attributions must be finite, got 14 NaN"),
        ((inputs, s / 0), ValueError, "attributions must be finite, got 0 NaN and 14 infinite"),
        ((inputs, s[:, :5]), ValueError, "attributions"),
        ((inputs, s[:1]), ValueError, "attributions must have one row for each of the 2 inputs"),
        ((inputs, s[0]), ValueError, "attributions must have shape"),
        ((inputs, s.long()), TypeError, "attributions must be floating-point"),
        ((inputs * torch.nan, s), ValueError, "inputs must be finite, got 14 NaN"),
        ((inputs[:, :6], s), ValueError, "inputs"),
        ((inputs, s, torch.tensor([0, 3])), ValueError, "target must lie in 0..2"),
        ((inputs, s, -1), ValueError, "target must lie in 0..2"),
        ((inputs, s, torch.tensor([0])), ValueError, "target must have one class index"),
        ((inputs, s, torch.tensor([0.0, 1.0])), TypeError, "target must hold class indices"),
    ):
        with pytest.raises(error, match=message):
            metric.update(model, *arguments)
        with pytest.raises(error, match=message):
            metric.score(model, *arguments)
    assert metric._state("count") == 0


@every_configuration
def test_models_that_do_not_return_logits(name: str) -> None:
    inputs, s = torch.rand(2, 7), torch.rand(2, 7)
    net = mlp(7, dtype=torch.float32)
    metric = make(name, MASKER)

    def refused(model: Any, error: type[Exception], message: str) -> None:
        for target in (None, 0):
            with pytest.raises(error, match=message):
                metric.update(model, inputs, s, target)

    refused(lambda x: (net(x), x), TypeError, "must return a tensor of logits")
    refused(lambda x: SimpleNamespace(logits=net(x)), TypeError, "TransformersClassifier")
    refused(lambda x: {"logits": net(x)}, TypeError, "wrap the model")
    refused(lambda x: net(x)[:1], ValueError, "must return logits")
    refused(lambda x: net(x)[..., None], ValueError, "must return logits")
    refused(lambda x: net(x) * torch.nan, ValueError, "NaN")
    refused(lambda x: net(x)[:, :1], ValueError, "C >= 2")


def test_model_of_one_output() -> None:
    inputs, s = torch.rand(2, 7), torch.rand(2, 7)
    model = mlp(7, n_classes=1, dtype=torch.float32)
    metric = Deletion(MASKER, output="logit")
    values = metric.score(model, inputs, s)
    torch.testing.assert_close(metric.score(lambda x: model(x)[:, 0], inputs, s), values)
    sigmoid = Deletion(MASKER, output=lambda logits, target: logits[:, 0].sigmoid())
    assert (sigmoid.score(model, inputs, s) < 1).all()
    accuracy = Deletion(MASKER, output="logit", value="accuracy")
    with pytest.raises(ValueError, match="at least 2 classes"):
        accuracy.score(model, inputs, s)


@pytest.mark.parametrize("cls", [PositivePerturbation, NegativePerturbation, Deletion])
def test_a_curve_of_one_output_is_not_frozen(cls: Any) -> None:
    inputs, s = torch.rand(2, 7), torch.rand(2, 7)
    model = mlp(7, n_classes=1, dtype=torch.float32)
    frozen = cls(MASKER, output="logit", freeze=True)
    with pytest.warns(UserWarning, match="got freeze=True and a model with one output"):
        values = frozen.score(model, inputs, s)
    assert torch.equal(values, cls(MASKER, output="logit").score(model, inputs, s))
    frozen.update(model, inputs, s)  # warns once
    cls(MASKER, freeze=True).update(mlp(7, dtype=torch.float32), inputs, s)


def test_the_suite_of_deepfaith_takes_a_model_of_one_output() -> None:
    inputs, s = torch.rand(2, 7), torch.rand(2, 7)
    suite = FaithfulnessSuite.deepfaith(MASKER, n_steps=7, n_subsets=5, output="logit")
    with pytest.warns(UserWarning, match="Perturbation got freeze=True"):
        suite.update(mlp(7, n_classes=1, dtype=torch.float32), inputs, s)
    values = suite.compute()
    assert values["positive_perturbation"] == values["deletion"]


@pytest.mark.parametrize("cls", CURVES)
def test_numbers_of_steps(cls: Any) -> None:
    for steps in (0, -1):
        with pytest.raises(ValueError, match="n_steps must be at least 1"):
            cls(MASKER, steps)
    for steps in (2.5, "4", True):
        with pytest.raises(TypeError, match="n_steps must be an int"):
            cls(MASKER, steps)
    model, inputs, s = mlp(7, dtype=torch.float32), torch.rand(2, 7), torch.rand(2, 7)
    every = cls(MASKER, None).score(model, inputs, s)
    assert torch.equal(cls(MASKER, 1000).score(model, inputs, s), every)


@pytest.mark.parametrize("cls", [FaithfulnessCorrelation, Infidelity])
def test_subsets_out_of_range(cls: Any) -> None:
    for size in (0, -1, 0.0, 1.5, float("nan"), "half", None, True):
        with pytest.raises(ValueError, match="subset_size must be"):
            cls(MASKER, subset_size=size)
    for count in (0, 1, -5):
        with pytest.raises(ValueError, match="n_subsets must be at least 2"):
            cls(MASKER, count)
    model, inputs, s = mlp(7, dtype=torch.float32), torch.rand(2, 7), torch.rand(2, 7)
    with pytest.raises(ValueError, match=r"subset_size must be at most 7, .* got 8"):
        cls(MASKER, subset_size=8).score(model, inputs, s)
    case = texts((8, 3))
    with pytest.raises(ValueError, match=r"subset_size must be at most 3, .* got 5"):
        cls(case.masker, subset_size=5).score(
            case.model, case.inputs, case.attributions, forward_kwargs=case.kwargs
        )


def test_other_arguments() -> None:
    for options, message in (
        ({"ends": "first"}, "ends must be one of .*, got 'first'"),
        ({"value": "logit"}, "value must be one of .*, got 'logit'"),
        ({"samples_per_pass": 0}, "samples_per_pass must be at least 1"),
        ({"output": "probability"}, "output must be one of"),
    ):
        with pytest.raises(ValueError, match=message):
            Deletion(MASKER, **options)  # type: ignore[arg-type]
    for cls in (FaithfulnessEstimate, MonotonicityCorrelation):
        with pytest.raises(ValueError, match="chunks must be at least 2"):
            cls(MASKER, chunks=1)
        with pytest.raises(ValueError, match="n_draws must be at least 1"):
            cls(ColumnMasker(7, baseline="uniform"), n_draws=0)
    with pytest.raises(TypeError, match="masker must be a Masker"):
        Deletion("zeros")  # type: ignore[arg-type]


def test_no_feature_left() -> None:
    case = texts((3, 4))
    case.inputs[1] = torch.where(case.inputs[1] > 2, 1, case.inputs[1])  # special tokens only
    images, labels = torch.rand(2, 1, 2, 2), torch.zeros(2, 2, 2, dtype=torch.long)
    labels[1] = -1
    for name in CONFIGURATIONS:
        with pytest.raises(ValueError, match="inputs must have at least one feature per sample"):
            make(name, case.masker).score(
                case.model, case.inputs, case.attributions, forward_kwargs=case.kwargs
            )
        with pytest.raises(ValueError, match="inputs must have at least one feature per sample"):
            make(name, SegmentMasker()).score(
                nn.Flatten(), images, images, masker_kwargs={"segments": labels}
            )


def test_data_of_the_samples_must_have_their_rows() -> None:
    case = texts((3, 4))
    metric = Deletion(case.masker)
    with pytest.raises(ValueError, match=r"forward_kwargs\['attention_mask'\] must have one row"):
        metric.score(
            case.model,
            case.inputs,
            case.attributions,
            forward_kwargs={"attention_mask": case.kwargs["attention_mask"][:1]},
        )
    with pytest.raises(ValueError, match=r"masker_kwargs\['segments'\] must have one row"):
        Deletion(SegmentMasker()).score(
            nn.Flatten(),
            torch.rand(2, 1, 2, 2),
            torch.rand(2, 1, 2, 2),
            masker_kwargs={"segments": torch.zeros(1, 2, 2, dtype=torch.long)},
        )


def test_a_baseline_that_was_not_fitted() -> None:
    metric = Deletion(ColumnMasker(7, baseline="mean"))
    with pytest.raises((ValueError, RuntimeError), match="mean"):
        metric.score(mlp(7, dtype=torch.float32), torch.rand(2, 7), torch.rand(2, 7))


@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric")
@every_configuration
def test_without_samples(name: str) -> None:
    def never(inputs: Tensor) -> Tensor:
        raise AssertionError

    metric = make(name, PatchMasker(2))
    metric.update(never, torch.zeros(0, 1, 4, 4), torch.zeros(0, 1, 4, 4))
    assert metric.compute().isnan()
