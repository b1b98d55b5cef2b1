import pytest

from benchmarks.faithfulness_speed.problem import Problem
from benchmarks.faithfulness_speed.suite import compare_suite
from benchmarks.shared.timing import clock


@pytest.mark.slow
def test_a_suite_of_14_explanations_takes_a_fifth_of_the_evaluations(
    problems: dict[str, Problem],
) -> None:
    record = compare_suite(problems["images"].first(1), 1, clock("cpu"))
    evaluations = record["evaluations"]
    assert evaluations["together"] < 1600 < 8300 < evaluations["one_by_one"]
