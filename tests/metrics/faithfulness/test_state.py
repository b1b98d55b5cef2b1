"""Metrics as torchmetrics: states, collections, processes, precision and Lightning."""

import io
import pickle
from copy import deepcopy
from functools import partial
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import MetricCollection

from pear_lightning.explainers import Gradient, InputXGradient, explain
from pear_lightning.masking import ColumnMasker, TokenMasker
from pear_lightning.metrics.faithfulness import (
    Deletion,
    FaithfulnessSuite,
    MaxSensitivity,
)
from pear_lightning.scoring import progress
from tests.ddp import run_distributed
from tests.metrics.faithfulness.cases import CASES, images, mlp, score, table
from tests.metrics.faithfulness.configurations import CONFIGURATIONS, make
from tests.modules.helpers import quiet_trainer

every_configuration = pytest.mark.parametrize("name", CONFIGURATIONS)


@every_configuration
def test_pickle_clone_and_reset(name: str) -> None:
    case = table()
    metric = make(name, case.masker)
    metric.update(case.model, case.inputs, case.attributions)
    expected = metric.compute()
    for copy in (pickle.loads(pickle.dumps(metric)), metric.clone(), deepcopy(metric)):
        assert copy.compute() == expected
        assert torch.equal(score(copy, case), score(metric, case))
        copy.reset()
        copy.update(case.model, case.inputs[:2], case.attributions[:2])
        assert copy.compute() != expected
    assert metric.compute() == expected
    metric.reset()
    assert all((getattr(metric, state) == 0).all() for state in metric._defaults)


@every_configuration
def test_forward_returns_the_value_of_the_batch(name: str) -> None:
    case = table()
    metric = make(name, case.masker)
    first, second = case.rows([0, 1, 2]), case.rows([3])
    for rows in (first, second):
        value = metric(rows.model, rows.inputs, rows.attributions)
        torch.testing.assert_close(value, score(metric, rows).mean().float())
    torch.testing.assert_close(metric.compute(), score(metric, case).mean().float())


def test_progress_is_shown_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True)
    monkeypatch.setattr(progress, "Progress", partial(Progress, console=terminal))
    case = table()
    quiet = score(make("deletion", case.masker, samples_per_pass=4), case)
    assert screen.getvalue() == ""
    shown = make("deletion", case.masker, samples_per_pass=4, progress=True)
    assert torch.equal(score(shown, case), quiet)
    assert "evaluating perturbed inputs" in screen.getvalue()


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_long_work_shows_progress_and_an_estimate_unasked(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=120)
    monkeypatch.setattr(progress, "Progress", partial(Progress, console=terminal))
    monkeypatch.setattr(progress, "_SECONDS", seconds)
    case = table()
    suite = FaithfulnessSuite(case.masker, n_steps=4, samples_per_pass=2)
    with progress.counted_evaluations() as count:
        suite.update(case.model, case.inputs, case.attributions, forward_kwargs=case.kwargs)
    shown = f"about {count.evaluations:,} model evaluations" in screen.getvalue()
    assert shown == (seconds == 0)
    with progress.no_unasked_bars():
        before = screen.getvalue()
        suite.update(case.model, case.inputs, case.attributions, forward_kwargs=case.kwargs)
    assert screen.getvalue() == before
    with Progress(console=terminal):  # of a trainer
        suite.update(case.model, case.inputs, case.attributions, forward_kwargs=case.kwargs)


def test_score_adds_nothing() -> None:
    case = table()
    metric = make("deletion", case.masker)
    score(metric, case)
    assert not metric.update_called
    assert metric._state("count") == 0


def test_state_dict_keeps_a_fitted_baseline() -> None:
    case = table()
    metrics = [Deletion(ColumnMasker(7, baseline="mean")) for _ in range(2)]
    metrics[0].masker.fit(torch.arange(7.0).double())
    metrics[1].load_state_dict(metrics[0].state_dict())
    assert torch.equal(*(score(metric, case) for metric in metrics))
    suites = [FaithfulnessSuite(ColumnMasker(7, baseline="mean")) for _ in range(2)]
    suites[0].masker.fit(torch.arange(7.0).double())
    suites[1].load_state_dict(suites[0].state_dict())
    scores = [suite.score(case.model, case.inputs, case.attributions) for suite in suites]
    assert all(torch.equal(scores[0][name], scores[1][name]) for name in scores[0])


def test_state_dict_keeps_fitted_baselines_of_the_metrics_of_a_suite() -> None:
    case = table()
    suites = [
        FaithfulnessSuite.deepfaith(ColumnMasker(7), n_steps=7, insertion_baseline="mean")
        for _ in range(2)
    ]
    suites[0].metrics["insertion"].masker.fit(torch.arange(7.0).double())
    suites[1].load_state_dict(suites[0].state_dict())
    scores = [suite.score(case.model, case.inputs, case.attributions) for suite in suites]
    assert all(torch.equal(scores[0][name], scores[1][name]) for name in scores[0])


