"""Whether the values are those of Quantus, and where they are not meant to be."""

from typing import Any

from benchmarks.faithfulness_speed.differences.all import differences
from benchmarks.faithfulness_speed.problems import images, table
from benchmarks.faithfulness_speed.values import COMPARISONS, IMAGES_ONLY


def measure(n_samples: int = 8) -> dict[str, Any]:
    """Compare all values, and measure where Quantus departs from its definitions.

    Args:
        n_samples: Number of samples of each problem.

    Returns:
        ``values``: a record for each metric and problem; ``differences``: statements with numbers.
    """
    records = []
    for problem in (table(n_samples), images("light", n_samples)):
        for name, compare in COMPARISONS.items():
            if problem.is_image or name not in IMAGES_ONLY:
                ours, theirs = compare(problem)
                records.append(
                    {
                        "metric": name,
                        "problem": problem.name,
                        "largest": theirs.abs().max().item(),
                        "difference": (ours.double() - theirs).abs().max().item(),
                    }
                )
    return {"values": records, "differences": list(differences())}
