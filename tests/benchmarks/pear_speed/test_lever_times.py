import pytest
import torch

from benchmarks.pear_speed.lever_times import compare_levers, step_of_module
from benchmarks.pear_speed.problem import Problem
from benchmarks.pear_speed.trained_sets import LEVERS, SETS, pear_of, points_and_copies
from benchmarks.shared.shape import Shape

TINY = Shape("tiny", 8, (20, 20), 16)


@pytest.mark.parametrize("lever", LEVERS)
def test_levers_choose_rows_and_steps(lever: str) -> None:
    problem = Problem(TINY, "cpu", n_rows=64)
    module = pear_of("contributions", problem)
    rows, every, _ = LEVERS[lever]
    module.objective.rows, module.objective.every = rows, every
    explained: list[int] = []
    of_model = module.consensus.of_model

    def counted(forward, batch, **kwargs):  # type: ignore[no-untyped-def]
        explained.append(len(batch))
        return of_model(forward, batch, **kwargs)

    module.consensus.of_model = counted  # type: ignore[method-assign]
    step = step_of_module(module, problem, "cpu")
    for _ in range(8):
        step()
    assert explained == [round(16 * (rows or 1))] * (8 // every)


@pytest.mark.parametrize("trained", SETS)
def test_points_and_copies_are_what_a_sample_costs(trained: str) -> None:
    problem = Problem(TINY, "cpu", n_rows=64)
    module, rows = pear_of(trained, problem), []
    module.backbone.register_forward_hook(lambda _, args, __: rows.append(len(args[0])))
    module.consensus.of_model(module.backbone, (problem.inputs[:16].float(), problem.target[:16]))
    assert sum(rows) == 16 * sum(points_and_copies(trained, 8))


def test_a_record_for_each_lever() -> None:
    records = compare_levers(TINY, "contributions", "cpu", 3, 1, compiled=False)
    assert [record["lever"] for record in records] == list(LEVERS)
    assert all(record["ratio"] > 0 and record["turns"] == 3 for record in records)
    assert torch.is_grad_enabled()
