from pathlib import Path

from benchmarks.shared.report import notes_of, write_readme


def test_empty_parts_are_left_out_of_a_report(tmp_path: Path) -> None:
    report = write_readme(["# Title", "", "Text."], tmp_path)
    assert report == "# Title\n\nText.\n"
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == report


def test_notes_are_read_where_there_are_some(tmp_path: Path) -> None:
    assert notes_of(tmp_path) == ""
    (tmp_path / "notes.md").write_text("λ\n", encoding="utf-8")
    assert notes_of(tmp_path) == "λ\n"
