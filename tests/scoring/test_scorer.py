"""How the scorer calls a model, also under torch.compile."""

import pytest
import torch
from torch import nn

from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.outputs import logit
from pear_lightning.scoring.scorer import Scorer, run_model


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # torch's compiler calls what torch deprecated
def test_a_compiler_can_build_one_by_itself() -> None:
    """As it does where it gave up on the function around it, for example after many versions."""
    torch.compiler.reset()
    network = nn.Linear(3, 2)
    scorer = object.__new__(Scorer)
    batch = Batch(torch.ones(2, 3), torch.zeros(2, dtype=torch.long))
    torch.compile(Scorer.__init__, backend="eager")(scorer, network, batch, logit, None)
    assert scorer.forward is network


@pytest.mark.parametrize(
    "forward", [lambda batch: batch.pixels, lambda batch: batch[7], lambda batch: len(batch["x"])]
)
def test_errors_of_models_that_take_a_batch_say_what_they_were_given(forward) -> None:
    with pytest.raises((AttributeError, IndexError, TypeError)) as raised:
        run_model(forward, torch.ones(2, 3), {"mask": torch.ones(2)})
    (note,) = raised.value.__notes__
    assert note.startswith("The model was called with inputs (2, 3) and mask. If its forward takes")


def test_logits_of_samples_are_those_of_the_model_with_its_keywords() -> None:
    def forward(inputs: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return inputs.mul_(scale)  # which the samples must survive

    inputs, scale = torch.ones(2, 3), torch.tensor([[2.0], [5.0]])
    batch = Batch(inputs, torch.zeros(2, dtype=torch.long), forward_kwargs={"scale": scale})
    logits = Scorer(forward, batch, logit).logits_of_samples()
    assert torch.equal(logits, scale.expand(2, 3))
    assert bool((inputs == 1).all())
