"""What only a CUDA device can show: kernels without a second derivative, and the same numbers."""

import pytest
import torch

from pear_lightning.explainers import Gradient, IntegratedGradients, KernelShap, Lime, explain
from pear_lightning.functional import soft_rank
from pear_lightning.modules import PEAR
from pear_lightning.nn import MLP
from tests.explainers.models import ConvNet, Recurrent, Transformer, mlp
from tests.modules.helpers import loader, quiet_trainer

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize(
    ("build", "shape"),
    [(mlp, (6,)), (ConvNet, (2, 5, 4)), (Transformer, (3, 8)), (Recurrent, (3, 8))],
)
def test_attributions_and_their_gradients_equal_the_cpus(build, shape):
    model, inputs, target = build(), torch.rand(4, *shape), torch.tensor([0, 1, 2, 1])
    explainers = [Gradient(), IntegratedGradients(4)]

    def run(device):
        model.to(device).zero_grad()
        _, attributions = explain(
            model, inputs.to(device), target.to(device), explainers, create_graph=True
        )
        sum(a.square().sum() for a in attributions).backward()
        gradients = [p.grad.cpu().clone() for p in model.parameters() if p.grad is not None]
        return [a.detach().cpu() for a in attributions], gradients

    on_cpu, on_gpu = run("cpu"), run("cuda")
    torch.testing.assert_close(on_gpu, on_cpu, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("guard", [torch.no_grad, torch.inference_mode])
def test_recurrent_layers_without_gradients(guard):
    model, inputs = Recurrent().cuda(), torch.rand(4, 3, 8).cuda()
    wanted = explain(model, inputs, 1, [Gradient()])[1][0]
    with guard():
        actual = explain(model, inputs, 1, [Gradient()])[1][0]
    torch.testing.assert_close(actual, wanted)


@pytest.mark.parametrize("n", [8, 30, 196])
def test_soft_rank_equals_the_cpus(n):
    x = torch.randn(16, n)
    torch.testing.assert_close(soft_rank(x.cuda(), 0.1).cpu(), soft_rank(x, 0.1))


@pytest.mark.parametrize("explainer", [KernelShap(64, seed=0), Lime(64, seed=0)])
def test_perturbation_explainers_equal_the_cpus(explainer):
    model, inputs = mlp(), torch.rand(4, 6)
    on_cpu = explain(model, inputs, 1, [explainer])[1][0]
    on_gpu = explain(model.cuda(), inputs.cuda(), 1, [explainer])[1][0]
    torch.testing.assert_close(on_gpu.cpu(), on_cpu, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_pear_fits_and_tests(precision):
    model = PEAR(MLP(6, hidden_features=(12,)), top_k=3)
    trainer = quiet_trainer(accelerator="gpu", precision=precision)
    trainer.fit(model, loader(64), loader(32))
    results = trainer.test(model, loader(32), verbose=False)[0]
    assert 0 <= results["test_untrained_pairwise_rank_agreement"] <= 1
