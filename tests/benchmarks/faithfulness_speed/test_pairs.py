import pytest

from benchmarks.faithfulness_speed.pair import Pair
from benchmarks.faithfulness_speed.pairs import PAIRS
from benchmarks.faithfulness_speed.problem import Problem
from benchmarks.shared.watched import Watched


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
