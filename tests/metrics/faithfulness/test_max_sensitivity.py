import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

from pear_lightning.explainers import (
    Gradient,
    InputXGradient,
    IntegratedGradients,
    Occlusion,
    explain,
)
from pear_lightning.masking import TokenMasker
from pear_lightning.metrics.faithfulness import MaxSensitivity
from tests.metrics.faithfulness.cases import Recorder, images, table
from tests.reference import faithfulness as reference


@pytest.mark.parametrize("explainer", [Gradient(), InputXGradient(), IntegratedGradients()])
def test_equals_the_formula(explainer: Any) -> None:
    case = table()
    target = case.target
    metric = MaxSensitivity(explainer, radius=0.1, n_samples=5)
    found = metric.score(case.model, case.inputs)
    for i in range(len(case)):
        recorder = Recorder(case.model)
        metric_of_gradient = MaxSensitivity(Gradient(), radius=0.1, n_samples=5)
        metric_of_gradient.score(recorder, case.inputs[[i]], int(target[i]))
        copies = torch.cat(recorder.seen)[-5:]  # the same for every explainer
        deltas = copies - case.inputs[i]
        assert (deltas.abs() < 0.1).all()
        assert deltas.abs().max() > 0.08

        def phi(x: Any, i: int = i) -> list[float]:
            inputs = torch.tensor([x], dtype=torch.float64)
            _, (attributions,) = explain(
                case.model, inputs, target[[i]], [explainer], output="centered_logit"
            )
            values: list[float] = attributions[0].tolist()
            return values

        expected = reference.max_sensitivity(phi, case.inputs[i].tolist(), deltas.tolist())
        assert found[i].item() == pytest.approx(expected, rel=1e-6)


def test_a_sample_has_the_same_noise_in_every_batch() -> None:
    case = images()
    for samples_per_pass in (None, 1, 12, 100):
        metric = MaxSensitivity(Gradient(), samples_per_pass=samples_per_pass)
        together = metric.score(case.model, case.inputs)
        alone = [metric.score(case.model, each[None]) for each in case.inputs]
        torch.testing.assert_close(together, torch.cat(alone))
        torch.testing.assert_close(metric.score(case.model, case.inputs.flip(0)), together.flip(0))


def test_seed_radius_and_number_of_samples() -> None:
    case = table()

    def value(**options: Any) -> Tensor:
        return MaxSensitivity(Gradient(), **options).score(case.model, case.inputs)

    assert (value(seed=1) != value(seed=2)).all()
    assert (value(radius=0.2) > value(radius=0.002)).all()
    # the noise of more samples contains that of fewer
    assert (value(n_samples=20) >= value(n_samples=2)).all()


def test_the_class_is_that_of_the_sample() -> None:
    case = table()
    metric = MaxSensitivity(Gradient(), radius=2.0)
    torch.testing.assert_close(
        metric.score(case.model, case.inputs), metric.score(case.model, case.inputs, case.target)
    )
    assert (metric.score(case.model, case.inputs, 0) > 0).all()


def test_an_explanation_of_zeros_is_undefined() -> None:
    def model(inputs: Tensor) -> Tensor:
        return 0 * inputs[:, :2]

    metric = MaxSensitivity(Gradient())
    metric.update(model, torch.rand(3, 4))
    assert metric.compute() == 0
    assert metric.undefined_share() == 1


def test_pickle_mean_and_autocast() -> None:
    case = table(dtype=torch.float32)
    metric = MaxSensitivity(Gradient())
    metric.update(case.model, case.inputs[:3])
    metric.update(case.model, case.inputs[3:])
    scores = metric.score(case.model, case.inputs)
    torch.testing.assert_close(metric.compute(), scores.mean())
    assert pickle.loads(pickle.dumps(metric)).compute() == metric.compute()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert metric.score(case.model, case.inputs).dtype == torch.float32
    assert not metric.score(case.model, case.inputs.requires_grad_()).requires_grad


def test_texts_are_explained_from_their_embeddings() -> None:
    mask = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])

    def model(inputs: Tensor, attention_mask: Tensor) -> Tensor:
        return ((inputs**2).sum(dim=2) * attention_mask).cumsum(dim=1)[:, 1:]

    inputs = torch.rand(2, 3, 4)
    metric = MaxSensitivity(Gradient())
    values = metric.score(model, inputs, 1, forward_kwargs={"attention_mask": mask})
    alone = [
        metric.score(model, inputs[[i]], 1, forward_kwargs={"attention_mask": mask[[i]]})
        for i in range(2)
    ]
    torch.testing.assert_close(values, torch.cat(alone))


@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric")
def test_without_samples() -> None:
    case = table()
    metric = MaxSensitivity(Gradient())
    metric.update(case.model, case.inputs[:0])
    assert metric.compute().isnan()


def test_errors() -> None:
    case = table()
    for options, message in (
        ({"radius": 0}, "radius must be positive"),
        ({"radius": float("nan")}, "radius must be positive"),
        ({"n_samples": 0}, "n_samples must be at least 1"),
        ({"samples_per_pass": 0}, "samples_per_pass must be at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            MaxSensitivity(Gradient(), **options)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="explainer must be an Explainer"):
        MaxSensitivity(lambda x: x)  # type: ignore[arg-type]
    metric = MaxSensitivity(Gradient())
    with pytest.raises(ValueError, match="target must"):
        metric.update(case.model, case.inputs, 9)
    with pytest.raises(ValueError, match="inputs"):
        metric.update(case.model, case.inputs * torch.nan, 0)
    with pytest.raises(TypeError, match="floating"):
        metric.update(lambda x: x.float(), torch.ones(2, 3, dtype=torch.long), 0)


class OfTexts(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(3, 2)

    def forward(self, inputs: Tensor, attention_mask: Tensor) -> Tensor:
        return self.layer((inputs * attention_mask[..., None]).tanh().sum(dim=1)).tanh()


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_has_no_effect(side: str) -> None:
    model, text = OfTexts(), torch.randn(1, 4, 3)
    metric = MaxSensitivity(Gradient(), radius=0.5)
    alone = metric.score(model, text, 0, forward_kwargs={"attention_mask": torch.ones(1, 4)})
    padding = torch.randn(1, 3, 3)
    parts = [padding, text] if side == "left" else [text, padding]
    mask = torch.tensor([[0.0] * 3 + [1.0] * 4])
    mask = mask if side == "left" else mask.flip(1)
    padded = torch.cat(parts, dim=1)
    found = metric.score(model, padded, 0, forward_kwargs={"attention_mask": mask})
    torch.testing.assert_close(found, alone)
    assert found > 0


def test_token_ids_have_no_neighbourhood() -> None:
    metric = MaxSensitivity(Occlusion(TokenMasker(1)))
    with pytest.raises(TypeError, match="inputs must be floating-point"):
        metric.update(OfTexts(), torch.ones(2, 4).long(), 0)


def test_the_masker_of_the_explainer_gets_its_data() -> None:
    masker = TokenMasker(special_token_ids=[9])
    metric = MaxSensitivity(Occlusion(masker), radius=0.1)
    data: dict[str, Any] = {"forward_kwargs": {"attention_mask": torch.ones(2, 4)}}
    ids = torch.tensor([[9, 3, 4, 9], [9, 5, 6, 9]])
    inputs = torch.randn(2, 4, 3)
    metric.update(OfTexts(), inputs, 0, masker_kwargs={"input_ids": ids}, **data)
    assert metric.compute() > 0
    with pytest.raises(ValueError, match="input_ids or special_tokens_mask must be given"):
        metric.update(OfTexts(), inputs, 0, **data)
