"""Decoy MNIST over λ."""

from benchmarks.right_reasons.records import runs_of
from benchmarks.right_reasons.tables.cells import interval, short, table_of_runs
from benchmarks.shared.finished_runs import Runs

# authors' sweep on Decoy MNIST: train, test
AUTHORS_SWEEP = {
    0.01: (0.9979, 0.6322),
    0.1: (0.9958, 0.6634),
    1.0: (0.9957, 0.8420),
    10.0: (0.9897, 0.9389),
    100.0: (0.9887, 0.9597),
    1000.0: (0.9804, 0.9603),
    1e4: (0.9594, 0.9506),
    1e5: (0.8904, 0.8896),
    1e6: (0.5294, 0.5195),
}


def sweep_runs(runs: Runs, weight: float) -> Runs:
    """Return the runs of a weight on Decoy MNIST."""
    where = ("mnist", "mask") if weight == 1000 else ("sweep", f"λ={weight:g}")
    return runs_of(runs, *where)


def sweep_table(runs: Runs) -> str:
    """Decoy MNIST over λ."""
    rows = []
    for weight, authors in AUTHORS_SWEEP.items():
        models = [run["models"][0] for run in sweep_runs(runs, weight)]
        rows.append(
            [
                f"{weight:g}",
                *(short(each, 3) for each in authors),
                *(
                    interval(model[pick] for model in models)
                    for pick in ("train", "test", "first_ratio", "inside")
                ),
                str(len(models)),
            ]
        )
    header = ["λ", "authors: train", "test", "ours: train", "test", "ratio at step 1"]
    return table_of_runs([*header, "gradient inside mask", "runs"], rows)
