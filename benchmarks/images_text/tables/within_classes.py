"""Whether agreement predicts faithfulness within models and classes."""

from benchmarks.images_text.records import methods_of, problems_of, with_seeds
from benchmarks.images_text.settings import TITLES
from benchmarks.images_text.within_classes import auroc_of
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.markdown import markdown
from pear_lightning.metrics.faithfulness.short_names import metric_labels

PREDICTORS = (
    ("agreement", False, "agreement"),
    ("trained pair", False, "agreement of the gradient pair alone"),
    ("confidence", False, "confidence"),
    ("few features", False, "shortness of the text"),
    ("agreement", True, "agreement, similar confidence"),
    ("trained pair", True, "gradient pair, similar confidence"),
)
"""What predicts, whether among samples of similar confidence only, and its name."""


def within_table(runs: Runs) -> str:
    """AUROC of each predictor, for the mean rank over the ten metrics."""
    rows = []
    for problem in problems_of(runs):
        for method in methods_of(runs, problem):
            own = [run for run in runs if (run["problem"], run["method"]) == (problem, method)]
            rows.append([TITLES[problem], method, *_cells(own)])
    rows.append([f"**all {len(runs)} models**", "", *_cells(runs)])
    return markdown(["problem", "method", *(title for *_, title in PREDICTORS)], rows)


def _cells(runs: Runs) -> list[str]:
    return [
        with_seeds([auroc_of(run, predictor, by_thirds=by_thirds) for run in runs])
        for predictor, by_thirds, _ in PREDICTORS
    ]


def metrics_table(runs: Runs) -> str:
    """AUROC over all models, for each metric alone."""
    directions = runs[0]["higher_is_better"]
    rows = []
    for predictor, by_thirds, title in PREDICTORS:
        cells = [
            with_seeds([auroc_of(run, predictor, metric, by_thirds=by_thirds) for run in runs], 2)
            for metric in directions
        ]
        rows.append([title, *cells])
    return markdown(["", *metric_labels(directions)], rows)
