"""The report of the ScoresActivation benchmark."""

from functools import partial
from pathlib import Path

from benchmarks.scores_activation.figures.gain import draw_gain
from benchmarks.scores_activation.figures.recovery import draw_recovery
from benchmarks.scores_activation.methods import DECAY, NONE
from benchmarks.scores_activation.records import select
from benchmarks.scores_activation.shap_values import BACKGROUND, PERMUTATIONS, ROWS
from benchmarks.scores_activation.table_settings import CLUSTERS, REAL
from benchmarks.scores_activation.tables.aims import aims_table
from benchmarks.scores_activation.tables.formulas import formulas_table
from benchmarks.scores_activation.tables.gain import gain_table
from benchmarks.scores_activation.tables.quality import quality_table
from benchmarks.scores_activation.tables.real import real_table
from benchmarks.scores_activation.tables.stability import stability_table
from benchmarks.scores_activation.tables.time import cost_table, step_table
from benchmarks.shared.drawing import save_figures
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.json_files import read_json
from benchmarks.shared.report import notes_of, write_readme


def write_report(runs: Runs, output: Path) -> None:
    """Write ``README.md`` and the figures into the folder of the results.

    Args:
        runs: Records of the finished runs.
        output: Folder to write to; ``notes.md`` in it is copied to the top of the report, and
            ``timing.json`` is read where it is.
    """
    timed = output / "timing.json"
    timing = read_json(timed) if timed.exists() else None
    protocols = {run["protocol"] for run in runs}
    minutes = sum(run["seconds"] for run in runs) / 60
    parts = [
        "# ScoresActivation: what its scores find, and what they cost",
        "Written by `benchmarks/scores_activation` from `runs.jsonl` and `timing.json`. Mean ± "
        "standard deviation over seeds; gains are paired by seed, ± standard error.",
        notes_of(output),
        "![Recovery](recovery.png)\n\n![Gain](gain.png)",
    ]
    if "quality" in protocols:
        present = [table for table in CLUSTERS if select(runs, "quality", table, NONE)]
        parts += ["## 1. Aims", aims_table(runs), "## 2. Clusters with 5 relevant features"]
        parts += [
            "P@5, AUROC and AP of the scores against the 5 relevant features. ρ and τ: Spearman "
            "and Kendall of the scores with mean absolute SHAP values **of the same model** (shap, "
            f"permutation explainer, log-odds, {ROWS} test rows, {BACKGROUND} background rows, "
            f"{PERMUTATIONS} permutations and their reverses). “ρ, effective”: of "
            "w_i · ‖W_:,i‖ instead of w; “ρ, relevant only”: among the 5 "
            "relevant features. Without a gate the score is the norm of the first layer's "
            f"column. “decay”: weight decay {DECAY:g} of the network at a learning rate of 1e-3.",
            *(quality_table(runs, table) for table in present),
        ]
    if "gain" in protocols:
        parts += ["## 3. Where accuracy is gained", gain_table(runs)]
    if "stability" in protocols:
        parts += [
            "## 4. Stability",
            "Mean over pairs of 5 runs on one table, then over 3 tables (± standard deviation over "
            "pairs). Seeds: weights and batches differ. Bootstrap: the training rows differ.",
            stability_table(runs),
        ]
    if "formulas" in protocols:
        parts += [
            "## 5. Syn1 to Syn6, XOR, Friedman",
            "P@k and AUROC against the union of the relevant features. TPR and FDR: of as many "
            "features as the union has, for each test row against the features that matter for "
            "that row.",
            formulas_table(runs),
        ]
    if "real" in protocols:
        parts += [
            "## 6. Real tables",
            "Trees: permutation importance of XGBoost (defaults; mean of five shuffles of the test "
            "rows). The split is the files'; of Breast Cancer, it differs between seeds. Best "
            "quarter and half: accuracy of a network without a gate that is trained again on the "
            "features with the largest scores.",
            *(real_table(runs, table) for table in REAL),
        ]
    if timing is not None:
        parts += [
            "## 7. Time",
            f"{timing['machine']}; seconds of processor time. A step is forward, loss, backward "
            "and AdamW (fused), batches made beforehand; steps with and without a gate take turns, "
            "and each is compared with the plain one beside it.",
            step_table(timing),
            f"SHAP explains {ROWS} test rows of the same model against {BACKGROUND} background "
            "rows; “rows evaluated” go through the network. For no gate, scores are the norms of "
            "the first layer's columns.",
            cost_table(timing),
        ]
    parts += [f"## Cost\n\n{len(runs)} models, {minutes:.0f} minutes."]
    write_readme(parts, output)
    figures = {"recovery": draw_recovery, "gain": draw_gain}
    save_figures({name: partial(draw, runs=runs) for name, draw in figures.items()}, output)