def test_collection_keeps_metrics_apart() -> None:
    case = table()
    chosen = ["deletion", "insertion", "irof", "estimate", "correlation", "infidelity", "region"]
    chosen += ["positive", "negative", "monotonicity"]
    for grouped in (False, True):
        collection = MetricCollection(
            {name: make(name, case.masker) for name in chosen}, compute_groups=grouped
        ).clone(prefix="val_")
        constant = torch.ones_like(case.attributions)
        collection.update(case.model, case.inputs, constant)
        collection.update(case.model, case.inputs, case.attributions)
        for name in chosen:
            metric = make(name, case.masker)
            scores = [
                metric.score(case.model, case.inputs, each)
                for each in (constant, case.attributions)
            ]
            found = collection.compute()[f"val_{name}"]
            torch.testing.assert_close(found, torch.cat(scores).mean().float())
        collection.reset()
        assert collection[chosen[0]]._state("count") == 0


def test_casts_of_the_module_do_not_touch_the_sums() -> None:
    case = table()
    module = nn.ModuleList([make("deletion", case.masker), FaithfulnessSuite(case.masker)])
    module = module.to(torch.bfloat16)
    metric: Any = module[0]
    for _ in range(100):
        metric.update(case.model, case.inputs, case.attributions)
    torch.testing.assert_close(metric.compute(), score(metric, case).mean().float())


def test_declared_properties() -> None:
    masker = ColumnMasker(4)
    lower = {"deletion", "positive", "infidelity", "infidelity, not normalized"}
    for name in CONFIGURATIONS:
        metric = make(name, masker)
        assert metric.is_differentiable is False
        assert metric.full_state_update is False
        short = name.removesuffix(", DeepFaith").removesuffix(", Chefer")
        is_correlation = name == "infidelity, DeepFaith"
        assert metric.higher_is_better is (short not in lower or is_correlation), name


@pytest.mark.parametrize("kind", CASES)
@every_configuration
def test_reductions_are_not_lowered_by_autocast(name: str, kind: str) -> None:
    """Whatever the model does under autocast, the rest is as without it."""
    case = CASES[kind]()
    metric = make(name, case.masker)
    expected = score(metric, case)
    model = case.model

    def at_full_precision(inputs: Tensor, **kwargs: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            logits: Tensor = model(inputs, **kwargs)
        return logits

    case.model = at_full_precision  # type: ignore[assignment]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(score(metric, case), expected)
        metric.update(case.model, case.inputs, case.attributions, forward_kwargs=case.kwargs)
    torch.testing.assert_close(metric.compute(), expected.mean().float())


@every_configuration
def test_model_under_autocast(name: str) -> None:
    case = images(dtype=torch.float32)
    case.attributions = case.attributions.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert case.model(case.inputs).dtype == torch.bfloat16
        values = score(make(name, case.masker), case)
    assert values.dtype == torch.float32
    assert values.isfinite().all()


def test_half_precision_model_against_float64() -> None:
    case = images(dtype=torch.float32)
    exact = images()
    exact.model.load_state_dict(case.model.state_dict())
    exact.inputs, exact.attributions = case.inputs.double(), case.attributions.double()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = [score(make(name, case.masker), case) for name in ("deletion", "insertion")]
    expected = [score(make(name, exact.masker), exact) for name in ("deletion", "insertion")]
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b.float(), rtol=0.05, atol=0.01)


def test_the_model_is_explained_in_eval_mode_and_left_as_it_was() -> None:
    case = table()
    steady = score(make("deletion", case.masker), case)
    case.model = nn.Sequential(case.model, nn.Dropout(0.9)).train()
    case.model[0].eval()
    assert torch.equal(score(make("deletion", case.masker), case), steady)
    assert case.model.training
    assert case.model[1].training
    assert not case.model[0].training
    assert all(parameter.grad is None for parameter in case.model.parameters())


