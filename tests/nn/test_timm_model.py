import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from pear_lightning.explainers import Gradient, IntegratedGradients, KernelShap, explain
from pear_lightning.masking import PatchMasker
from pear_lightning.modules import PEAR, RightForTheRightReasons
from pear_lightning.nn import timm_model
from pear_lightning.nn.timm_model import image_settings
from tests.modules.helpers import quiet_trainer
from tests.scoring.test_kernels import kernels_of

VIT = {"img_size": 16, "patch_size": 8, "depth": 1, "embed_dim": 16, "num_heads": 2}
MODELS = {
    "resnet10t": {"zero_init_last": False},
    "convnext_atto": {"depths": (1, 1, 1, 1), "dims": (8, 8, 16, 16)},
    "efficientnet_lite0": {},
    "vit_tiny_patch16_224": VIT,
    "swin_tiny_patch4_window7_224": {"img_size": 32, "window_size": 4, "embed_dim": 12,
                                     "depths": (1, 1), "num_heads": (2, 2)},
}  # fmt: skip
PAIR = {"gradient": Gradient(), "integrated": IntegratedGradients(2, baseline="zeros")}


def build(name, **options):
    return timm_model(name, num_classes=3, **{**MODELS[name], **options})


def images(name, n=3):
    return torch.rand(n, 3, *[MODELS[name].get("img_size", 32)] * 2)


class BrokenTorchvision(MetaPathFinder, Loader):
    """What `import timm` meets if torchvision was built for another torch."""

    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self) if name == "timm" else None

    def exec_module(self, module):
        raise RuntimeError("operator torchvision::nms does not exist")


@pytest.mark.parametrize("use", [lambda: build("resnet10t"), lambda: image_settings("resnet18")])
def test_a_torchvision_for_another_torch(use, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "timm"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [BrokenTorchvision(), *sys.meta_path])
    expected = r"torch .*, got torchvision .* \(operator torchvision::nms .*pip install torch==2"
    with pytest.raises(ImportError, match=expected):
        use()


def test_without_timm(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ImportError, match=r"pip install 'pear-lightning\[vision\]'"):
        timm_model("resnet18", num_classes=2)


