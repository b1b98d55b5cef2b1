"""A function that is added to all logits decides nothing, and no default may see it."""

import copy

import pytest
import torch
from torch import nn

from pear_lightning.explainers import (
    Gradient,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    Lime,
    Occlusion,
    explain,
)
from pear_lightning.losses import (
    CDEPLoss,
    ConsensusLoss,
    CoRMLoss,
    CounterexamplesLoss,
    DeepLassoLoss,
    DoubleBackpropagationLoss,
    EnergyLoss,
    ExpectedGradientsPrior,
    HINTLoss,
    IBPExLoss,
    PGDExLoss,
    PGDR4Loss,
    R4Loss,
    RandR4Loss,
    RBRIdentityHessianLoss,
    RightReasonsLoss,
    RRRGLoss,
    SimplifiedHINTLoss,
    SmoothnessPrior,
    SparsityPrior,
)
from pear_lightning.masking import ColumnMasker, PatchMasker
from pear_lightning.metrics import AgreementMatrix, MaxSensitivity, rank_explainers
from pear_lightning.modules import PEAR, RightForTheRightReasons
from pear_lightning.nn import MLP
from tests.losses.model_losses import CLASSES, batch, network
from tests.modules.helpers import table as rows_of_a_table

LOSSES = {
    "CDEP": CDEPLoss,
    "consensus": ConsensusLoss,
    "counterexamples": CounterexamplesLoss,
    "CoRM": CoRMLoss,
    "Deep Lasso": DeepLassoLoss,
    "double backpropagation": DoubleBackpropagationLoss,
    "energy": EnergyLoss,
    "expected gradients": lambda: ExpectedGradientsPrior(seed=0),
    "HINT": lambda: HINTLoss(PatchMasker(2)),
    "HINT, simplified": lambda: SimplifiedHINTLoss("0"),
    "IBP-Ex": IBPExLoss,
    "PGD-Ex": lambda: PGDExLoss(0.1, 2),
    "PGD-R4": lambda: PGDR4Loss(0.1, 2),
    "R4": R4Loss,
    "R4, all classes": lambda: R4Loss(output="sum_log_prob"),
    "Rand-R4": lambda: RandR4Loss(0.1, 2, seed=0),
    "RBR": RBRIdentityHessianLoss,
    "RRR": RightReasonsLoss,
    "RRR-G": lambda: RRRGLoss("0"),
    "smoothness": SmoothnessPrior,
    "sparsity": SparsityPrior,
}


def planted(model):
    """The same probabilities, with a function of the last hidden layer added to all logits."""
    model = copy.deepcopy(model)
    last = [each for each in model.modules() if isinstance(each, nn.Linear)][-1]
    with torch.no_grad():
        last.weight += 3 * torch.randn(last.in_features)
        last.bias += 1
    return model


def fitted(loss, inputs):
    for each in loss.explainers.values():
        for part in each.modules():
            if hasattr(part, "fit_reference"):
                part.fit_reference(inputs.mean(0), inputs)
    return loss


@pytest.mark.parametrize("name", LOSSES)
def test_no_loss_sees_it(name):
    torch.manual_seed(0)
    model, parts = network().eval(), batch()
    other = planted(model)
    torch.testing.assert_close(model(parts[0]).softmax(1), other(parts[0]).softmax(1))
    values = []
    for each in (model, other):
        torch.manual_seed(1)
        values.append(fitted(LOSSES[name](), parts[0]).of_model(each, parts)[1])
    torch.testing.assert_close(values[0], values[1], rtol=2e-3, atol=1e-6)


def table():
    torch.manual_seed(0)
    return MLP(5, CLASSES, hidden_features=(16,)), torch.rand(24, 5), torch.arange(24) % CLASSES


@pytest.mark.parametrize("method", [PEAR, RightForTheRightReasons])
def test_no_module_sees_it(method):
    model, inputs, target = table()
    mask = torch.tensor([1.0, 0, 0, 1, 0]).expand(24, 5)
    values = []
    for each in (model, planted(model)):
        options = {"top_k": 2} if method is PEAR else {}
        module = method(each, num_classes=CLASSES, **options)
        fitted(module.objective.loss, inputs)
        terms = module.training_loss((inputs, target, mask))
        values.append(terms["loss"])
    torch.testing.assert_close(values[0], values[1], rtol=1e-3, atol=1e-6)


