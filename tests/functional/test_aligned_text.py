import pytest

from pear_lightning.functional import aligned_text


def test_first_column_is_flush_left_and_the_others_flush_right():
    rows = [["metric", "a", "long name"], ["deletion ↓", "0.5", "1"], ["", "12.25", "0.1"]]
    assert aligned_text(rows).splitlines() == [
        "metric          a  long name",
        "deletion ↓    0.5          1",
        "            12.25        0.1",
    ]


def test_a_single_row_and_a_single_column():
    assert aligned_text([["a", "b"]]) == "a  b"
    assert aligned_text([["a"], ["long"]]) == "a   \nlong"


def test_rows_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="argument"):
        aligned_text([["a", "b"], ["c"]])