class Explained(pl.LightningModule):
    """Validates explanations of a fixed model, as a user would."""

    def __init__(self) -> None:
        super().__init__()
        self.model = mlp(7, dtype=torch.float32)
        masker = ColumnMasker(7)
        self.deletion = Deletion(masker)
        self.suite = FaithfulnessSuite(masker, ["gradient", "product"])
        self.sensitivity = MaxSensitivity(Gradient(), n_samples=3)

    def validation_step(self, batch: list[Tensor], index: int) -> None:
        assert torch.is_inference_mode_enabled()
        inputs = batch[0]
        target = self.model(inputs).argmax(dim=1)
        _, (gradient, product) = explain(self.model, inputs, target, [Gradient(), InputXGradient()])
        self.deletion.update(self.model, inputs, product)
        self.suite.update(self.model, inputs, {"gradient": gradient, "product": product})
        self.sensitivity.update(self.model, inputs)
        self.log("deletion", self.deletion, batch_size=len(inputs))
        self.log("sensitivity", self.sensitivity, batch_size=len(inputs))

    def on_validation_epoch_end(self) -> None:
        self.log_dict(self.suite.compute())
        self.suite.reset()

    test_step = validation_step
    on_test_epoch_end = on_validation_epoch_end


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_validate_and_test_with_lightning(precision: Any) -> None:
    module = Explained()
    inputs = torch.randn(10, 7)
    data = DataLoader(TensorDataset(inputs), batch_size=4)  # 4, 4, 2
    trainer = quiet_trainer(precision=precision)
    logged = dict(trainer.validate(module, data, verbose=False)[0])
    # the states were made inside inference mode the first time
    assert dict(trainer.validate(module, data, verbose=False)[0]) == logged
    assert dict(trainer.test(module, data, verbose=False)[0]) == logged
    target = module.model(inputs).argmax(dim=1)
    _, (gradient, product) = explain(module.model, inputs, target, [Gradient(), InputXGradient()])
    expected = Deletion(ColumnMasker(7)).score(module.model, inputs, product).mean()
    close = {"rtol": 1e-5, "atol": 1e-6} if precision == "32-true" else {"rtol": 0.05, "atol": 0.02}
    torch.testing.assert_close(torch.tensor(logged["deletion"]), expected, **close)
    suite = FaithfulnessSuite(ColumnMasker(7), ["gradient", "product"])
    suite.update(module.model, inputs, {"gradient": gradient, "product": product})
    assert set(logged) == {*suite.compute(), "deletion", "sensitivity"}
    if precision == "32-true":
        for name, value in suite.compute().items():
            torch.testing.assert_close(torch.tensor(logged[name]), value, rtol=1e-4, atol=1e-5)


def batches() -> tuple[nn.Module, list[tuple[Tensor, Tensor]]]:
    """Five batches of uneven sizes, the same in every process."""
    torch.manual_seed(0)
    model = mlp(6, dtype=torch.float32)
    sizes = (3, 5, 1, 4, 2)
    data = [(torch.randn(size, 6), torch.randn(size, 6)) for size in sizes]
    data[1][1][0] = 1  # a constant explanation
    return model, data


def on_a_rank(indices: list[int]) -> dict[str, Any]:
    model, data = batches()
    masker = ColumnMasker(6)
    members = {name: make(name, masker) for name in list(CONFIGURATIONS)[::4]}
    sensitivity = MaxSensitivity(Gradient(), n_samples=2)
    suite = FaithfulnessSuite(masker, ["a", "b"], n_steps=4)
    for index in indices:
        inputs, attributions = data[index]
        for metric in members.values():
            metric.update(model, inputs, attributions)
        suite.update(model, inputs, {"a": attributions, "b": -attributions})
        sensitivity.update(model, inputs)
    results: dict[str, Any] = {}
    for name, metric in members.items():
        results[name] = metric.compute(), metric.undefined_share()
    results["sensitivity"] = sensitivity.compute(), sensitivity.undefined_share()
    results["suite"] = suite.compute(), suite.undefined_share(), suite.tied_share()
    return results


def on_ranks(rank: int, world_size: int, splits: list[list[list[int]]]) -> list[Any]:
    return [on_a_rank(split[rank]) for split in splits]


@pytest.mark.ddp
def test_two_processes_equal_one() -> None:
    one = on_a_rank([0, 1, 2, 3, 4])
    splits = [[[0, 2, 4], [1, 3]], [[4], [3, 2, 1, 0]]]
    for results in run_distributed(on_ranks, splits):
        for found in results:
            assert found == one


def test_texts_and_their_embeddings() -> None:
    case = CASES["texts"]()
    model: Any = case.model
    embedded = model.embedding(case.inputs).detach()
    mask_embedding = model.embedding.weight[3].detach()

    def of_embeddings(inputs: Tensor, attention_mask: Tensor) -> Tensor:
        weights = attention_mask[..., None].double()
        logits: Tensor = model.head(3 * (inputs * weights).sum(dim=1) / weights.sum(dim=1))
        return logits

    masker = TokenMasker(special_token_ids=[1, 2], baseline=mask_embedding)
    for name in CONFIGURATIONS:
        if CONFIGURATIONS[name][1].get("subset_size"):
            continue  # subsets belong to the values
        found = make(name, masker).score(
            of_embeddings,
            embedded,
            case.attributions,
            forward_kwargs=case.kwargs,
            masker_kwargs={"input_ids": case.inputs},
        )
        torch.testing.assert_close(found, score(make(name, case.masker), case), msg=name)
