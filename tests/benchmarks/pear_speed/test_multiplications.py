import pytest

from benchmarks.pear_speed.multiplications import multiplications
from benchmarks.pear_speed.problem import SHAPES
from benchmarks.shared.shape import Shape


def test_multiplications_of_a_plain_step_and_of_a_query_point() -> None:
    shape = Shape("", 3, (5,), 2)  # 15 + 10 weights
    assert multiplications(shape, "plain") == 2 * (3 * 25 - 15)
    assert multiplications(shape, "default") == 2 * 6 * (25 + 25 + (50 - 10) + (50 - 15))
    per_plain_step = multiplications(SHAPES[2], "paper") / multiplications(SHAPES[2], "plain")
    assert per_plain_step == pytest.approx(2 * 21, rel=0.03)
