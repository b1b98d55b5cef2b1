"""What PEAR adds to the faithfulness of plain training."""

import torch

from benchmarks.images_text.records import methods_of, over_seeds, paired, problems_of, with_seeds
from benchmarks.images_text.settings import TITLES
from benchmarks.shared.finished_runs import Run, Runs
from benchmarks.shared.markdown import markdown
from pear_lightning.metrics.faithfulness.short_names import metric_labels


def mean_faithfulness(run: Run, metric: str) -> float:
    """Return a metric, averaged over explainers and samples."""
    return float(torch.tensor(run["samples"][f"faithfulness {metric}"]).mean())


def faithfulness_table(runs: Runs) -> str:
    """The ten metrics of plain training, and the paired difference of each other method."""
    directions = runs[0]["higher_is_better"]
    rows = []
    for problem in problems_of(runs):
        for method in methods_of(runs, problem):
            cells = []
            for metric in directions:

                def value(run: Run, metric: str = metric) -> float:
                    return mean_faithfulness(run, metric)

                if method == "plain":
                    cells.append(with_seeds(over_seeds(runs, problem, method, value)))
                else:
                    cells.append(with_seeds(paired(runs, problem, method, value), signed=True))
            rows.append([TITLES[problem], method, *cells])
    return markdown(["problem", "method", *metric_labels(directions)], rows)
