"""Which rule the toy model looks at."""

from benchmarks.right_reasons.records import runs_of
from benchmarks.right_reasons.settings import TOY_ROWS, TOY_SWEEP
from benchmarks.right_reasons.tables.cells import cell, table_of_runs
from benchmarks.shared.finished_runs import Runs


def toy_table(runs: Runs) -> str:
    """Which rule the toy model looks at."""
    names = ["none", *(f"λ={weight:g}" for weight in TOY_SWEEP)]
    names += [*(f"{rows} rows" for rows in TOY_ROWS), "top middle", "both"]
    titles = {
        "top middle": "top middle penalised, λ=1000",
        "both": "both penalised, λ=1e6",
        **{f"{rows} rows": f"λ=1000, {rows} annotated rows" for rows in TOY_ROWS},
    }
    return table_of_runs(
        ["corners penalised, all rows", "test", "looks at corners", "at top middle", "runs"],
        (
            [
                titles.get(name, name),
                *(cell(runs, "toy", name, pick) for pick in ("test", "corners", "top_middle")),
                str(len(runs_of(runs, "toy", name))),
            ]
            for name in names
        ),
    )
