"""The speed benchmark of faithfulness: values are those of Quantus, and the script runs."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks.faithfulness_speed import __main__ as faithfulness_speed
from benchmarks.faithfulness_speed.agreement import COMPARISONS, IMAGES_ONLY, differences
from benchmarks.faithfulness_speed.pairs import PAIRS, Pair
from benchmarks.faithfulness_speed.problems import Problem, images, table
from benchmarks.faithfulness_speed.suite import compare_suite
from benchmarks.shared.measuring import clock
from benchmarks.shared.watched import Watched


@pytest.fixture(scope="module")
def problems() -> dict[str, Problem]:
    return {"table": table(4), "images": images("light", 4)}


@pytest.mark.filterwarnings("ignore:::quantus", "ignore:::skimage", "ignore:::matplotlib")
@pytest.mark.parametrize("problem", ["table", "images"])
@pytest.mark.parametrize("name", COMPARISONS)
def test_values_of_quantus_where_its_definition_is_sound(
    problems: dict[str, Problem], name: str, problem: str
) -> None:
    pytest.importorskip("quantus", reason="Quantus is a dependency of the benchmark only")
    if problem == "table" and name in IMAGES_ONLY:
        pytest.skip("needs images")
    compare: Callable[[Problem], tuple[Tensor, Tensor]] = COMPARISONS[name]
    ours, theirs = compare(problems[problem])
    assert ours.std() > 1e-4  # not the same number everywhere
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=2e-6)


@pytest.mark.slow
def test_every_difference_is_measured() -> None:
    pytest.importorskip("quantus", reason="Quantus is a dependency of the benchmark only")
    for each in differences():
        assert each["measured"]
        assert "no error" not in each["measured"], each


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair.name}, {pair.package}")
def test_both_sides_evaluate_the_model_about_as_often(
    problems: dict[str, Problem], pair: Pair
) -> None:
    pytest.importorskip(pair.package)
    if pair.needs_skimage:
        pytest.importorskip("skimage")
    problem = problems["images"]
    counts = []
    for make in (pair.ours, pair.theirs):
        watched = Watched(problem.model).eval()
        make(problem.with_model(watched))()
        counts.append(watched.samples / len(problem.inputs))
    assert counts[0] == pytest.approx(counts[1], rel=0.03, abs=1)


def test_a_watched_model_counts_and_records() -> None:
    watched = Watched(torch.nn.Linear(2, 2), clock("cpu"), record=True)
    first, second = torch.rand(3, 2), torch.rand(2, 2)
    watched(first)
    watched(second)
    assert watched.samples == 5
    assert watched.seconds > 0
    torch.testing.assert_close(watched.seen(), torch.cat([first, second]))


def test_a_suite_of_14_explanations_takes_a_fifth_of_the_evaluations(
    problems: dict[str, Problem],
) -> None:
    record = compare_suite(problems["images"].first(1), 1, clock("cpu"))
    evaluations = record["evaluations"]
    assert evaluations["together"] < 1600 < 8300 < evaluations["one_by_one"]


@pytest.mark.slow
def test_smoke(tmp_path: Path) -> None:
    faithfulness_speed.main(["--quick", "--no-memory", "--output", str(tmp_path)])
    report = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "faithfulness correlation" in report
    assert "One suite for many explanations" in report
    assert (tmp_path / "results.json").exists()


@pytest.mark.slow
def test_memory_is_measured_in_a_fresh_process(problems: dict[str, Problem]) -> None:
    memory = faithfulness_speed.peak_memory(PAIRS[0], problems["images"], "ours")
    assert memory is not None
    assert 0 <= memory < 500
