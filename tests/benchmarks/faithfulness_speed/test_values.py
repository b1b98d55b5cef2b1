"""Values are those of Quantus."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from benchmarks.faithfulness_speed.problem import Problem
from benchmarks.faithfulness_speed.values import COMPARISONS, IMAGES_ONLY


@pytest.mark.filterwarnings("ignore:::quantus", "ignore:::skimage", "ignore:::matplotlib")
@pytest.mark.parametrize("problem", ["table", "images"])
@pytest.mark.parametrize("name", COMPARISONS)
def test_values_of_quantus_where_its_definition_is_sound(
    problems: dict[str, Problem], name: str, problem: str
) -> None:
    pytest.importorskip("quantus", reason="Quantus is a dependency of the benchmark only")
    if problem == "table" and name in IMAGES_ONLY:
        pytest.skip("needs images")
    compare: Callable[[Problem], tuple[Tensor, Tensor]] = COMPARISONS[name]
    ours, theirs = compare(problems[problem])
    assert ours.std() > 1e-4  # not the same number everywhere
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=2e-6)
