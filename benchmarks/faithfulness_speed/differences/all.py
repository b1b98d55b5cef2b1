"""All differences."""

from collections.abc import Iterator

from benchmarks.faithfulness_speed.differences.conventions import convention_differences
from benchmarks.faithfulness_speed.differences.infidelity import infidelity_differences
from benchmarks.faithfulness_speed.differences.irof import irof_differences
from benchmarks.faithfulness_speed.differences.region_perturbation import direction_difference
from benchmarks.faithfulness_speed.differences.undefined import undefined_differences
from benchmarks.faithfulness_speed.differences.written import Difference
from benchmarks.faithfulness_speed.problems import images


def differences() -> Iterator[Difference]:
    """Yield what differs on purpose, measured now.

    Yields:
        ``metric``, ``what`` and ``measured``.
    """
    problem = images("light", 6)
    for measure in (
        irof_differences,
        infidelity_differences,
        convention_differences,
        undefined_differences,
        direction_difference,
    ):
        yield from measure(problem)
