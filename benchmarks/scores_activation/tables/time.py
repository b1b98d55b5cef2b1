"""What scores cost."""

from collections.abc import Sequence
from typing import Any

from benchmarks.scores_activation.methods import NONE
from benchmarks.shared.markdown import markdown


def step_table(timing: dict[str, Any]) -> str:
    """Milliseconds of a training step, and its ratio to a plain one."""
    rows = []
    for shape in timing["steps"]:
        others = [method for method in shape["ms"] if method != NONE]
        rows.append(
            [
                shape["name"],
                f"{shape['ms'][NONE]:.3f}",
                *(_ratio(shape["ratio"][method], shape["ms"][method]) for method in others),
            ]
        )
    names = [method for method in timing["steps"][0]["ms"] if method != NONE]
    return markdown(["network", "no gate, ms", *(f"{name}, ms" for name in names)], rows)


def _ratio(quartiles: Sequence[float], ms: float) -> str:
    low, middle, high = (100 * (value - 1) for value in quartiles)
    return f"{ms:.3f} ({middle:+.1f} %, quartiles {low:+.1f} to {high:+.1f})"


def cost_table(timing: dict[str, Any]) -> str:
    """Reading scores and SHAP of the same models, and both end to end."""
    rows = []
    for table in timing["tables"]:
        for method, model in table["models"].items():
            rows.append(
                [
                    table["name"],
                    method,
                    "reading the scores",
                    "0",
                    f"{1e6 * model['read_seconds']:.0f} µs",
                    "",
                    f"{model['fit_seconds']:.2f} s",
                    f"{model['precision']:.2f}",
                    "",
                ]
            )
            for explainer, shap in model["shap"].items():
                rows.append(
                    [
                        "",
                        "",
                        f"SHAP, {explainer}",
                        f"{shap['evaluations']:,}",
                        f"{shap['seconds']:.2f} s",
                        f"{shap['seconds'] / model['read_seconds']:,.0f}",
                        f"{model['fit_seconds'] + shap['seconds']:.2f} s",
                        f"{shap['precision']:.2f}",
                        f"{shap['spearman']:.2f}",
                    ]
                )
    header = ["table", "model", "how", "rows evaluated", "time", "times reading"]
    header += ["with training", "P@5", "ρ with the scores"]
    return markdown(header, rows)