@pytest.mark.vision
@pytest.mark.parametrize("name", MODELS)
class TestModels:
    def test_training_on_explanations_reaches_the_weights(self, name):
        model, inputs = build(name), images(name)
        model.train()
        _, attributions = explain(model, inputs, torch.tensor([0, 1, 2]), PAIR, create_graph=True)
        sum(each.square().sum() for each in attributions.values()).backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        assert all(g.isfinite().all() for g in gradients)
        first = next(p for p in model.parameters() if p.ndim == 4)
        assert first.grad.abs().sum() > 0
        assert model.training

    def test_explanations_do_not_depend_on_the_batch_or_the_memory_format(self, name):
        model, inputs, target = build(name), images(name), torch.tensor([0, 1, 2])
        explained = explain(model, inputs, target, PAIR)[1]["integrated"]
        alone = explain(model, inputs[1:2], target[1:2], PAIR)[1]["integrated"]
        size = explained.abs().max()
        torch.testing.assert_close(explained[1:2] / size, alone / size, rtol=1e-4, atol=1e-5)
        last = inputs.to(memory_format=torch.channels_last)
        model.to(memory_format=torch.channels_last)
        found = explain(model, last, target, PAIR)[1]["integrated"]
        torch.testing.assert_close(explained / size, found / size, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("method", ["pear", "right reasons"])
    def test_gradient_checkpointing_changes_no_gradient(self, name, method):
        batch = (images(name), torch.tensor([0, 1, 2]), torch.zeros(3, 1, *images(name).shape[2:]))
        batch[2][:, :, :4, :4] = 1

        def gradients(**options):
            torch.manual_seed(0)
            backbone = build(name, **options)
            if method == "pear":
                model = PEAR(backbone, 0.5, explainers=PAIR, num_classes=3)
            else:
                model = RightForTheRightReasons(backbone, num_classes=3)
            blocks = [m for m in backbone.modules() if vars(m).get("grad_checkpointing")]
            assert bool(blocks) == bool(options)
            model.training_loss(batch)["loss"].backward()
            assert all(each.grad_checkpointing for each in blocks)
            return {n: p.grad for n, p in backbone.named_parameters() if p.grad is not None}

        wanted, found = gradients(), gradients(gradient_checkpointing=True)
        assert found.keys() == wanted.keys()
        size = max(g.abs().max() for g in wanted.values())
        for each in wanted:
            torch.testing.assert_close(
                found[each] / size, wanted[each] / size, rtol=1e-3, atol=1e-4
            )


@pytest.mark.vision
@pytest.mark.parametrize("name", ["vit_tiny_patch16_224"])
def test_attention_is_fused_unless_a_second_derivative_is_taken(name):
    model, inputs, target = build(name).eval(), images(name), torch.tensor([0, 1, 2])
    shap = {"shap": KernelShap(4, seed=0, masker=PatchMasker(8))}
    assert kernels_of(lambda: model(inputs))[0] == {"fused"}
    assert kernels_of(lambda: explain(model, inputs, target, PAIR))[0] == {"fused"}
    train = lambda explainers: explain(model, inputs, target, explainers, create_graph=True)  # noqa: E731
    assert kernels_of(lambda: train(PAIR))[0] == {"math"}
    assert kernels_of(lambda: train(shap))[0] == {"fused"}


@pytest.mark.vision
class TestParts:
    def test_a_frozen_body(self):
        model = build("resnet10t")
        model.requires_grad_(False)
        model.get_classifier().requires_grad_(True)
        before = {name: each.clone() for name, each in model.state_dict().items()}
        module = PEAR(
            model,
            explainers=PAIR,
            num_classes=3,
            optimizer=lambda p: torch.optim.SGD([q for q in p if q.requires_grad], 0.1),
        )
        inputs, target = images("resnet10t", 8), torch.arange(8) % 3
        rows = DataLoader(TensorDataset(inputs, target), batch_size=4)
        quiet_trainer(max_epochs=1).fit(module, rows)
        changed = {n for n, each in model.state_dict().items() if not torch.equal(each, before[n])}
        weights = {n for n in changed if n in dict(model.named_parameters())}
        assert weights == {"fc.weight", "fc.bias"}

    def test_arguments_reach_timm(self):
        model = timm_model("resnet10t", num_classes=4, in_chans=1, drop_rate=0.25)
        assert model.conv1[0].in_channels == 1
        assert model.num_classes == 4
        assert model.drop_rate == 0.25

    def test_settings_of_images(self):
        settings = image_settings("tf_efficientnet_lite0")
        assert settings["input_size"] == (3, 224, 224)
        assert settings["mean"] == settings["std"] == (0.5, 0.5, 0.5)
        with pytest.raises(ValueError, match=r"model_name must be .*, got 'no_such_model'"):
            image_settings("no_such_model")

    def test_a_wrong_class_count(self):
        inputs, target = images("resnet10t"), torch.tensor([0, 1, 2])
        with pytest.raises(ValueError, match=r"logits \(B, 4\) for num_classes=4, got \(3, 3\)"):
            PEAR(build("resnet10t"), explainers=PAIR, num_classes=4).training_loss((inputs, target))
        with pytest.raises(ValueError, match=r"target must lie in 0..1 \(num_classes=2\)"):
            PEAR(build("resnet10t"), explainers=PAIR).training_loss((inputs, target))


@pytest.mark.vision
@pytest.mark.filterwarnings("ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning")
def test_yaml(tmp_path):
    from lightning.pytorch.cli import LightningArgumentParser

    (tmp_path / "model.yaml").write_text(
        "class_path: pear_lightning.nn.timm_model\n"
        "init_args: {name: vit_tiny_patch16_224, num_classes: 3}\n"
        "dict_kwargs: {img_size: 16, patch_size: 8, depth: 1}\n"
    )
    parser = LightningArgumentParser()
    parser.add_subclass_arguments(nn.Module, "backbone")
    config = parser.parse_args([f"--backbone={tmp_path / 'model.yaml'}"])
    backbone = parser.instantiate_classes(config).backbone
    assert backbone(torch.rand(2, 3, 16, 16)).shape == (2, 3)
