"""What is measured on a trained network."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.pear_tradeoff.protocols import (
    ROWS,
    TOP_K,
    aligned_protocol,
    paper_protocol,
)
from pear_lightning.explainers import Explainer, explain
from pear_lightning.masking import ColumnMasker, Masker
from pear_lightning.metrics import AgreementMatrix, CommonShare, FaithfulnessSuite

OUTPUTS = ("logit", "centered_logit")
"""The scalars by which everything is measured."""

FAITHFULNESS_ROWS = 300
CHUNK = 100


@torch.no_grad()
def accuracy(network: nn.Module, rows: Tensor, target: Tensor) -> float:
    """Return the accuracy in %.

    Args:
        network: The trained network.
        rows: Rows, ``(N, n)``.
        target: Their classes, ``(N,)``.
    """
    return 100 * float((network(rows).argmax(dim=1) == target).double().mean())


@torch.no_grad()
def common_share(network: nn.Module, rows: Tensor) -> float:
    """Return the variance of what both logits have in common, relative to their difference's.

    Args:
        network: The trained network.
        rows: Rows, ``(N, n)``.
    """
    share = CommonShare(2)
    share.update(network(rows))
    return float(share.compute())


def explainers_of(protocol: str, mean: Tensor, masker: Masker) -> dict[str, Explainer]:
    """Return the explainers of a protocol.

    Args:
        protocol: ``"paper"`` or ``"aligned"``.
        mean: Mean of the training rows, ``(n,)``.
        masker: The features.
    """
    return paper_protocol(mean) if protocol == "paper" else aligned_protocol(mean, masker)


class Measurement:
    """Agreement and faithfulness of one network's explanations of some rows, by one scalar.

    Args:
        network: The trained network.
        rows: Rows to explain, ``(B, n)``.
        target: Their classes, ``(B,)``.
        explainers: Explainers by name.
        masker: The features.
        output: Explained scalar.
    """

    def __init__(
        self,
        network: nn.Module,
        rows: Tensor,
        target: Tensor,
        explainers: dict[str, Explainer],
        masker: ColumnMasker,
        output: Any,
    ) -> None:
        self.network, self.rows, self.target = network, rows, target
        self.explainers, self.masker, self.output = explainers, masker, output
        torch.manual_seed(0)  # the same noise and masks for every network
        self.saliency = self._explain(explainers)

    def _explain(self, explainers: dict[str, Explainer]) -> dict[str, Tensor]:
        chunks = []
        for rows, target in zip(self.rows.split(CHUNK), self.target.split(CHUNK), strict=True):
            _, attributions = explain(self.network, rows, target, explainers, output=self.output)
            chunks.append({name: self.masker.pool(each) for name, each in attributions.items()})
        return {name: torch.cat([chunk[name] for chunk in chunks]) for name in explainers}

    def agreement(self) -> tuple[AgreementMatrix, dict[str, list[float]]]:
        """Return the matrix, and its six metrics of each pair of explainers."""
        matrix = AgreementMatrix(list(self.explainers), TOP_K)
        matrix.update(self.saliency)
        values = torch.stack(list(matrix.compute().values()))
        names = list(self.explainers)
        pairs = {
            f"{a} / {b}": [round(float(v), 4) for v in values[:, i, j]]
            for i, a in enumerate(names)
            for j, b in enumerate(names)
            if i < j
        }
        return matrix, pairs

    def self_agreement(self) -> dict[str, list[float]]:
        """Return the six metrics of two draws of each stochastic explainer."""
        stochastic = {name: each for name, each in self.explainers.items() if each.stochastic}
        torch.manual_seed(1)
        matrix = AgreementMatrix(list(self.explainers), TOP_K)
        matrix.update(self.saliency, repeats=self._explain(stochastic))
        values = torch.stack(list(matrix.compute().values()))
        names = list(self.explainers)
        return {
            name: [round(float(v), 4) for v in values[:, names.index(name), names.index(name)]]
            for name in stochastic
        }

    def faithfulness(self) -> dict[str, float]:
        """Return each of the ten metrics, averaged over the explainers, on the first rows."""
        few = slice(FAITHFULNESS_ROWS)
        suite = FaithfulnessSuite(
            self.masker, list(self.explainers), n_steps=None, n_subsets=50, subset_size=0.4
        )
        suite.update(
            self.network,
            self.rows[few],
            {name: each[few] for name, each in self.saliency.items()},
            self.target[few],
        )
        scores = suite.compute()
        return {
            metric: round(
                sum(float(scores[f"{name}/{metric}"]) for name in self.explainers)
                / len(self.explainers),
                4,
            )
            for metric in suite.directions
        }


def aligned_agreement(
    network: nn.Module, rows: Tensor, target: Tensor, mean: Tensor, masker: ColumnMasker
) -> float:
    """Return the pairwise rank agreement of the aligned explainers of the centred logit.

    Args:
        network: The trained network.
        rows: Rows, of which the first ones are explained, ``(N, n)``.
        target: Their classes, ``(N,)``.
        mean: Mean of the training rows, ``(n,)``.
        masker: The features.
    """
    explainers = explainers_of("aligned", mean, masker)
    measured = Measurement(
        network, rows[:ROWS], target[:ROWS], explainers, masker, "centered_logit"
    )
    return float(measured.agreement()[0].mean_over_pairs("pairwise_rank_agreement"))


def measure(
    network: nn.Module,
    rows: Tensor,
    target: Tensor,
    mean: Tensor,
    masker: ColumnMasker,
    protocols: Sequence[str],
) -> dict[str, Any]:
    """Return everything that the report shows of a network on the test rows.

    Args:
        network: The trained network.
        rows: Test rows, ``(N, n)``.
        target: Their classes, ``(N,)``.
        mean: Mean of the training rows, ``(n,)``.
        masker: The features.
        protocols: ``"aligned"``, ``"paper"`` or both.

    Returns:
        Agreement and faithfulness, by scalar.
    """
    measured: dict[str, Any] = {"agreement": {}, "faithfulness": {}}
    own: dict[str, list[float]] = {}
    for output in OUTPUTS:
        pairs: dict[str, list[float]] = {}
        for protocol in protocols:
            explainers = explainers_of(protocol, mean, masker)
            each = Measurement(network, rows[:ROWS], target[:ROWS], explainers, masker, output)
            matrix, of_protocol = each.agreement()
            pairs |= of_protocol
            if output == "logit" and "paper" in protocols:
                own |= each.self_agreement()
            if protocol == "aligned":
                measured["faithfulness"][output] = each.faithfulness()
                measured["metrics"] = list(matrix.compute())
                chance = matrix.chance()
                measured["chance"] = {name: round(value, 4) for name, value in chance.items()}
        measured["agreement"][output] = pairs
    return measured | {"self_agreement": own}


def agreement_of_paper(
    network: nn.Module, rows: Tensor, target: Tensor, mean: Tensor, masker: ColumnMasker
) -> dict[str, list[float]]:
    """Return the six agreement metrics of each pair of the paper's explainers, by the logit.

    Args:
        network: The trained network.
        rows: Rows, of which the first ones are explained, ``(N, n)``.
        target: Their classes, ``(N,)``.
        mean: Mean of the training rows, ``(n,)``.
        masker: The features.
    """
    explainers = explainers_of("paper", mean, masker)
    each = Measurement(network, rows[:ROWS], target[:ROWS], explainers, masker, "logit")
    return each.agreement()[1]
