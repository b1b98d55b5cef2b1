"""Which kernels run: math attention where a second derivative is taken, fused attention elsewhere.

The operators that reach the device are recorded, because a fused kernel and the math kernel give
the same numbers.
"""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from pear_lightning.explainers import Gradient, IntegratedGradients, KernelShap, explain
from pear_lightning.losses import ConsensusLoss
from pear_lightning.masking import TokenMasker
from pear_lightning.metrics import FaithfulnessSuite, MaxSensitivity
from pear_lightning.modules import PEAR, RightForTheRightReasons
from pear_lightning.nn import TransformersClassifier, TransformerTextClassifier
from pear_lightning.scoring.kernels import differentiable_kernels

IDS = torch.tensor([[2, 7, 9, 3, 4], [2, 5, 3, 0, 0]])
BATCH = {"input_ids": IDS, "attention_mask": IDS != 0, "labels": torch.tensor([0, 1])}
TOKENS = TokenMasker(mask_token_id=1, pad_token_id=0)
PAIR = {"gradient": Gradient(), "integrated": IntegratedGradients(2, baseline="zeros")}
SHAP = {name: KernelShap(8, seed=seed, masker=TOKENS) for seed, name in enumerate("ab")}


class Attention(TorchDispatchMode):
    """Counts the passes through fused attention and through the softmax of the math kernel."""

    def __enter__(self):
        self.fused = self.math = 0
        return super().__enter__()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name()
        self.fused += "_attention" in name and "backward" not in name
        self.math += name in ("aten::_softmax", "aten::_safe_softmax")
        return func(*args, **(kwargs or {}))

    @property
    def kernels(self):
        return {name for name in ("fused", "math") if getattr(self, name)}


def small():
    return TransformerTextClassifier(12, embedding_size=8, num_layers=1, num_heads=2, dropout=0.1)


def bert():
    pytest.importorskip("transformers")
    sizes = {"vocab_size": 12, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = {"model_type": "bert", "intermediate_size": 16, **sizes}
    config |= {"attention_probs_dropout_prob": 0.0}
    return TransformersClassifier(config, num_classes=2)


@pytest.fixture(params=[small, bert])
def backbone(request):
    return request.param()


def kernels_of(call):
    with Attention() as attention:
        result = call()
    return attention.kernels, result


def test_a_step_of_pear_takes_second_derivatives_and_its_task_loss_does_not(backbone):
    model = PEAR(backbone, explainers=PAIR, validation_explainers=PAIR)
    backbone.eval()  # attention with dropout has no fused kernel on a CPU
    read = model.batch_of(BATCH)
    explained, (_, penalty) = kernels_of(lambda: model.objective.of_model(backbone, read))
    assert explained == {"math"}
    penalty.backward()
    assert kernels_of(lambda: model.run_backbone(read))[0] == {"fused"}


def test_right_reasons_takes_second_derivatives(backbone):
    model = RightForTheRightReasons(backbone.eval())
    read = model.batch_of({**BATCH, "mask": (IDS == 7).float()})
    explained, (_, penalty) = kernels_of(lambda: model.objective.of_model(backbone, read))
    assert explained == {"math"}
    penalty.backward()
    assert sum(p.grad.abs().sum() for p in backbone.parameters() if p.grad is not None) > 0


def test_perturbation_explainers_train_by_first_derivatives(backbone):
    loss = ConsensusLoss().explain_with(SHAP)
    found, (_, penalty) = kernels_of(lambda: loss.of_model(backbone.eval(), BATCH))
    assert found == {"fused"}
    penalty.backward()
    assert sum(p.grad.abs().sum() for p in backbone.parameters() if p.grad is not None) > 0


def test_of_two_kinds_of_explainers_only_one_pays(backbone):
    embedded = TokenMasker(pad_token_id=0)
    explainers = [Gradient(), KernelShap(8, seed=0, masker=embedded)]
    with Attention() as attention:
        explain(
            backbone,
            backbone.embed(IDS),
            BATCH["labels"],
            explainers,
            forward_kwargs={"attention_mask": BATCH["attention_mask"]},
            masker_kwargs={"input_ids": IDS},
            create_graph=True,
        )
    assert attention.math == 1
    assert attention.fused >= 1


@pytest.mark.parametrize("guard", [torch.no_grad, torch.inference_mode])
def test_validation_and_prediction_are_fused(backbone, guard):
    model = PEAR(backbone, explainers=PAIR).eval()
    model.log = model.log_dict = lambda *args, **kwargs: None
    with guard():
        batch = {name: each * 1 for name, each in BATCH.items()}
        model.validation_explainers = nn.ModuleDict(PAIR)
        assert kernels_of(lambda: model.predict_step(batch, 0))[0] == {"fused"}
        read = model.batch_of(batch)
        assert kernels_of(lambda: model._explain(read, PAIR))[0] == {"fused"}


def test_explanations_that_train_nothing_are_fused(backbone):
    found, _ = kernels_of(lambda: explain(
        backbone, backbone.embed(IDS), BATCH["labels"], PAIR,
        forward_kwargs={"attention_mask": BATCH["attention_mask"]}))  # fmt: skip
    assert found == {"fused"}


def test_faithfulness_is_fused(backbone):
    backbone.eval()
    kwargs = {"forward_kwargs": {"attention_mask": BATCH["attention_mask"]}}
    suite = FaithfulnessSuite(TOKENS, ["random"], n_steps=3, n_subsets=4)
    update = lambda: suite.update(  # noqa: E731
        backbone, IDS, {"random": torch.rand(2, 5)}, BATCH["labels"], **kwargs
    )
    assert kernels_of(update)[0] == {"fused"}
    sensitivity = MaxSensitivity(Gradient(), n_samples=2)
    embeddings = backbone.embed(IDS).detach()
    update = lambda: sensitivity.update(backbone, embeddings, BATCH["labels"], **kwargs)  # noqa: E731
    assert kernels_of(update)[0] == {"fused"}


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 2)
        self.seen = []

    def forward(self, inputs):
        self.seen.append(torch.backends.cudnn.enabled)
        return self.head(self.body(inputs)[0][:, -1])


@pytest.mark.parametrize(
    ("explainers", "trains", "cudnn"),
    [
        ([Gradient()], True, {False}),
        ([Gradient()], False, {False}),  # no derivative in eval mode
        ([KernelShap(4, seed=0)], True, {False}),
        ([KernelShap(4, seed=0)], False, {True}),
    ],
)
def test_cudnn_of_recurrent_layers(explainers, trains, cudnn):
    model, inputs = Recurrent(), torch.rand(2, 5, 3)
    explain(model, inputs, 1, explainers, create_graph=trains)
    assert set(model.seen) == cudnn
    assert torch.backends.cudnn.enabled


@pytest.mark.gpu
def test_perturbation_explainers_train_recurrent_layers_on_a_gpu():
    model, inputs = Recurrent().cuda(), torch.rand(2, 5, 3).cuda()
    _, (attributions,) = explain(model, inputs, 1, [KernelShap(8, seed=0)], create_graph=True)
    attributions.square().sum().backward()
    assert model.body.weight_hh_l0.grad.abs().sum() > 0


def test_the_context_ends():
    with differentiable_kernels(Recurrent()):
        assert not torch.backends.cudnn.enabled
        assert not torch.backends.cuda.flash_sdp_enabled()
    assert torch.backends.cudnn.enabled
    assert torch.backends.cuda.flash_sdp_enabled()
