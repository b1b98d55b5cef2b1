"""Find another explanation, model by model."""

from benchmarks.right_reasons.records import runs_of
from benchmarks.right_reasons.settings import EXPERIMENTS
from benchmarks.right_reasons.tables.cells import cell, table_of_runs
from benchmarks.shared.finished_runs import Runs


def find_table(runs: Runs) -> str:
    """Find another explanation, model by model."""
    rows = []
    for name, setting in EXPERIMENTS["find"].items():
        for model in range(setting.found + 1):
            extra = {"iris": "iris_share", "toy": "corners"}.get(name, "inside")
            where = "–" if name == "news" else cell(runs, "find", name, extra, model)
            rows.append(
                [
                    name,
                    str(model + 1),
                    *(cell(runs, "find", name, pick, model) for pick in ("train", "test")),
                    where,
                    cell(runs, "find", name, "kept", model),
                    _similarity(runs, name, model),
                    _refused(runs, name, model),
                    str(len(runs_of(runs, "find", name))),
                ]
            )
    header = ["data", "model", "train", "test", "on the confound", "share of entries marked"]
    header += ["similarity to an earlier model", "ends by the rule"]
    return table_of_runs([*header, "runs"], rows)


def _similarity(runs: Runs, name: str, model: int) -> str:
    """Write how much a model's explanations are like those of the most similar model before."""
    if model == 0:
        return "–"
    return cell(runs, "find", name, lambda m: max(m["similarities"]), model)


def _refused(runs: Runs, name: str, model: int) -> str:
    """Write in how many runs a model is the first one that the stop rule does not accept."""
    refused = [[m["refused"] is not None for m in r["models"]] for r in runs_of(runs, "find", name)]
    return f"{sum(each[model] and not any(each[:model]) for each in refused)} of {len(refused)}"
