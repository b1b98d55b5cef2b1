"""Ranks, and the numbers of evaluations that sampling needs."""

import pytest
import torch

from benchmarks.amortized.records import complete_seeds, mean_ranks, present
from benchmarks.amortized.settings import LEARNED
from benchmarks.amortized.tables.cost import needed_evaluations
from benchmarks.amortized.tables.faithfulness import overview_table, task_table

METRICS = ["faithfulness_correlation", "insertion", "deletion", "negative_perturbation", "irof"]


def runs(seeds=(0, 1), skip=()):
    found = []
    for seed in seeds:
        for place, method in enumerate(LEARNED):
            if (method, seed) not in skip:
                scores = dict.fromkeys(METRICS, 1.0 - place) | {"deletion": float(place)}
                found.append(
                    {"task": "bank", "method": method, "seed": seed, "rows": None, "scores": scores}
                )
    return found


def test_a_method_that_is_best_by_every_metric_has_rank_1():
    ranks = mean_ranks(runs(), "bank", METRICS)
    assert torch.equal(ranks, torch.arange(1.0, len(LEARNED) + 1).double().expand(2, -1))
    table = task_table(runs(), "bank").splitlines()
    assert table[2].startswith(f"| {LEARNED[0]} |")
    assert table[-1].startswith(f"| {LEARNED[-1]} |")
    assert overview_table(runs()).splitlines()[2].endswith("| 1.00 | 1.00 |")


def test_seeds_without_a_method_are_left_out():
    some = runs(skip=[(LEARNED[3], 1)])
    assert complete_seeds(some, "bank") == [0]
    assert present(some) == ["bank"]
    assert present(runs((0,), skip=[(LEARNED[3], 0)])) == []


def test_needed_evaluations_are_interpolated():
    record = {
        "learned": {"net": {"error": 0.1}},
        "sampled": {"kernel": {"16": 1.6, "32": 0.4, "64": 0.1, "128": 0.025}},
    }
    assert needed_evaluations(record, "net", "kernel") == pytest.approx(64)
    record["learned"]["net"]["error"] = 0.2  # half of the way between 0.4 and 0.1, in logarithms
    assert needed_evaluations(record, "net", "kernel") == pytest.approx(32 * 2**0.5)
    record["learned"]["net"]["error"] = 2.0
    assert needed_evaluations(record, "net", "kernel") == 16
    record["learned"]["net"]["error"] = 0.01
    assert needed_evaluations(record, "net", "kernel") is None
