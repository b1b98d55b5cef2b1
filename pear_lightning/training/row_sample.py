"""Random rows of a batch on which an explanation loss is computed."""

import random
from typing import NamedTuple

import torch

from pear_lightning.losses import ExplanationLoss
from pear_lightning.losses.masks import annotated_rows, element_mask
from pear_lightning.scoring.batch import Batch


class RowSample(NamedTuple):
    """A part of a batch, and the factor that makes its loss an estimate of the batch's loss.

    Attributes:
        batch: The chosen rows, in the order of the batch.
        scale: Factor of the loss of the chosen rows.
    """

    batch: Batch
    scale: float


def sample_rows(
    batch: Batch, loss: ExplanationLoss, rows: int | float, *, step: int, rank: int
) -> RowSample | None:
    """Draw rows of a batch; the same for the same step and rank.

    The scaled loss of the drawn rows is an unbiased estimate of the loss of the batch if that is a
    mean or a sum over rows. If the loss is about annotated features, annotated rows are drawn,
    because others add nothing.

    Args:
        batch: The batch.
        loss: The explanation loss.
        rows: Share of the rows, a float in (0, 1], or their number, an int of at least 1. Of the
            annotated rows if the loss needs a mask. At least one row is drawn.
        step: Index of the training step.
        rank: Rank of the process.

    Returns:
        The drawn rows; ``None`` if these are all rows of the batch.
    """
    eligible = None
    if loss.needs_mask and (mask := element_mask(batch, loss.mask_features)) is not None:
        batch = batch.with_elements_marked(mask)  # so that the loss does not read it again
        eligible = annotated_rows(mask).nonzero()[:, 0]
    available = len(batch) if eligible is None else len(eligible)
    wanted = max(round(rows * available), 1) if isinstance(rows, float) else rows
    if wanted >= available:
        return None
    generator = torch.Generator().manual_seed(random.Random(f"{step}/{rank}").getrandbits(63))
    chosen = torch.randperm(available, generator=generator)[:wanted].sort().values
    chosen = chosen.to(batch.inputs.device, non_blocking=True)
    kept_share = wanted / len(batch)
    scale = {"mean": kept_share, "sum": 1.0, "annotated": wanted / available}[loss.reduces_rows_by]
    return RowSample(
        batch.rows(chosen if eligible is None else eligible[chosen]), scale * available / wanted
    )
