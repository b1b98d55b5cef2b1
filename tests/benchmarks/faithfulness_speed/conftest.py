import pytest

from benchmarks.faithfulness_speed.problem import Problem
from benchmarks.faithfulness_speed.problems import images, table


@pytest.fixture(scope="module")
def problems() -> dict[str, Problem]:
    return {"table": table(4), "images": images("light", 4)}
