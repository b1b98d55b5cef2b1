from pathlib import Path

from benchmarks.shared.finished_runs import append_run, finished, read_runs, runs_with


def test_nothing_has_finished_where_there_is_no_file(tmp_path: Path) -> None:
    assert read_runs(tmp_path / "runs.jsonl") == []
    assert finished(tmp_path / "runs.jsonl", ["setting"]) == set()


def test_what_is_appended_is_read_and_counts_as_finished(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    runs = [{"setting": "λ=1", "seed": seed, "test": 0.1 + 0.2} for seed in (1, 0)]
    for run in runs:
        append_run(path, run)
    assert read_runs(path) == runs
    assert "λ=1" in path.read_text(encoding="utf-8")
    assert finished(path, ("setting", "seed")) == {("λ=1", 1), ("λ=1", 0)}


def test_runs_are_chosen_by_their_values_and_sorted_by_seed() -> None:
    runs = [{"setting": name, "seed": seed} for seed in (2, 10, 1) for name in "ab"]
    assert [run["seed"] for run in runs_with(runs, setting="a")] == [1, 2, 10]
    assert runs_with(runs, setting="c") == []
