"""DeepFaith on a CUDA device: the subsets of the CPU, and a fit with its explained model."""

import pytest
import torch
from torch.utils.data import DataLoader

from pear_lightning.explainers import AmortizedExplainer, explain
from pear_lightning.losses import CorrelationTerm, LocalCorrelationLoss
from pear_lightning.masking import ColumnMasker
from pear_lightning.modules import DeepFaith
from pear_lightning.nn import MLP, ColumnTokens, ExplainerTransformer
from pear_lightning.scoring import (
    BernoulliLaw,
    FixedSizeLaw,
    PrefixLaw,
    ShapleyLaw,
    SingleRemovalLaw,
    UniformSizeLaw,
)
from tests.modules.helpers import quiet_trainer

pytestmark = pytest.mark.gpu
LAWS = [
    BernoulliLaw(),
    UniformSizeLaw(),
    FixedSizeLaw(0.3),
    SingleRemovalLaw(),
    ShapleyLaw(full_weight=0.3),
    PrefixLaw(),
]


@pytest.mark.parametrize("n", [3, 12])
@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_subsets_and_loss_are_those_of_the_cpu(law, n):
    loss = LocalCorrelationLoss([CorrelationTerm(law)])
    model, inputs, saliency = MLP(n), torch.randn(5, n), torch.randn(5, n)
    target = torch.tensor([0, 1, 1, 0, 1])
    found = []
    for device in ("cpu", "cuda"):
        on = [each.to(device) for each in (inputs, saliency, target)]
        removals = loss.evaluate(model.to(device), on[0], ColumnMasker(n), seed=3, saliency=on[1])
        found.append((removals.keep.cpu(), loss(on[1], removals, on[2]).cpu()))
    assert torch.equal(found[0][0], found[1][0])
    torch.testing.assert_close(found[0][1], found[1][1], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_fit_test_predict_and_reload(precision, tmp_path):
    target, inputs = MLP(6), torch.randn(64, 6)
    network = ExplainerTransformer(ColumnTokens(6, 16), 1, 2, side_channels=2)
    model = DeepFaith(target, network, ColumnMasker(6), side=("gradient", "removals"))
    trainer = quiet_trainer(accelerator="gpu", max_epochs=2, precision=precision)
    trainer.fit(model, DataLoader(inputs, batch_size=16), DataLoader(inputs, batch_size=16))
    trainer.test(model, DataLoader(inputs, batch_size=16), verbose=False)
    (predicted,) = trainer.predict(model, DataLoader(inputs, batch_size=64))
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    explainer = AmortizedExplainer.load_from_checkpoint(
        tmp_path / "model.ckpt", map_location="cuda"
    )
    wanted = target.cuda().eval()(inputs.cuda()).argmax(dim=1)
    _, (found,) = explain(target, inputs.cuda(), wanted, [explainer])
    tolerance = 1e-3 if precision == "32-true" else 0.1
    torch.testing.assert_close(
        found.cpu(), predicted["saliency"].cpu().float(), atol=tolerance, rtol=tolerance
    )
