"""Whether agreement predicts faithfulness within models and classes."""

from benchmarks.images_text.records import methods_of, over_seeds, problems_of, with_seeds
from benchmarks.images_text.settings import TITLES
from benchmarks.images_text.within_classes import auroc_of
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.markdown import markdown
from pear_lightning.metrics.faithfulness.short_names import metric_labels


def within_table(runs: Runs) -> str:
    """AUROC of agreement and of confidence, for the mean rank over the ten metrics."""
    header = ["problem", "method", "agreement", "confidence"]
    header += ["agreement, among samples of similar confidence"]
    rows = []
    for problem in problems_of(runs):
        for method in methods_of(runs, problem):
            cells = [
                over_seeds(runs, problem, method, lambda run: auroc_of(run, "agreement")),
                over_seeds(runs, problem, method, lambda run: auroc_of(run, "confidence")),
                over_seeds(
                    runs, problem, method, lambda run: auroc_of(run, "agreement", by_thirds=True)
                ),
            ]
            rows.append([TITLES[problem], method, *(with_seeds(each) for each in cells)])
    every = [
        [auroc_of(run, "agreement") for run in runs],
        [auroc_of(run, "confidence") for run in runs],
        [auroc_of(run, "agreement", by_thirds=True) for run in runs],
    ]
    rows.append([f"**all {len(runs)} models**", "", *(with_seeds(each) for each in every)])
    return markdown(header, rows)


def metrics_table(runs: Runs) -> str:
    """AUROC over all models, for each metric alone."""
    directions = runs[0]["higher_is_better"]
    rows = []
    for predictor, by_thirds, title in (
        ("agreement", False, "agreement"),
        ("confidence", False, "confidence"),
        ("agreement", True, "agreement, similar confidence"),
    ):
        cells = [
            with_seeds([auroc_of(run, predictor, metric, by_thirds=by_thirds) for run in runs], 2)
            for metric in directions
        ]
        rows.append([title, *cells])
    return markdown(["", *metric_labels(directions)], rows)
