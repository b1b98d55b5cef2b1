"""What is measured on a trained model."""

from typing import Any

from benchmarks.pear_tradeoff.consensus import consensus_of_paper
from benchmarks.pear_tradeoff.junk import junk_shares
from benchmarks.pear_tradeoff.protocols import ALIGNED, PAPER, RANDOM, ROWS, pairs_of
from benchmarks.shared.quiet_trainer import quiet_trainer
from benchmarks.shared.table_rows import table_rows
from pear_lightning.modules import PEAR


def measure(model: PEAR, data: Any, *, junk: bool) -> dict[str, Any]:
    """Test a model: accuracy on all rows, agreement and consensus loss on the first ones.

    Args:
        model: The trained model.
        data: The data module.
        junk: Whether half of the features are junk.

    Returns:
        What the report needs, by name.
    """
    (logged,) = quiet_trainer(accelerator="cpu").test(model, data, verbose=False)
    matrix = model.test_agreement.compute()
    names = list(model.test_explainers)

    def values(pair: tuple[str, str]) -> list[float]:
        i, j = (names.index(each) for each in pair)
        return [round(float(metric[i, j]), 4) for metric in matrix.values()]

    pairs = pairs_of((*PAPER, RANDOM)) + ([] if junk else pairs_of(ALIGNED))
    stochastic = [each for each, e in model.test_explainers.items() if e.stochastic]
    inputs, target = (column[:ROWS] for column in table_rows(data, "test"))
    measured = {
        "accuracy": 100 * logged["test_accuracy"],
        "agreement": {" / ".join(pair): values(pair) for pair in pairs},
        "self_agreement": {each: values((each, each)) for each in stochastic},
        "consensus": consensus_of_paper(model.backbone, data.training_mean, inputs, target),
    }
    if junk:
        explainers: dict[str, Any] = {
            name: model.test_explainers[name] for name in (*PAPER, RANDOM)
        }
        n_real = data.n_features // 2
        measured["junk"] = junk_shares(model.backbone, explainers, inputs, target, n_real)
    return measured
