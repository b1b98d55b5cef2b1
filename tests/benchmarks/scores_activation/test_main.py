"""The ScoresActivation benchmark: that it measures what it says, and that it runs."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from torch import nn

from benchmarks.scores_activation import __main__ as scores_activation
from benchmarks.scores_activation import run as scores_run
from benchmarks.scores_activation.settings import (
    METHODS,
    NONE,
    ORACLE,
    SCORING,
    TABLES,
    TUNED,
    Job,
    jobs,
)
from benchmarks.scores_activation.shap import shap_importance
from benchmarks.scores_activation.training import make_module, scores_of, train
from pear_lightning.datamodules import SyntheticClassification

QUIET = dict.fromkeys(
    ["logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"], False
)


@pytest.fixture
def data() -> SyntheticClassification:
    data = SyntheticClassification(6, 3, n_train=48, n_test=40, batch_size=16)
    data.setup()
    return data


@pytest.mark.parametrize("method", ["no gate", "ScoresActivation, tuned", "STG", "Deep Lasso"])
def test_the_plain_loop_trains_as_the_trainer_does(
    method: str, data: SyntheticClassification
) -> None:
    modules = []
    for in_trainer in (False, True):
        torch.manual_seed(1)
        module = make_module(METHODS[method], TABLES["16/5, 400"], data, list(range(6)), 3)
        loader = data.train_dataloader()
        torch.manual_seed(2)  # for gates that draw noise
        if in_trainer:
            Trainer(max_epochs=3, accelerator="cpu", **QUIET).fit(module, loader)
        else:
            assert train(module, loader, 3) == 9
        modules.append(module)
    pairs = zip(modules[0].named_parameters(), modules[1].parameters(), strict=True)
    for (name, ours), other in pairs:
        torch.testing.assert_close(ours, other, msg=name)


def test_scores_of_every_method(data: SyntheticClassification) -> None:
    rows = data.train_dataloader().dataset
    for name in SCORING:
        module = make_module(METHODS[name], TABLES["16/5, 400"], data, list(range(6)), 1)
        for scores in scores_of(module, rows.inputs, rows.target, list(range(6))).values():
            assert scores.shape == (6,)
            assert scores.isfinite().all()
    plain = make_module(METHODS[NONE], TABLES["16/5, 400"], data, list(range(6)), 1)
    first = plain.backbone.layers[0].weight
    expected = torch.stack([first[:, :2].norm(), first[:, 2:].norm()])
    found = scores_of(plain, rows.inputs, rows.target, [0, 0, 1, 1, 1, 1])["scores"]
    torch.testing.assert_close(found, expected.detach())


def test_jobs_are_named_once_and_use_seeds_that_were_not_looked_at() -> None:
    every = list(jobs())
    assert len(set(every)) == len(every)
    assert min(job.data_seed for job in every) == 100


@pytest.mark.slow
@pytest.mark.parametrize("explainer", ["permutation", "exact", "kernel", "gradient"])
def test_shap_of_a_linear_model_is_known(explainer: str) -> None:
    pytest.importorskip("shap")
    model = nn.Linear(4, 2)
    rows, background = torch.randn(12, 4), torch.randn(9, 4)
    slope = (model.weight[1] - model.weight[0]).detach()
    contributions = slope * (rows - background.mean(dim=0))
    found, evaluations = shap_importance(model, background, rows, [0, 1, 2, 3], explainer)
    tolerance = 0.25 if explainer == "gradient" else 1e-4  # draws its background rows
    torch.testing.assert_close(
        found, contributions.abs().mean(dim=0), rtol=tolerance, atol=tolerance
    )
    assert evaluations > 0


@pytest.mark.slow
def test_shap_of_groups_of_columns() -> None:
    pytest.importorskip("shap")
    model = nn.Linear(4, 2)
    rows, background = torch.randn(12, 4), torch.randn(9, 4)
    slope = (model.weight[1] - model.weight[0]).detach()
    contributions = slope * (rows - background.mean(dim=0))
    grouped = torch.stack([contributions[:, [0, 2]].sum(1), contributions[:, [1, 3]].sum(1)], 1)
    found, _ = shap_importance(model, background, rows, [0, 1, 0, 1])
    torch.testing.assert_close(found, grouped.abs().mean(dim=0), rtol=1e-4, atol=1e-5)


def test_the_oracle_sees_relevant_features_only(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    original = scores_run.make_module
    monkeypatch.setattr(
        scores_run,
        "make_module",
        lambda *arguments: seen.append(original(*arguments)) or seen[-1],
    )
    record = scores_run.run_job(Job("gain", "16/5, 80", ORACLE, 0, 0), None, max_epochs=1)
    assert seen[0].backbone.in_features == 5
    assert "scores" not in record


@pytest.mark.slow
def test_writes_a_report_and_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shap")
    pytest.importorskip("xgboost")
    options = ["--output", str(tmp_path), "--seeds", "1", "--max-epochs", "1", "--quick-timing"]
    only = (
        "quality/10/5, 160|real/Breast|gain/16/5, 80|stability.*(no gate|tuned)|formulas/(syn4|F)"
    )
    scores_activation.main([*options, "--only", only])
    assert TUNED in capsys.readouterr().out
    runs = scores_activation.read_runs(tmp_path)
    assert {run["protocol"] for run in runs} == {
        "quality",
        "real",
        "gain",
        "stability",
        "formulas",
    }
    report = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "nan" not in report
    for figure in ("recovery", "gain"):
        assert (tmp_path / f"{figure}.png").stat().st_size > 10_000
    scores_activation.main([*options, "--only", only])
    assert scores_activation.read_runs(tmp_path) == runs
