import pytest

from benchmarks.scores_activation import fit
from benchmarks.scores_activation.jobs import Job
from benchmarks.scores_activation.methods import ORACLE
from benchmarks.scores_activation.run import run_job


def test_the_oracle_sees_relevant_features_only(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    original = fit.make_module
    monkeypatch.setattr(
        fit,
        "make_module",
        lambda *arguments: seen.append(original(*arguments)) or seen[-1],
    )
    record = run_job(Job("gain", "16/5, 80", ORACLE, 0, 0), None, max_epochs=1)
    assert seen[0].backbone.in_features == 5
    assert "scores" not in record
