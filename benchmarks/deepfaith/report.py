"""The report of the DeepFaith benchmark."""

from functools import partial
from pathlib import Path

from benchmarks.deepfaith import texts
from benchmarks.deepfaith.figures.curves import draw_curves
from benchmarks.deepfaith.figures.fallback import draw_fallback
from benchmarks.deepfaith.figures.price import draw_price
from benchmarks.deepfaith.figures.ranks import draw_ranks
from benchmarks.deepfaith.records import Records, by_name, of_kind, rankings_of
from benchmarks.deepfaith.settings import CONTROLS, DEFINITIONS, TASKS
from benchmarks.deepfaith.tables.confidence import calibration_table, fallback_table
from benchmarks.deepfaith.tables.costs import cost_table, speed_table, supervision_table
from benchmarks.deepfaith.tables.overview import (
    finding,
    overview_table,
    seeds_table,
    terms_table,
)
from benchmarks.deepfaith.tables.variants import choice_table, held_out_table, variant_table
from benchmarks.shared.drawing import save_figures
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.ranking_tables import rank_table, score_table
from benchmarks.shared.report import notes_of, write_readme


def write_report(runs: Runs, output: Path) -> None:
    """Write ``README.md`` and the figures into the folder of the results.

    Args:
        runs: Records of the finished runs.
        output: Folder to write to; ``notes.md`` in it is copied to the top of the report.
    """
    records = by_name(runs)
    if not rankings_of(records, DEFINITIONS[0]):
        print("no report: there is no ranking yet")
        return
    parts = [
        "# DeepFaith",
        texts.INTRODUCTION,
        notes_of(output).rstrip(),
        "## 1. Where DeepFaith stands",
        overview_table(records),
        "![Mean ranks](ranks.png)",
        "Mean rank (place) of every seed alone, `library / deepfaith`:",
        seeds_table(records),
        "## 2. Terms",
        terms_table(records),
        texts.TERMS,
        *_costs(records),
        *_confidence(records),
        *_choices(records),
        *_ablations(records),
        *_tasks(records),
    ]
    write_readme(parts, output)
    figures = {
        "ranks": partial(draw_ranks, rankings=rankings_of(records, DEFINITIONS[0])),
        "price": partial(draw_price, records=records),
        "fallback": partial(draw_fallback, records=records),
        "curves": partial(draw_curves, records=records),
    }
    save_figures(figures, output)


def _costs(records: Records) -> list[str]:
    if not of_kind(records, "cost"):
        return []
    return [
        "## 3. Cost",
        texts.COST,
        cost_table(records),
        texts.SPEED,
        speed_table(records),
        "What training takes:",
        supervision_table(records),
        "![Mean rank over price](price.png)",
    ]


def _confidence(records: Records) -> list[str]:
    if not of_kind(records, "confidence"):
        return []
    return [
        "## 4. Confidence and fallback",
        texts.CONFIDENCE,
        calibration_table(records),
        texts.FALLBACK,
        fallback_table(records),
        "![Fallback](fallback.png)",
    ]


def _choices(records: Records) -> list[str]:
    parts = []
    for task, record in of_kind(records, "choice").items():
        parts += [f"{TASKS[task].title}:", choice_table(record)]
    if parts:
        parts = ["## 5. Choice of the loss on validation samples", texts.CHOICE, *parts]
    held_out = of_kind(records, "held out")
    chosen = of_kind(records, "choice")
    tasks = [task for task in TASKS if task in held_out or task in chosen]
    if tasks:
        parts += ["## 6. Held-out metrics", texts.HELD_OUT]
    for task in tasks:
        table = held_out_table(chosen.get(task), held_out.get(task))
        parts += [f"{TASKS[task].title}:", table]
    return parts


def _ablations(records: Records) -> list[str]:
    parts = []
    for task, record in of_kind(records, "ablation").items():
        parts += [f"{TASKS[task].title}:", variant_table(record["variants"], "variant")]
    if parts:
        parts = ["## 7. Ablations", texts.VARIANTS, *parts, "![Training](curves.png)"]
    sizes = of_kind(records, "samples")
    if sizes:
        parts += ["## 8. Training samples", texts.SAMPLES]
    for task, record in sizes.items():
        parts += [f"{TASKS[task].title}:", variant_table(record["sizes"], "samples")]
    return parts


def _tasks(records: Records) -> list[str]:
    parts = ["## 9. Task by task"]
    for definition in DEFINITIONS:
        for task, ranking in rankings_of(records, definition).items():
            title = f"{TASKS[task].title} ({definition})"
            parts += [
                f"### {title}",
                finding(ranking, title),
                rank_table(ranking, CONTROLS),
                "Mean scores:",
                score_table(ranking),
            ]
    return parts
