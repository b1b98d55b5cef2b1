"""XGBoost, beside the networks."""

from typing import Any


def boosted_trees() -> Any:
    """Return a classifier with XGBoost's own settings, on one thread, not trained yet.

    Raises:
        ImportError: If xgboost is missing.
    """
    try:
        from xgboost import XGBClassifier
    except ImportError as error:
        raise ImportError(
            "the trees need xgboost: pip install xgboost, or leave them out with --only"
        ) from error
    return XGBClassifier(n_jobs=1)
