import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn

from pear_lightning.explainers import GradCAM, Gradient, explain
from tests.ddp import run_distributed
from tests.reference import class_activation as reference


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(4, 3, 3, padding=1), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Flatten(),
        nn.Linear(48, 3),
    )  # fmt: skip


def images(n=5):
    return torch.rand(n, 2, 8, 8), torch.randint(3, (n,))


def maps(model, x, y, layer, **options):
    return explain(model, x, y, [GradCAM(layer, resize=False, **options)], create_graph=True)[1][0]


@pytest.mark.parametrize("layer", ["0", "3", "4", "5"])
def test_captum_has_the_same_maps(layer):
    model, (x, y) = network().eval(), images()
    wanted = LayerGradCam(model, model.get_submodule(layer)).attribute(x, target=y)
    if layer in "04":  # the layer after it writes to what Captum looks at
        model[2].inplace = model[5].inplace = False
        wanted = LayerGradCam(model, model.get_submodule(layer)).attribute(x, target=y)
        model[2].inplace = model[5].inplace = True
    torch.testing.assert_close(maps(model, x, y, layer, relu=False), wanted.detach())
    torch.testing.assert_close(maps(model, x, y, layer), wanted.detach().relu())


def test_the_formula_and_its_gradients_to_the_weights():
    model, (x, y) = network().double().eval(), images()
    x = x.double()
    found = maps(model, x, y, "5", relu=False)
    wanted = torch.stack([
        reference.grad_cam(model[:6], model[6:], x_n, y_n) for x_n, y_n in zip(x, y, strict=True)
    ])[:, None]  # fmt: skip
    torch.testing.assert_close(found, wanted)
    weights = [model[0].weight, model[4].weight, model[8].weight]
    gradients = torch.autograd.grad(found.square().sum(), weights)
    torch.testing.assert_close(gradients, torch.autograd.grad(wanted.square().sum(), weights))
    assert all(gradient.any() for gradient in gradients)


def test_second_derivatives():
    class Smooth(nn.Module):
        def __init__(self, weight, head):
            super().__init__()
            self.convolution = nn.Identity()
            self.weights = (weight, head)

        def forward(self, x):
            weight, head = self.weights
            features = self.convolution(torch.tanh(nn.functional.conv2d(x, weight)))
            return (features.flatten(1) @ head).square()

    x, y = torch.rand(2, 1, 3, 3).double(), torch.tensor([0, 1])
    weight = torch.randn(2, 1, 2, 2).double().requires_grad_()
    head = torch.randn(8, 2).double().requires_grad_()

    def found(weight, head):
        return maps(Smooth(weight, head), x, y, "convolution", relu=False)

    assert torch.autograd.gradcheck(found, (weight, head))
    assert torch.autograd.gradgradcheck(found, (weight, head))


def test_it_is_resized_to_the_inputs_beside_other_explainers():
    model, (x, y) = network(), images()
    flags = [module.training for module in model.modules()]
    logits, found = explain(
        model, x, y, {"gradient": Gradient(), "cam": GradCAM("5")}, create_graph=True
    )
    assert [module.training for module in model.modules()] == flags
    assert found["cam"].shape == x.shape
    coarse = maps(model, x, y, "5")
    wanted = nn.functional.interpolate(coarse, (8, 8), mode="bilinear").expand_as(x)
    torch.testing.assert_close(found["cam"], wanted)
    torch.testing.assert_close(logits, model.eval()(x))
    assert not model[5]._forward_hooks


def test_batch_independence():
    model, (x, y) = network(), images()
    each = torch.cat([maps(model, x[[n]], y[[n]], "4") for n in range(5)])
    torch.testing.assert_close(maps(model, x, y, "4"), each)


def test_inference_mode_no_grad_frozen_weights_and_bfloat16():
    model, (x, y) = network(), images()
    wanted = maps(model, x, y, "4").detach()
    with torch.inference_mode():
        torch.testing.assert_close(maps(model, x.clone(), y.clone(), "4"), wanted)
    with torch.no_grad():
        found = maps(model, x, y, "4")
    assert not found.requires_grad
    torch.testing.assert_close(found, wanted)
    with torch.autocast("cpu", torch.bfloat16):
        low = maps(model, x, y, "4")
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, wanted, rtol=0.1, atol=0.01)
    torch.testing.assert_close(maps(model.requires_grad_(False), x, y, "4"), wanted)


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # torch's compiler calls what torch deprecated
@pytest.mark.filterwarnings("ignore:The .grad attribute")  # which the compiler reads
def test_compiled_layers_after_it_can_be_trained():
    torch.compiler.reset()
    model, (x, y) = network().eval(), images()
    compiled = nn.Sequential(*model[:5], torch.compile(model[5:], backend="aot_eager"))
    compiled(x).sum().backward()
    wanted, found = (
        torch.autograd.grad(maps(each, x, y, "4").square().sum(), model[8].weight)
        for each in (model, compiled)
    )
    torch.testing.assert_close(found, wanted)


