"""How alike the metrics are."""

import torch

from benchmarks.explainer_ranking.records import Records, as_ranking, present
from benchmarks.shared.markdown import markdown


def correlation_table(records: Records) -> str:
    """Return how alike the metrics order the explanations of one sample, mean over data sets."""
    names = present(records)
    labels = as_ranking(records[names[0], "papers"]).metric_labels()
    mean = torch.stack(
        [torch.tensor(records[name, "papers"]["within_samples"]) for name in names]
    ).mean(dim=0)
    rows = [
        [label, *("" if i == j else f"{mean[i, j]:.2f}" for j in range(len(labels)))]
        for i, label in enumerate(labels)
    ]
    return markdown(["", *labels], rows)
