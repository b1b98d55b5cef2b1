"""Short names of the metrics, for the columns of tables."""

import textwrap
from collections.abc import Mapping

from pear_lightning.functional.aligned_text import WIDTH

SHORT_NAMES = {
    "faithfulness_correlation": "FC",
    "faithfulness_estimate": "FE",
    "monotonicity_correlation": "MC",
    "region_perturbation": "RP",
    "insertion": "INS",
    "deletion": "DEL",
    "negative_perturbation": "NEG",
    "positive_perturbation": "POS",
    "irof": "IROF",
    "infidelity": "INF",
    "max_sensitivity": "SENS",
}
"""Names of metrics in tables; other metrics keep their own names."""

_MEANINGS = {"irof": "iterative removal of features"}


def metric_labels(directions: Mapping[str, bool]) -> list[str]:
    """Return short names, with an arrow for the direction that is better.

    Args:
        directions: Whether higher is better, for the name of each metric.

    Example:
        >>> metric_labels({"deletion": False, "insertion": True})
        ['DEL↓', 'INS↑']
    """
    arrows = {True: "↑", False: "↓"}
    return [SHORT_NAMES.get(name, name) + arrows[higher] for name, higher in directions.items()]


def legend(directions: Mapping[str, bool]) -> str:
    """Return what the short names and the arrows mean, in lines that fit below a table.

    Args:
        directions: Whether higher is better, for the name of each metric.

    Example:
        >>> print(legend({"deletion": False, "insertion": True}))
        DEL deletion, INS insertion; ↑ higher is better, ↓ lower is better
    """
    shortened = [name for name in directions if name in SHORT_NAMES]
    names = ", ".join(
        f"{SHORT_NAMES[n]} {_MEANINGS.get(n, n.replace('_', ' '))}" for n in shortened
    )
    arrows = "↑ higher is better, ↓ lower is better"
    return textwrap.fill(f"{names}; {arrows}" if names else arrows, WIDTH)
