"""Records of the ranking of explainers, as JSON and back."""

from benchmarks.explainer_ranking.settings import TITLES
from benchmarks.shared.finished_runs import Run
from benchmarks.shared.ranking_records import as_ranking
from pear_lightning.metrics import ExplainerRanking

Records = dict[tuple[str, str], Run]
"""Records by data set and kind."""


def present(records: Records, kind: str = "papers") -> list[str]:
    """Return the data sets that have a record of a kind, in their order."""
    return [name for name in TITLES if (name, kind) in records]


def rankings_of(records: Records) -> dict[str, ExplainerRanking]:
    """Return the rankings by the metrics of the papers, by data set."""
    return {name: as_ranking(records[name, "papers"]) for name in present(records)}
