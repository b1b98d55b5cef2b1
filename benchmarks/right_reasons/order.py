"""The order in which the right-reasons benchmark runs."""

import re
from collections.abc import Iterator

from benchmarks.right_reasons.settings import EXPERIMENTS

# the most important first
ORDER: list[tuple[str, str, range]] = [
    ("iris", r"^(none|mask)$", range(40)),
    ("digits", r"^(none|λ=1|no decoy)$", range(5)),
    ("mnist", r"^mask$", range(1)),
    ("find", r"^mnist$", range(1)),
    ("family", r"^(none|rrr, λ=1)$", range(5)),
    ("news", "", range(5)),
    ("toy", r"^(none|λ=10+)$", range(2)),
    ("fashion", r"^(none|no decoy|rrr, λ=1)$", range(1)),
    ("mnist", r"^(none|mask)$", range(5)),
    ("find", "512", range(5)),
    ("toy", r"^(none|λ=10+)$", range(5)),
    ("masks", "", range(1)),
    ("digits", "", range(5)),
    ("toy", "rows", range(3)),
    ("find", "iris", range(5)),
    ("iris", "", range(40)),
    ("family", "", range(1)),
    ("find", r"^mnist$", range(3)),
    ("find", r"^mnist$", range(5)),
    ("find", "news", range(2)),
    ("toy", "", range(5)),
    ("sweep", "", range(1)),
    ("fashion", r"none|rrr|label|expected", range(1)),
    ("find", "", range(5)),
    ("mnist", "no decoy", range(5)),
    ("family", "", range(5)),
    ("fashion", "", range(5)),
    ("masks", "", range(5)),
    ("cnn", "", range(5)),
    ("sweep", "", range(5)),
]


def in_order() -> Iterator[tuple[str, str, int]]:
    """Yield experiment, setting and seed, the most important first."""
    seen: set[tuple[str, str, int]] = set()
    for experiment, pattern, seeds in ORDER:
        for seed in seeds:
            for name in EXPERIMENTS[experiment]:
                job = (experiment, name, seed)
                if re.search(pattern, name) and job not in seen:
                    seen.add(job)
                    yield job
