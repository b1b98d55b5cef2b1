"""Logistic regression and XGBoost, beside the networks."""

from typing import Any

from benchmarks.shared.boosted_trees import boosted_trees
from benchmarks.shared.table_rows import table_rows


def fit_classifier(model: str, data: Any, own: Any) -> dict[str, float]:
    """Fit a classifier and return its accuracy with both scalings of the test rows, in %.

    Args:
        model: ``"logistic_regression"`` or ``"xgboost"``.
        data: The data module.
        own: The same data, test rows scaled with their own statistics, or ``None``.
    """
    if model == "xgboost":
        classifier = boosted_trees()
    else:
        from sklearn.linear_model import LogisticRegression

        classifier = LogisticRegression(C=1e4, max_iter=10_000)
    # in file order: XGBoost's trees depend on it
    classifier.fit(*(column.numpy() for column in table_rows(data, "train")))
    accuracies = {}
    for name, each in {"accuracy": data, "accuracy_own": own}.items():
        if each is not None:
            rows, target = (column.numpy() for column in table_rows(each, "test"))
            accuracies[name] = 100 * float(classifier.score(rows, target))
    return accuracies