def test_sequences_have_maps_too():
    model = nn.Sequential(nn.Conv1d(2, 4, 3), nn.Flatten(), nn.Linear(24, 3))
    x, y = torch.rand(3, 2, 8), torch.randint(3, (3,))
    assert maps(model, x, y, "0").shape == (3, 1, 6)
    assert explain(model, x, y, [GradCAM("0")])[1][0].shape == x.shape


def gradients_of_rank(rank, world_size):
    model, (x, y) = network(), images(4)
    step = model if world_size == 1 else nn.parallel.DistributedDataParallel(model)
    for _ in range(2):
        model.zero_grad()
        logits, (found,) = explain(
            step, x[rank::world_size], y[rank::world_size], [GradCAM("4")], create_graph=True
        )
        loss = nn.functional.cross_entropy(logits, y[rank::world_size])
        (loss + found.square().sum() * world_size / len(x)).backward()
    return [parameter.grad for parameter in model.parameters()]


@pytest.mark.slow
@pytest.mark.ddp
def test_two_ranks_have_the_gradients_of_one():
    torch.manual_seed(1)
    for of_rank in run_distributed(seeded_gradients_of_rank):
        torch.testing.assert_close(of_rank, seeded_gradients_of_rank(0, 1), rtol=1e-4, atol=1e-6)


def seeded_gradients_of_rank(rank, world_size):
    torch.manual_seed(1)
    return gradients_of_rank(rank, world_size)


def test_what_cannot_be_explained_says_why():
    model, (x, y) = network(), images()
    with pytest.raises(ValueError, match=r"'0', '1', '2'.*, got 'layer4'"):
        maps(model, x, y, "layer4")
    with pytest.raises(ValueError, match="which has no layers, got 'layer4'"):
        maps(lambda inputs: inputs.flatten(1), x, y, "layer4")
    with pytest.raises(ValueError, match="name of a layer"):
        GradCAM("")
    with pytest.raises(ValueError, match=r"'8' must return channels and positions.*\(5, 3\)"):
        maps(model, x, y, "8")
    shared = nn.Conv2d(2, 2, 3, padding=1)
    twice = nn.Sequential(shared, shared, nn.Flatten(), nn.Linear(128, 3))
    with pytest.raises(ValueError, match=r"layer '0' must be called once .*, got 2 calls"):
        maps(twice, x, y, "0")
    assert not shared._forward_hooks

    def without_graph(inputs):
        return model[1:](model[0](inputs).detach())

    without_graph.__self__ = model
    for create_graph in (False, True):
        with pytest.raises(ValueError, match="without a graph to the output of layer '0'"):
            explain(without_graph, x, y, [GradCAM("0")], create_graph=create_graph)

    def aside(inputs):
        model[4](inputs.new_zeros(1, 4, 8, 8))
        return inputs.flatten(1)

    aside.__self__ = model
    for create_graph in (False, True):  # what the output ignores has a gradient
        _, (found,) = explain(aside, x[:1], y[:1], [GradCAM("4")], create_graph=create_graph)
        assert not found.any()

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.head = nn.GRU(16, 4, batch_first=True), nn.Linear(4, 3)

        def forward(self, inputs):
            return self.head(self.rnn(inputs.flatten(2))[0][:, -1])

    with pytest.raises(TypeError, match="'rnn' must return one tensor"):
        maps(Recurrent(), torch.rand(5, 2, 4, 4), y, "rnn")
    flat = nn.Sequential(nn.Unflatten(1, (1, 4, 4)), nn.Conv2d(1, 2, 3), nn.Flatten(),
                         nn.Linear(8, 3))  # fmt: skip
    with pytest.raises(ValueError, match=r"inputs must have 2 spatial dimensions.* got \(5, 16\)"):
        explain(flat, torch.rand(5, 16), y, [GradCAM("1")])
    assert "layer='5'" in repr(GradCAM("5"))
