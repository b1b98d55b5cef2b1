import pytest

from benchmarks.pear_speed.multiplications import amortised, multiplications
from benchmarks.pear_speed.problem import SHAPES
from benchmarks.shared.shape import Shape


def test_multiplications_of_a_plain_step_and_of_a_query_point() -> None:
    shape = Shape("", 3, (5,), 2)  # 15 + 10 weights
    assert multiplications(shape, "plain") == 2 * (3 * 25 - 15)
    assert multiplications(shape, "default") == 2 * 6 * (25 + 25 + (50 - 10) + (50 - 15))
    per_plain_step = multiplications(SHAPES[-1], "paper") / multiplications(SHAPES[-1], "plain")
    assert per_plain_step == pytest.approx(2 * 21, rel=0.03)


def test_rows_and_steps_divide_what_the_consensus_loss_adds() -> None:
    shape = SHAPES[0]
    whole = multiplications(shape, "default") / multiplications(shape, "plain")
    assert amortised(shape, 6, 0) == pytest.approx(whole)  # shares the logits
    assert amortised(shape, 6, 0, rows=1 / 4) == pytest.approx(1 + whole / 4)
    assert amortised(shape, 6, 0, rows=1 / 4, every=4) == pytest.approx(1 + whole / 16)
    assert amortised(shape, 6, 0, every=4) == pytest.approx((3 + whole) / 4)
    assert amortised(shape, 0, 33) == 33  # a copy is as much work as a row of a plain step
