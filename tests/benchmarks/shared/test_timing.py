import itertools

from benchmarks.shared.timing import fastest_tenth, interleaved, several


def test_functions_take_turns_and_each_run_is_timed() -> None:
    calls: list[str] = []
    ticks = itertools.count()
    functions = {name: lambda name=name: calls.append(name) for name in "ab"}
    times = interleaved(functions, 3, lambda: float(next(ticks)))
    assert calls == list("ababab")
    assert times == {"a": [1.0] * 3, "b": [1.0] * 3}


def test_three_repetitions_are_the_least() -> None:
    times = interleaved({"a": lambda: None}, 10, lambda: 0.0, seconds=0)
    assert len(times["a"]) == 3


def test_several_calls_are_one() -> None:
    calls: list[int] = []
    several(lambda: calls.append(0), 4)()
    assert len(calls) == 4


def test_the_fastest_tenth_of_twenty_is_the_third() -> None:
    assert fastest_tenth(list(range(20, 0, -1))) == 3
