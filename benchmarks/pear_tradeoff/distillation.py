"""PEAR that learns from a teacher."""

from typing import Any

import torch
from torch import Tensor

from benchmarks.pear_tradeoff.ensemble import cross_entropy_of_members, member_logits
from pear_lightning.modules import PEAR
from pear_lightning.scoring.batch import Batch
from pear_lightning.training.objective import Objective, Terms


class DistilledPEAR(PEAR):
    """PEAR that learns the probabilities of a fitted classifier.

    The task loss is the mean of three cross-entropies: with the labels, with the teacher's
    probabilities on the rows of the batch, and with those on new rows, which take each feature from
    one of two rows of the batch. Each member of an ensemble learns by itself.

    Args:
        teacher: A fitted classifier with ``predict_proba``.
        **options: Of PEAR.
    """

    def __init__(self, teacher: Any, **options: Any) -> None:
        super().__init__(**options)
        self.teacher = [teacher]  # in a list: no part of the module

    def terms(self, objective: Objective, batch: Batch) -> Terms:
        """Return the terms of the objective, with the labels of the teacher.

        Args:
            objective: The objective.
            batch: The batch, with labels.
        """
        rows = batch.inputs
        other = rows[torch.randperm(len(rows))]
        mixed = torch.where(torch.rand_like(rows) < torch.rand(len(rows), 1), rows, other)
        taught = torch.cat([rows, mixed])
        labels = torch.from_numpy(self.teacher[0].predict_proba(taught.numpy()))

        def of_teacher(_: Tensor) -> Tensor:
            logits = member_logits(self.backbone, taught)
            loss = cross_entropy_of_members(logits[: len(rows)], batch.labels)
            for part, of_part in zip(logits.chunk(2), labels.chunk(2), strict=True):
                loss = loss + cross_entropy_of_members(part, of_part)
            return loss / 3

        terms: Terms = objective(
            self.backbone,
            self.explained(batch),
            of_teacher,
            shares_logits=lambda: True,  # they are not used
            trainer=self.attached_trainer,
        )
        return terms
