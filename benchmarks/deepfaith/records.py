"""Records of the DeepFaith benchmark, found again."""

from benchmarks.deepfaith.settings import SEEDS, TASKS
from benchmarks.shared.finished_runs import Run, Runs
from benchmarks.shared.ranking_records import as_ranking
from pear_lightning.metrics import ExplainerRanking

Records = dict[tuple[str, str, int], Run]
"""Records by kind, task and seed."""


def by_name(runs: Runs) -> Records:
    """Return records by kind, task and seed; of equal ones the last counts."""
    return {(run["kind"], run["task"], run["seed"]): run for run in runs}


def main_record(records: Records, task: str) -> Run | None:
    """Return the ranking of all seeds of a task together, or else that of the first seed."""
    found = records.get(("pooled", task, -1))
    return found or records.get(("ranking", task, SEEDS[0]))


def rankings_of(records: Records, definition: str) -> dict[str, ExplainerRanking]:
    """Return the main rankings, by task.

    Args:
        records: The records.
        definition: Definition of the metrics.
    """
    found = {task: main_record(records, task) for task in TASKS}
    return {task: as_ranking(each[definition]) for task, each in found.items() if each}


def of_kind(records: Records, kind: str) -> dict[str, Run]:
    """Return the records of a kind with seed 0, by task."""
    return {task: records[kind, task, 0] for task in TASKS if (kind, task, 0) in records}