EXPLAINERS = {
    "gradient": Gradient(),
    "input x gradient": InputXGradient(),
    "integrated": IntegratedGradients(10, baseline=0.5),
    "shap": KernelShap(32, seed=0),
    "lime": Lime(32, seed=0),
    "occlusion": Occlusion(),
}


def test_no_agreement_sees_it_in_explanations_of_the_centred_logit():
    model, inputs, target = table()
    found = {}
    for output in ("centered_logit", "logit"):
        for name, each in (("plain", model), ("planted", planted(model))):
            matrix = AgreementMatrix(list(EXPLAINERS), 2, num_classes=CLASSES)
            logits, attributions = explain(each, inputs, target, EXPLAINERS, output=output)
            matrix.update(attributions, logits=logits)
            found[output, name] = matrix.compute()["rank_correlation"]
            if name == "planted":
                assert matrix.common_share() > 1
    plain, seen = found["centered_logit", "plain"], found["centered_logit", "planted"]
    torch.testing.assert_close(plain, seen, rtol=1e-3, atol=1e-3)
    assert (found["logit", "plain"] - found["logit", "planted"]).abs().max() > 0.1


def test_no_faithfulness_sees_it():
    model, inputs, _ = table()
    rankings = [
        rank_explainers(each, [inputs], EXPLAINERS, ColumnMasker(5), progress=False)
        for each in (model, planted(model))
    ]
    torch.testing.assert_close(rankings[0].means, rankings[1].means, rtol=1e-2, atol=1e-3)
    for explainer in EXPLAINERS.values():
        first, second = (
            MaxSensitivity(explainer).score(each, inputs) for each in (model, planted(model))
        )
        torch.testing.assert_close(first, second, rtol=1e-2, atol=1e-3)


def trained(output, steps=120):
    """A small network for a table, trained for agreement of explanations of a scalar.

    In float64, because the outcome of a training in float32 depends on the machine's rounding.
    """
    torch.manual_seed(0)
    module = PEAR(MLP(6, hidden_features=(16, 16)), explainers=SLOPES, output=output).double()
    optimizer = torch.optim.Adam(module.backbone.parameters(), 0.03)
    inputs, target = rows_of_a_table(256).tensors
    for _ in range(steps):
        optimizer.zero_grad()
        module.training_loss((inputs.double(), target))["loss"].backward()
        optimizer.step()
    return module.backbone.float()


SLOPES = {
    "gradient": Gradient(),
    "average": IntegratedGradients(5, 0.5, multiply_by_inputs=False),
}
CONTRIBUTIONS = {
    "contribution": InputXGradient(baseline=0.5),
    "integrated": IntegratedGradients(10, 0.5),
}


def measured(model):
    """The share common to the logits, and the gap between agreement by logit and by decision."""
    x, y = rows_of_a_table(256, seed=1).tensors
    explainers, agreements = SLOPES | CONTRIBUTIONS, []
    for output in ("logit", "centered_logit"):
        matrix = AgreementMatrix(list(explainers), 3, num_classes=2)
        logits, attributions = explain(model, x, y, explainers, output=output)
        matrix.update(attributions, logits=logits)
        pairs = [tuple(SLOPES)], [tuple(CONTRIBUTIONS)]
        agreements.append([matrix.mean_over_pairs("pairwise_rank_agreement", p) for p in pairs])
    gaps = (torch.tensor(agreements[0]) - torch.tensor(agreements[1])).abs()
    accuracy = (logits.argmax(1) == y).float().mean()
    return matrix.common_share().item(), gaps.max().item(), accuracy.item()


@pytest.mark.filterwarnings("ignore:ConsensusLoss explains output='logit'")
def test_training_for_agreement_leaves_it_alone_by_default():
    share, gap, accuracy = measured(trained("logit"))  # the former default
    assert share > 0.5
    assert gap > 0.02
    assert accuracy > 0.8
    share, gap, accuracy = measured(trained("centered_logit"))
    assert share < 0.1
    assert gap < 0.02
    assert accuracy > 0.8
