"""Supervision runs that are killed give the data of one that is not."""

import pytest

from benchmarks.supervision_kills.runs import SAMPLES, finish, kill_at_random, rows_of
from pear_lightning.training.supervision_store import SupervisionStore


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("whole"))
    finish(folder, 1)
    rows = rows_of(folder)
    assert [row["id"] for row in rows] == list(range(SAMPLES))
    return rows


@pytest.mark.slow
def test_killed_runs_continue_row_for_row(whole, tmp_path):
    folder = str(tmp_path / "killed")
    seconds = 0.05
    timed = str(tmp_path / "timed")
    longest = finish(timed, 1, seconds)
    finished = kill_at_random(folder, 1, 2, (longest / 4, longest / 2), seconds)
    assert finished == sorted(finished)
    assert finished[-1] < SAMPLES
    finish(folder, 1)
    assert rows_of(folder) == whole == rows_of(timed)


@pytest.mark.slow
@pytest.mark.parametrize("last", [1, 2])  # processes of the run that ends the work
def test_two_killed_processes_continue_row_for_row(whole, tmp_path, last):
    folder = str(tmp_path / "killed")
    seconds = 0.05
    timed = str(tmp_path / "timed")
    longest = finish(timed, 2, seconds)
    assert rows_of(timed) == whole
    ranks = {path.stem.split("-")[2] for path in SupervisionStore(timed).shards()}
    assert ranks == {"0", "1"}
    kill_at_random(folder, 2, 4, (longest / 4, longest), seconds)
    finish(folder, last)
    assert rows_of(folder) == whole
