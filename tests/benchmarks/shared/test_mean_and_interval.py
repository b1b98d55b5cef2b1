import math

import pytest

from benchmarks.shared.mean_and_interval import interval, mean_and_interval


def test_interval_of_five_values_is_students() -> None:
    mean, half = interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert mean == 3
    assert half == pytest.approx(2.776 * math.sqrt(2.5 / 5), rel=1e-3)  # t for 4 degrees: 2.776


def test_one_value_has_no_interval() -> None:
    assert mean_and_interval([0.5]) == "0.500"
    assert mean_and_interval([]) == "–"
    assert mean_and_interval([1.0, 1.0], 1, signed=True) == "+1.0 ± 0.0"
