"""Confidence and fallback."""

from benchmarks.deepfaith.confidence_run import SHARES
from benchmarks.deepfaith.records import Records, of_kind
from benchmarks.deepfaith.settings import DEFINITIONS, TASKS
from benchmarks.shared.markdown import markdown


def calibration_table(records: Records) -> str:
    """Return the rank correlation of the confidence with the measured faithfulness."""
    found = of_kind(records, "confidence")
    names = list(next(iter(found.values()))["calibration"][DEFINITIONS[0]])
    rows = [
        [
            name,
            *(
                " / ".join(f"{each['calibration'][d][name]:.2f}" for d in DEFINITIONS)
                for each in found.values()
            ),
        ]
        for name in names
    ]
    return markdown(["scalar, subsets", *(TASKS[task].title for task in found)], rows)


def fallback_table(records: Records) -> str:
    """Return mean faithfulness over the share that falls back."""
    rows = []
    for task, record in of_kind(records, "confidence").items():
        curves, ranks = (record[name][DEFINITIONS[0]] for name in ("curves", "mean_ranks"))
        for name, values in curves.items():
            cells = [
                f"{value:+.3f} ({rank:.1f})"
                for value, rank in zip(values, ranks[name], strict=True)
            ]
            rows.append([TASKS[task].title, record["fallback"], name, *cells])
    header = ["task", "fallback", "confidence", *(f"{100 * share:g} %" for share in SHARES)]
    return markdown(header, rows)
