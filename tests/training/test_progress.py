"""How far a fit is."""

from types import SimpleNamespace
from typing import Any

import pytest

from pear_lightning.training.progress import share_done


def after_one_of_two_batches(**length: Any) -> Any:
    fit_loop = SimpleNamespace(max_batches=2, batch_idx=1, total_batch_idx=1)
    return SimpleNamespace(current_epoch=0, global_step=1, fit_loop=fit_loop, **length)


@pytest.mark.parametrize(
    ("max_epochs", "max_steps", "share"),
    [
        (1, -1, 0.5),
        (4, -1, 0.125),
        (None, 4, 0.25),
        (-1, 4, 0.25),
        (-1, 1, 1.0),
        (4, 2, 0.5),  # what ends first
        (1, 8, 0.5),
        (-1, -1, None),
        (None, -1, None),
    ],
)
def test_the_share_of_a_fit_follows_what_ends_it_first(max_epochs, max_steps, share) -> None:
    trainer = after_one_of_two_batches(max_epochs=max_epochs, max_steps=max_steps)
    assert share_done(trainer) == share
