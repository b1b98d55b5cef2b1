"""Learned explainers on a CUDA device: fits with their models, and the losses of the CPU."""

import pytest
import torch

from pear_lightning.explainers import AmortizedExplainer, explain
from tests.modules.helpers import quiet_trainer
from tests.modules.test_learned_explainers import (
    ALL_CLASSES,
    MEMBERS,
    N,
    batch_for,
    build,
    f,
    loader,
    rows,
    transformer,
)

pytestmark = pytest.mark.gpu
every_member = pytest.mark.parametrize("name", MEMBERS)


@every_member
def test_the_loss_is_that_of_the_cpu(name):
    losses = []
    for device in ("cpu", "cuda"):
        target = f().eval().to(device)
        model = build(name, target).to(device).eval()
        for held in model._held:
            if held.is_given and isinstance(held.forward, torch.nn.Module):
                held.forward.to(device)
        batch = batch_for(name, rows(16).to(device))
        losses.append(model.evaluation_loss(model.batch_of(batch))["loss"].cpu())
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-3, atol=1e-4)


@every_member
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_fit_test_predict_and_reload(name, precision, tmp_path):
    target = f()
    model = build(name, target, transformer(name))
    trainer = quiet_trainer(accelerator="gpu", max_epochs=1, precision=precision)
    trainer.fit(model, loader(name), loader(name))
    trainer.test(model, loader(name), verbose=False)
    saliency = torch.cat([each["saliency"] for each in trainer.predict(model, loader(name))])
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    again = AmortizedExplainer.load_from_checkpoint(tmp_path / "model.ckpt", map_location="cuda")
    inputs = rows().cuda()
    wanted = target.cuda().eval()(inputs).argmax(dim=1)
    _, (found,) = explain(target, inputs, wanted, [again])
    if name in ALL_CLASSES:
        saliency = saliency.gather(2, wanted.cpu()[:, None, None].expand(-1, N, 1))[..., 0]
    tolerance = 1e-3 if precision == "32-true" else 0.1
    torch.testing.assert_close(found.cpu(), saliency.float().cpu(), atol=tolerance, rtol=tolerance)
