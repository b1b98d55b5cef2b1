import pytest

from benchmarks.faithfulness_speed.memory import peak_memory
from benchmarks.faithfulness_speed.pairs import PAIRS
from benchmarks.faithfulness_speed.problem import Problem


@pytest.mark.slow
def test_memory_is_measured_in_a_fresh_process(problems: dict[str, Problem]) -> None:
    memory = peak_memory(PAIRS[0], problems["images"], "ours")
    assert memory is not None
    assert 0 <= memory < 500
