from benchmarks.shared.mean_and_sd import mean_and_sd


def test_the_deviation_is_that_of_the_population() -> None:
    assert mean_and_sd(iter([1.0, 3.0])) == "2.000 ± 1.000"
    assert mean_and_sd([1.0, 3.0], digits=1) == "2.0 ± 1.0"


def test_one_value_has_no_deviation_and_none_is_a_dash() -> None:
    assert mean_and_sd([0.25], 2) == "0.25"
    assert mean_and_sd([]) == "–"
