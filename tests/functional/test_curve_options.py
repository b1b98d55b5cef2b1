import inspect
from typing import Any, get_type_hints

import pytest
import torch

from pear_lightning.functional import (
    CurveOptions,
    area_under_curve,
    deletion,
    insertion,
    irof,
    negative_perturbation,
    perturbation_area,
    positive_perturbation,
)
from pear_lightning.functional.curve_options import ENDS, AreaOptions, area_options

SCORES, FRACTIONS = torch.tensor([[0.8, 0.4, 0.2]]), torch.tensor([0.0, 0.5, 1.0])
HITS = torch.tensor([[True, True, False]])
EVERY: CurveOptions = {
    "include_start": False,
    "include_end": True,
    "normalize": False,
    "value": "accuracy",
    "freeze": True,
}
AREAS: list[Any] = [deletion, positive_perturbation, negative_perturbation]


def test_one_docstring_explains_every_option_with_its_default() -> None:
    assert set(get_type_hints(CurveOptions)) == set(EVERY)
    doc = inspect.getdoc(CurveOptions)
    assert doc is not None
    for name in EVERY:
        assert doc.count(f"    {name}: ") == 1
    assert doc.count("Default: ") == len(EVERY)


def test_options_of_an_area_are_keywords_of_area_under_curve() -> None:
    parameters = inspect.signature(area_under_curve).parameters
    assert set(get_type_hints(AreaOptions)) == {
        name for name, each in parameters.items() if each.kind is each.KEYWORD_ONLY
    }


@pytest.mark.parametrize("function", [*AREAS, insertion, perturbation_area])
def test_every_option_reaches_the_area(function: Any) -> None:
    values = {
        name: function(SCORES, FRACTIONS, HITS, **{name: value}).values.item()
        for name, value in {**EVERY, "include_end": False}.items()
    }
    default = function(SCORES, FRACTIONS, HITS).values.item()
    assert default not in {value for name, value in values.items() if name not in UNSEEN}
    assert function(SCORES, FRACTIONS, HITS, **EVERY).values.item() == pytest.approx(0.25)


UNSEEN = {"normalize", "freeze"}  # the curve has width 1, and ends at its first point without a hit


@pytest.mark.parametrize(
    ("functions", "keyword"),
    [
        (AREAS, "original"),
        ([*AREAS, insertion], "threshold"),
        ([*AREAS, insertion, perturbation_area, irof], "ends"),
        ([irof], "value"),
        ([irof], "freeze"),
    ],
)
def test_other_keywords_are_refused(functions: list[Any], keyword: str) -> None:
    for function in functions:
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{keyword}'"):
            function(SCORES, FRACTIONS, **{keyword: None})


def test_ends_of_a_metric_class_are_the_two_options_of_a_function() -> None:
    options = [area_options(ends, normalize=True) for ends in ENDS]
    assert [(each["include_start"], each["include_end"]) for each in options] == [
        (True, True),
        (False, True),
        (False, False),
    ]
