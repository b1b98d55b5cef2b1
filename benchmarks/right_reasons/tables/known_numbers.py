"""Numbers that are known, beside ours."""

from benchmarks.right_reasons.records import runs_of
from benchmarks.right_reasons.tables.cells import cell, table_of_runs
from benchmarks.shared.finished_runs import Runs

_KNOWN: list[tuple[str, str, str, str, str, int]] = [
    ("Iris-Cancer, no mask: with iris", ".9155", "iris", "none", "test_in", 0),
    ("… without iris", ".8113", "iris", "none", "test", 0),
    ("… iris share of what is looked at", ".25 (measured)", "iris", "none", "iris_share", 0),
    ("Iris-Cancer, mask: with iris", ".91 to .92", "iris", "mask", "test_in", 0),
    ("… without iris", ".91 to .92", "iris", "mask", "test", 0),
    ("… iris share", ".001 (measured)", "iris", "mask", "iris_share", 0),
    ("standardised, no mask: in", ".954 (m.)", "iris", "standardised, none", "test_in", 0),
    ("… without iris", ".927 (m.)", "iris", "standardised, none", "test", 0),
    ("standardised, mask: without iris", ".936 (m.)", "iris", "standardised, mask", "test", 0),
    ("Decoy MNIST, no mask: train", ".9969", "mnist", "none", "train", 0),
    ("… test", ".5155", "mnist", "none", "test", 0),
    ("Decoy MNIST, mask, λ = 1000: train", ".9820", "mnist", "mask", "train", 0),
    ("… test", ".9607", "mnist", "mask", "test", 0),
    ("MNIST without blocks: test", ".9611", "mnist", "no decoy", "test", 0),
    ("find another explanation, Decoy MNIST: 2nd model", ".97", "find", "mnist", "test", 1),
    ("… with 512 units, pixels 0 to 1", "", "find", "mnist, 512 units", "test", 1),
    ("decoy digits without blocks", ".964 (m.)", "digits", "no decoy", "test", 0),
    ("decoy digits, no mask", ".829 (m.)", "digits", "none", "test", 0),
    ("decoy digits, λ = .1", ".962 (m.)", "digits", "λ=0.1", "test", 0),
    ("decoy digits, λ = 1", ".960 (m.)", "digits", "λ=1", "test", 0),
    ("decoy digits, λ = 10", ".961 (m.)", "digits", "λ=10", "test", 0),
    ("decoy digits, λ = 100", ".957 (m.)", "digits", "λ=100", "test", 0),
    ("decoy digits, λ = 1, 10 rows", ".923 (m.)", "digits", "λ=1, 10 rows", "test", 0),
    ("decoy digits, λ = 1, 50 rows", ".958 (m.)", "digits", "λ=1, 50 rows", "test", 0),
    ("decoy digits, λ = 1, 100 rows", ".960 (m.)", "digits", "λ=1, 100 rows", "test", 0),
    ("decoy digits, label, λ = 10", ".962 (m.)", "digits", "label, λ=10", "test", 0),
    ("decoy digits, predicted, λ = 10", ".962 (m.)", "digits", "predicted, λ=10", "test", 0),
    ("Toy Colors, no mask", ".9998", "toy", "none", "test", 0),
    ("Toy Colors, corners penalised", "1.0", "toy", "λ=1000", "test", 0),
    ("Toy Colors, top middle penalised", "1.0", "toy", "top middle", "test", 0),
    ("Toy Colors, both penalised (1e6)", ".5366", "toy", "both", "test", 0),
    ("20 Newsgroups, no mask", ".947", "news", "none", "test", 0),
]
"""What it is, the reference; where ours is: experiment, setting, entry and number of a model."""


def golden_table(runs: Runs) -> str:
    """Numbers that are known, beside ours."""
    return table_of_runs(
        ["", "reference", "ours", "runs"],
        (
            [title, known, cell(runs, exp, name, pick, model), str(len(runs_of(runs, exp, name)))]
            for title, known, exp, name, pick, model in _KNOWN
        ),
    )
