"""Which losses are properties of a batch, and not means over its rows."""

import pytest
import torch

from pear_lightning.losses import DeepLassoLoss, GraphSmoothnessPrior, SparsityPrior, XGradientPrior
from tests.test_pickling import LOSSES, make_loss, network

COUPLED = {"DeepLassoLoss", "GraphSmoothnessPrior", "SparsityPrior", "XGradientPrior"}


def test_losses_that_couple_rows_are_known() -> None:
    assert {name for name in LOSSES if make_loss(name).couples_rows} == COUPLED
    assert not GraphSmoothnessPrior([(0, 1)], over="samples").couples_rows
    assert not XGradientPrior(GraphSmoothnessPrior([(0, 1)], over="samples")).couples_rows


@pytest.mark.filterwarnings("ignore:.* masks of a batch mark every feature")
@pytest.mark.parametrize("name", sorted(set(LOSSES) - COUPLED))
def test_others_are_the_mean_of_their_values_in_parts_of_the_batch(name: str) -> None:
    loss, model = make_loss(name), network().double()
    for explainer in loss.explainers.values():
        explainer.fit_reference(torch.zeros(1, 4, 4).double(), torch.rand(3, 1, 4, 4).double())
    images, target = torch.rand(4, 1, 4, 4).double(), torch.tensor([0, 1, 1, 0])
    mask = torch.zeros(4, 1, 4, 4)
    mask[..., 0] = 1  # as many ones in each row

    def of(part: slice, seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return loss.of_model(model, (images[part], target[part], mask[part]))[1].detach()

    if not torch.equal(of(slice(None), 0), of(slice(None), 1)):
        pytest.skip("draws its points")
    parts = [of(slice(start, start + 2), 0) for start in (0, 2)]
    torch.testing.assert_close(torch.stack(parts).mean(), of(slice(None), 0))


@pytest.mark.parametrize("loss", [DeepLassoLoss(), SparsityPrior(), GraphSmoothnessPrior([(0, 1)])])
def test_these_are_not(loss: torch.nn.Module) -> None:
    attributions = torch.randn(8, 5)
    whole = loss(attributions)
    parts = torch.stack([loss(each) for each in attributions.split(4)]).mean()
    assert not torch.isclose(whole, parts)
