"""Tables of the ScoresActivation benchmark."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.pear_tradeoff.records import markdown, mean_and_sd
from benchmarks.scores_activation.settings import (
    ALIGNED,
    CLUSTERS,
    DECAYED,
    DEFAULT,
    FORMULAS,
    GAIN,
    GAIN_METHODS,
    METHODS,
    NONE,
    ORACLE,
    SHORT,
    TABLES,
    TUNED,
)
from pear_lightning.datamodules.known_relevance import KnownRelevance
from pear_lightning.functional.importance_agreement import StabilityName
from pear_lightning.metrics import (
    ImportanceKendall,
    ImportanceSpearman,
    ImportanceStability,
    PrecisionAtK,
    RelevanceAUROC,
    RelevanceAveragePrecision,
    TopKOverlap,
)

Runs = list[dict[str, Any]]
OURS = [name for name in METHODS if METHODS[name].kind == "softmax"]
SIBLINGS = [name for name in METHODS if METHODS[name].kind in ("cancel_out", "stg", "deep_lasso")]


def select(runs: Runs, protocol: str, table: str, method: str) -> Runs:
    """Return the runs of one method on one table, by seed."""
    keys = {"protocol": protocol, "table": table, "method": method}
    chosen = [run for run in runs if all(run[key] == value for key, value in keys.items())]
    return sorted(chosen, key=lambda run: (run["data_seed"], run["seed"], run["bootstrap"] or 0))


def column(runs: Runs, key: str) -> Tensor:
    """Return one vector of each run, ``(R, d)``."""
    return torch.tensor([run[key] for run in runs])


def percent(values: Iterable[float]) -> str:
    """Write mean ± standard deviation in percent."""
    return mean_and_sd((100 * value for value in values), 1)


def relevance_of(table: str) -> Tensor:
    """Return which features of a synthetic table are relevant."""
    data = TABLES[table].build(None, 0)
    assert isinstance(data, KnownRelevance)
    data.setup()
    return data.relevance


def found(metric: Any, scores: Tensor, other: Tensor) -> str:
    """Write the mean and the deviation of one metric over runs."""
    metric.update(scores, other)
    mean = f"{float(metric.compute()):.3f}"
    return f"{mean} ± {float(metric.sd()):.3f}" if len(scores) > 1 else mean


def gain(runs: Runs, base: Runs) -> str:
    """Write the gain in accuracy over other runs of the same seeds, in points, with its error."""
    before = {run["data_seed"]: run["test"] for run in base}
    points = [
        100 * (run["test"] - before[run["data_seed"]]) for run in runs if run["data_seed"] in before
    ]
    if not points:
        return "–"
    mean = f"{np.mean(points):+.1f}"
    if len(points) == 1:
        return mean
    return f"{mean} ± {np.std(points, ddof=1) / len(points) ** 0.5:.1f}"


def quality_table(runs: Runs, table: str) -> str:
    """Accuracy, recovery of the relevant features and agreement with SHAP on one table."""
    relevance, rows = relevance_of(table), []
    plain = select(runs, "quality", table, NONE)
    for method in METHODS:
        chosen = select(runs, "quality", table, method)
        if not chosen:
            continue
        scores, shap = column(chosen, "scores"), column(chosen, "shap")
        effective = column(chosen, "effective") if "effective" in chosen[0] else None
        rows.append(
            [
                f"**{method}**" if method in (DEFAULT, TUNED, ALIGNED) else method,
                str(len(chosen)),
                percent(run["test"] for run in chosen),
                "" if method == NONE else gain(chosen, plain),
                percent(run["train"] for run in chosen),
                found(PrecisionAtK(), scores, relevance),
                found(RelevanceAUROC(), scores, relevance),
                found(RelevanceAveragePrecision(), scores, relevance),
                found(ImportanceSpearman(), scores, shap),
                "" if effective is None else found(ImportanceSpearman(), effective, shap),
                found(ImportanceSpearman(), scores[:, relevance], shap[:, relevance]),
                found(ImportanceKendall(), scores, shap),
                found(TopKOverlap(5), scores, shap),
                found(PrecisionAtK(), shap, relevance),
            ]
        )
    header = [table, "seeds", "test, %", "gain, points", "train, %", "P@5", "AUROC", "AP"]
    header += [
        "ρ with SHAP",
        "ρ, effective",
        "ρ, relevant only",
        "τ with SHAP",
        "top 5 with SHAP",
        "P@5 of SHAP",
    ]
    return markdown(header, rows)


def aims_table(runs: Runs) -> str:
    """The aims at 400 and 1200 training rows, beside the best sibling in each column."""
    rows = []
    for table in (name for name in CLUSTERS if not name.endswith(" 160")):
        relevance = relevance_of(table)
        values: dict[str, list[float]] = {}
        for method in [*OURS, *SIBLINGS]:
            if chosen := select(runs, "quality", table, method):
                scores = column(chosen, "scores")
                measured = []
                for metric, other in (
                    (PrecisionAtK(), relevance),
                    (RelevanceAUROC(), relevance),
                    (ImportanceSpearman(), column(chosen, "shap")),
                ):
                    metric.update(scores, other)
                    measured.append(float(metric.compute()))
                accuracy = 100 * float(np.mean([run["test"] for run in chosen]))
                values[method] = [*measured, accuracy]
        siblings = [name for name in SIBLINGS if name in values]
        if not siblings:
            continue
        for i, (name, digits) in enumerate(
            [("P@5", 3), ("AUROC", 3), ("ρ with SHAP", 3), ("test, %", 1)]
        ):
            best = max(siblings, key=lambda method: values[method][i])
            rows.append(
                [
                    table,
                    name,
                    *(
                        f"{values[m][i]:.{digits}f}" if m in values else "–"
                        for m in (DEFAULT, TUNED, ALIGNED)
                    ),
                    f"{values[best][i]:.{digits}f} ({best})",
                    ["≥ .99", "", "≥ .94", ""][i],
                ]
            )
    return markdown(["table", "", DEFAULT, TUNED, ALIGNED, "best sibling", "aim"], rows)


def gain_table(runs: Runs) -> str:
    """Accuracy over rows and features, and how much of what there is to gain is gained."""
    rows = []
    for table in GAIN:
        chosen = {method: select(runs, "gain", table, method) for method in GAIN_METHODS}
        if not all(chosen.values()):
            continue
        base = chosen[NONE]
        rows.append(
            [
                table,
                str(len(base)),
                percent(run["test"] for run in base),
                *(gain(chosen[method], base) for method in (DECAYED, DEFAULT, TUNED, ORACLE)),
                *(
                    found(PrecisionAtK(), column(chosen[method], "scores"), relevance_of(table))
                    for method in (NONE, DEFAULT, TUNED)
                ),
            ]
        )
    header = ["features, training rows", "seeds", "no gate, %", "weight decay", DEFAULT, TUNED]
    header += [ORACLE, "P@5, no gate", f"P@5, {DEFAULT}", f"P@5, {TUNED}"]
    return markdown(header, rows)


def stability_table(runs: Runs) -> str:
    """Mean pairwise agreement over seeds, and over bootstrap samples, within each table."""
    measures: list[tuple[str, StabilityName, int | None]] = [
        ("Spearman", "spearman", None),
        ("Kendall", "kendall", None),
        ("Jaccard@5", "jaccard_at_k", 5),
        ("Kuncheva@5", "kuncheva_index", 5),
    ]
    rows = []
    for method in SHORT:
        if not select(runs, "stability", "16/5, 400", method):
            continue
        cells = [method]
        for bootstrapped in (False, True):
            chosen = [
                run
                for run in select(runs, "stability", "16/5, 400", method)
                if (run["bootstrap"] is not None) == bootstrapped
            ]
            for _, measure, k in measures:
                metric = ImportanceStability(measure, k)
                for data_seed in sorted({run["data_seed"] for run in chosen}):
                    metric.update(
                        column([r for r in chosen if r["data_seed"] == data_seed], "scores")
                    )
                cells.append(f"{float(metric.compute()):.3f} ± {float(metric.sd()):.3f}")
        rows.append(cells)
    names = [name for name, *_ in measures]
    header = ["16/5, 400", *(f"seeds: {n}" for n in names), *(f"bootstrap: {n}" for n in names)]
    return markdown(header, rows)


def formulas_table(runs: Runs) -> str:
    """Recovery of the relevant features of Syn1 to Syn6, XOR and Friedman."""
    rows = []
    for table in FORMULAS:
        relevance = relevance_of(table)
        for method in SHORT:
            if not (chosen := select(runs, "formulas", table, method)):
                continue
            scores = column(chosen, "scores")
            rows.append(
                [
                    table,
                    method,
                    percent(run["test"] for run in chosen),
                    found(PrecisionAtK(), scores, relevance),
                    found(RelevanceAUROC(), scores, relevance),
                    *(
                        percent(run[key] for run in chosen) if key in chosen[0] else ""
                        for key in ("tpr", "fdr")
                    ),
                ]
            )
    header = ["table", "method", "test (R² for Friedman), %", "P@k", "AUROC", "TPR, %", "FDR, %"]
    return markdown(header, rows)


def real_table(runs: Runs, table: str) -> str:
    """Agreement with SHAP and with trees, and accuracy on the best features, on a real table."""
    rows = []
    plain = select(runs, "real", table, NONE)
    if not plain:
        return ""
    trees, shap_plain = column(plain, "trees"), column(plain, "shap")
    half = max(1, round(trees.shape[1] / 2))
    for method in [*SHORT, ALIGNED]:
        chosen = select(runs, "real", table, method)
        if not chosen:
            continue
        scores, shap = column(chosen, "scores"), column(chosen, "shap")
        rows.append(
            [
                method,
                str(len(chosen)),
                percent(run["test"] for run in chosen),
                found(ImportanceSpearman(), scores, shap),
                found(ImportanceSpearman(), scores, shap_plain[: len(scores)]),
                found(ImportanceSpearman(), scores, trees[: len(scores)]),
                found(TopKOverlap(half), scores, shap),
                found(TopKOverlap(half), scores, trees[: len(scores)]),
                *_retrained(chosen, "scores"),
            ]
        )
    for name, key in (("SHAP of no gate", "shap"), ("XGBoost, permutation", "trees")):
        values = column(plain, key)
        rows.append(
            [
                name,
                str(len(plain)),
                percent(run["trees_test"] for run in plain) if key == "trees" else "",
                "",
                "" if key == "shap" else found(ImportanceSpearman(), values, shap_plain),
                "" if key == "trees" else found(ImportanceSpearman(), values, trees),
                "",
                "" if key == "trees" else found(TopKOverlap(half), values, trees),
                *_retrained(plain, key),
            ]
        )
    rows.append(["random features", str(len(plain)), *[""] * 6, *_retrained(plain, "random")])
    header = [f"{table}, {trees.shape[1]} features", "seeds", "test, %", "ρ with SHAP"]
    header += ["ρ with SHAP of no gate", "ρ with trees", f"top {half} with SHAP"]
    header += [f"top {half} with trees", "best quarter, %", "best half, %"]
    return markdown(header, rows)


def _retrained(runs: Runs, ranking: str) -> list[str]:
    return [percent(run["retrained"][ranking][i] for run in runs) for i in (0, 1)]


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
