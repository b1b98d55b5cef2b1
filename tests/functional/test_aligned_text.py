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


def test_wide_tables_are_split_between_columns():
    rows = [["explainer", *(f"metric {n}" for n in range(30))]]
    rows += [[f"explainer {n}", *["0.1234"] * 30] for n in range(3)]
    text = aligned_text(rows)
    tables = [table.splitlines() for table in text.split("\n\n")]
    assert max(map(len, text.splitlines())) <= 100
    assert [len(table) for table in tables] == [4] * len(tables)
    assert all(table[1].startswith("explainer 0 ") for table in tables)
    heads = [table[0].split()[1:] for table in tables]
    assert [cell for head in heads for cell in head if cell != "metric"] == list(
        map(str, range(30))
    )
    narrow = aligned_text([["name", "a", "b"], ["x", "1" * 30, "2"]], width=20)
    assert narrow.splitlines()[0].split() == ["name", "a"]
    assert aligned_text(rows, width=10_000).count("\n\n") == 0
