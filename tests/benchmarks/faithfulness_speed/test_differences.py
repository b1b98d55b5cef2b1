import pytest

from benchmarks.faithfulness_speed.differences.all import differences


@pytest.mark.slow
def test_every_difference_is_measured() -> None:
    pytest.importorskip("quantus", reason="Quantus is a dependency of the benchmark only")
    for each in differences():
        assert each["measured"]
        assert "no error" not in each["measured"], each
