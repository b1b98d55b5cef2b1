"""The scorer under torch.compile."""

import pytest
import torch
from torch import nn

from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.outputs import logit
from pear_lightning.scoring.scorer import Scorer


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # torch's compiler calls what torch deprecated
def test_a_compiler_can_build_one_by_itself() -> None:
    """As it does where it gave up on the function around it, for example after many versions."""
    torch.compiler.reset()
    network = nn.Linear(3, 2)
    scorer = object.__new__(Scorer)
    batch = Batch(torch.ones(2, 3), torch.zeros(2, dtype=torch.long))
    torch.compile(Scorer.__init__, backend="eager")(scorer, network, batch, logit, None)
    assert scorer.forward is network
