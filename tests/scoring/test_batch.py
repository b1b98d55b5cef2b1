"""Batches of some of the rows, and what has been checked of them."""

import pytest
import torch

from pear_lightning.scoring.batch import Batch


def test_rows_are_checked_anew_if_their_inputs_are_others() -> None:
    batch = Batch(torch.rand(4, 3)).check_finite()
    batch.rows(slice(2)).check_finite()
    changed = batch.rows(slice(2), torch.full((2, 3), torch.nan))
    with pytest.raises(ValueError, match="inputs must be finite"):
        changed.check_finite()


def test_rows_of_a_batch_that_was_not_checked_are_checked() -> None:
    with pytest.raises(ValueError, match="inputs must be finite"):
        Batch(torch.full((4, 3), torch.nan)).rows(slice(2)).check_finite()
