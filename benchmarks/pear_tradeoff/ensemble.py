"""Several perceptrons in one network, trained by PEAR."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from benchmarks.pear_tradeoff.encoded_mlp import PiecewiseLinearEncoding
from pear_lightning.modules import PEAR
from pear_lightning.scoring.batch import Batch
from pear_lightning.training.objective import Objective, Terms


class MLPEnsemble(nn.Module):
    """Perceptrons that share all weights except a scaling of the inputs and their last layer.

    Each member is trained on its own loss; the network's logits are the mean of the members'.

    Shapes:
        - inputs: ``(B, n)``
        - logits: ``(B, 2)``

    Args:
        rows: Training rows, ``(N, n)``, of which the encoding takes its quantiles.
        hidden: Width of each hidden layer.
        members: Number of perceptrons.
        dropout: Rate of dropout after each hidden layer.

    References:
        Gorishniy, Kotelnikov, Babenko, *TabM: Advancing Tabular Deep Learning with
        Parameter-Efficient Ensembling*, ICLR 2025, arXiv 2410.24210; TabM-mini.
    """

    def __init__(
        self, rows: Tensor, hidden: Sequence[int], members: int = 8, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.encoding = PiecewiseLinearEncoding(rows, bins=32)
        width = self.encoding.out_features
        signs = torch.randint(0, 2, (members, width)).float() * 2 - 1
        self.scale = nn.Parameter(signs)
        self.first = nn.Linear(width, hidden[0])
        layers: list[nn.Module] = [nn.ReLU(), nn.Dropout(dropout)]
        for width, wide in pairwise(hidden):
            layers += [nn.Linear(width, wide), nn.ReLU(), nn.Dropout(dropout)]
        self.body = nn.Sequential(*layers)
        width = hidden[-1]
        bound = width**-0.5
        self.weight = nn.Parameter(torch.empty(members, width, 2).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, 2).uniform_(-bound, bound))

    def members(self, inputs: Tensor) -> Tensor:
        """Return the logits of each member, ``(B, members, 2)``.

        Args:
            inputs: Rows, ``(B, n)``.
        """
        # the scaling is applied to the weights, which are fewer than the encoded rows
        weight = (self.first.weight * self.scale[:, None]).flatten(0, 1)
        first = F.linear(self.encoding(inputs), weight).unflatten(1, (len(self.scale), -1))
        hidden = self.body(first + self.first.bias)
        return torch.einsum("bmh,mhc->bmc", hidden, self.weight) + self.bias

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits ``(B, 2)`` of rows ``(B, n)``."""
        return self.members(inputs).mean(dim=1)


def member_logits(backbone: nn.Module, rows: Tensor) -> Tensor:
    """Return the logits of each member of an ensemble, ``(B, M, C)``; of one of another network.

    Args:
        backbone: The network.
        rows: Rows, ``(B, n)``.
    """
    if isinstance(backbone, MLPEnsemble):
        return backbone.members(rows)
    logits: Tensor = backbone(rows)[:, None]
    return logits


def cross_entropy_of_members(logits: Tensor, target: Tensor) -> Tensor:
    """Return the mean of the members' cross-entropies.

    Args:
        logits: ``(B, M, C)``.
        target: Labels ``(B,)`` or probabilities ``(B, C)``.
    """
    repeated = target[:, None].expand(*logits.shape[:2], *target.shape[1:])
    return F.cross_entropy(logits.flatten(0, 1), repeated.flatten(0, 1))


class EnsemblePEAR(PEAR):
    """PEAR on an :class:`MLPEnsemble`, each of whose members learns the task by itself."""

    def terms(self, objective: Objective, batch: Batch) -> Terms:
        """Return the terms of the objective, with the mean of the members' cross-entropies.

        Args:
            objective: The objective.
            batch: The batch, with labels.
        """

        def of_members(_: Tensor) -> Tensor:
            return cross_entropy_of_members(
                member_logits(self.backbone, batch.inputs), batch.labels
            )

        terms: Terms = objective(
            self.backbone,
            self.explained(batch),
            of_members,
            shares_logits=lambda: True,  # they are not used
            trainer=self.attached_trainer,
        )
        return terms
