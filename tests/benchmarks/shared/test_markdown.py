from benchmarks.shared.markdown import markdown


def test_a_table_has_a_line_for_the_header_and_one_for_each_row() -> None:
    rows = ((name, number) for name, number in {"λ": 1, "": 0.5}.items())
    assert markdown(["", "n"], rows) == "|  | n |\n| --- | --- |\n| λ | 1 |\n|  | 0.5 |"
