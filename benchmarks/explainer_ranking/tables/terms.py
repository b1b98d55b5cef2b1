"""What was explained, on what terms, and what it costs."""

from benchmarks.explainer_ranking.records import Records, present
from benchmarks.explainer_ranking.settings import TERMS, TITLES
from benchmarks.shared.markdown import markdown

FEATURES = {
    "mnist": "196 patches of 2 x 2 pixels",
    "fashion": "196 patches of 2 x 2 pixels",
    "bank": "7 columns",
    "ag_news": "up to 64 tokens (embeddings)",
}


def settings_table(records: Records) -> str:
    """Return what was explained, and on what terms."""
    rows = []
    for name in present(records):
        record = records[name, "papers"]
        terms = record["terms"]
        size = terms["subset_size"]
        rows.append(
            [
                TITLES[name],
                f"{record['accuracy']:.1f} %",
                f"{record['training_seconds']:.0f} s",
                FEATURES[name],
                terms["baseline"],
                str(terms["n_steps"]),
                f"{size} columns" if isinstance(size, int) else f"{100 * size:.0f} %",
                str(terms["coalitions"]),
                str(record["n_samples"]),
                str(record["evaluations_per_sample"]),
            ]
        )
    header = [
        "data set",
        "test accuracy",
        "training (wall clock, busy machine)",
        "features",
        "baseline",
        "steps of a curve",
        "subset size",
        "coalitions of KernelShap and Lime",
        "samples",
        "evaluations per sample",
    ]
    return markdown(header, rows)


def cost_table(records: Records) -> str:
    """Return the milliseconds of CPU time that an explanation takes."""
    names = present(records)
    costs = [records[name, "papers"]["ms_per_sample"] for name in names]
    explainers = list(dict.fromkeys(each for cost in costs for each in cost))
    rows = [
        [each, *(f"{cost[each]:.1f}" if each in cost else "–" for cost in costs)]
        for each in explainers
    ]
    mains = [records[name, "papers"] for name in names]
    scoring = [str(each["scoring_ms_per_sample"]) for each in mains]
    rows.append(["*all ten metrics of all explanations*", *scoring])
    batches = ", ".join(f"{TITLES[name]} {TERMS[name].batch_size}" for name in names)
    return markdown(["ms per sample", *(TITLES[name] for name in names)], rows) + (
        "\n\nCPU time of one thread, on a machine that others used too. Samples per batch: "
        f"{batches}."
    )
