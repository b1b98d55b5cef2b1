"""Both ways to differentiate a model at its query points give the same explanations."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from pear_lightning.explainers import Gradient, IntegratedGradients, Occlusion, SmoothGrad, explain
from pear_lightning.losses import ConsensusLoss, RightReasonsLoss
from pear_lightning.nn import MLP, RecurrentClassifier, SmallCNN
from pear_lightning.scoring import gradients


def _softplus_mlp() -> tuple[nn.Module, Tensor]:
    return MLP(5, 3, activation="softplus", normalization="batch"), torch.randn(6, 5)


def _cnn() -> tuple[nn.Module, Tensor]:
    return SmallCNN(1, 3), torch.randn(6, 1, 8, 8)


class _Shifted(nn.Module):
    """Explains inputs that carry a graph to weights of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.shift, self.body = nn.Parameter(torch.zeros(4)), MLP(4, 3, activation="gelu")

    def forward(self, inputs: Tensor) -> Tensor:
        return self.body(inputs)


def _shifted() -> tuple[nn.Module, Tensor]:
    model = _Shifted()
    return model, torch.randn(6, 4) + model.shift


NETWORKS = {"mlp": _softplus_mlp, "cnn": _cnn, "inputs with a graph": _shifted}


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return NETWORKS[request.param]()


def _trained(model: nn.Module, inputs: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    explainers = [Gradient(), IntegratedGradients(3), SmoothGrad(2)]
    torch.manual_seed(1)  # of the noise
    target = torch.arange(len(inputs)) % 3
    logits, attributions = explain(
        model, inputs, target, explainers, output="centered_logit", create_graph=True
    )
    loss = logits.square().mean() + ConsensusLoss()(*attributions)
    weights = [each for each in model.parameters() if each.requires_grad]
    found = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
    return logits, attributions, [each for each in found if each is not None]


def test_values_and_gradients_are_the_same(
    network: tuple[nn.Module, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = []
    for taken in ("_by_vjp", "_by_autograd"):
        monkeypatch.setattr(gradients, "_SMALL", 0 if taken == "_by_vjp" else 2**13)
        other = "_by_autograd" if taken == "_by_vjp" else "_by_vjp"
        with monkeypatch.context() as patch:
            patch.setattr(gradients, other, None)  # calling it would fail
            routes.append(_trained(*network))
    for left, right in zip(*routes, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-6)
    assert routes[0][2]


def test_recurrent_networks_train_on_either_route(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = RecurrentClassifier(20, 3, embedding_size=4, hidden_size=5)
    embedded = model.embed(torch.randint(20, (6, 7)))
    found = []
    for small in (0, 2**13):
        monkeypatch.setattr(gradients, "_SMALL", small)
        found.append(_trained(model, embedded.detach()))
    for left, right in zip(*found, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-6)


def test_explanations_can_be_transformed() -> None:
    """Inside torch.func, which autograd cannot enter, few numbers take the other route."""
    model, inputs = MLP(4, 2, activation="softplus"), torch.randn(3, 4)

    def size(inputs: Tensor) -> Tensor:
        _, (gradient,) = explain(model, inputs, 1, [Gradient()], create_graph=True)
        return gradient.square().sum()

    leaf = inputs.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(size(leaf), leaf)
    torch.testing.assert_close(torch.func.grad(size)(inputs), wanted)


class _Encoded(nn.Module):
    """A head on an encoder, and four ways to freeze the encoder."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.encoder, self.head = how, nn.Linear(4, 8), nn.Linear(8, 3)
        self.encoder.requires_grad_(how != "weights")

    def forward(self, inputs: Tensor) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.how != "no_grad"):
            encoded = self.encoder(inputs).tanh()
        if self.how == "numpy":
            encoded = torch.from_numpy(encoded.detach().numpy())
        return self.head(encoded.detach() if self.how == "detach" else encoded)


@pytest.mark.filterwarnings("ignore:torch.func.vjp cannot differentiate")  # numpy
@pytest.mark.parametrize("how", ["no_grad", "detach", "numpy"])
@pytest.mark.parametrize("small", [0, 2**13])
def test_a_model_without_a_graph_to_its_inputs_is_refused(
    how: str, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradients, "_SMALL", small)
    model, inputs = _Encoded(how), torch.rand(5, 4)
    explainers = [Gradient(), IntegratedGradients(3)]
    for create_graph in (False, True):
        with pytest.raises(ValueError, match=r"without a graph to the inputs; remove .*no_grad"):
            explain(model, inputs, 0, explainers, create_graph=create_graph)
    with torch.inference_mode(), pytest.raises(ValueError, match="without a graph to the inputs"):
        explain(model, inputs, 0, explainers)
    batch = (inputs, torch.zeros(5, dtype=torch.long), torch.ones(5, 4))
    with pytest.raises(ValueError, match="without a graph to the inputs"):
        RightReasonsLoss().of_model(model, batch)
    assert explain(model, inputs, 0, [Occlusion()])[1][0].any()


@pytest.mark.parametrize("small", [0, 2**13])
def test_a_model_whose_gradient_is_zero_is_explained(
    small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradients, "_SMALL", small)
    inputs = torch.rand(5, 4)
    dead = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    nn.init.constant_(dead[0].bias, -100)

    def constant(inputs: Tensor) -> Tensor:
        return 1 + 0 * inputs[:, :3]

    def without_graph(inputs: Tensor) -> Tensor:
        return inputs.new_ones(len(inputs), 3)

    for model in (dead, constant, without_graph):
        for create_graph in (False, True):
            _, (found,) = explain(model, inputs, 0, [Gradient()], create_graph=create_graph)
            assert not found.any()


def test_frozen_weights_need_no_graph_of_their_own() -> None:
    model, inputs = _Encoded("weights").requires_grad_(False), torch.rand(5, 4)
    for create_graph in (False, True):
        assert explain(model, inputs, 0, [Gradient()], create_graph=create_graph)[1][0].any()


class _WithCompiledPart(nn.Module):
    """A part of the network is compiled: layers, or a function."""

    def __init__(self, how: str | None) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(4, 8), nn.Linear(8, 3)
        self.activation = torch.tanh
        if how == "layer":
            self.first = torch.compile(self.first, backend="aot_eager")
        elif how == "function":
            self.activation = torch.compile(lambda x: x.tanh(), backend="aot_eager")

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.activation(self.first(inputs)))


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # torch's compiler calls what torch deprecated
@pytest.mark.filterwarnings("ignore:The .grad attribute")  # which the compiler reads
@pytest.mark.parametrize("how", ["layer", "function"])
def test_models_with_compiled_parts_train_on_either_route(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.compiler.reset()
    plain, model = _WithCompiledPart(None), _WithCompiledPart(how)
    for own, other in zip(model.parameters(), plain.parameters(), strict=True):
        own.data.copy_(other.data)
    inputs = torch.rand(5, 4)
    model(inputs).sum().backward()  # compiled, as in the task loss

    def trained(network: nn.Module) -> tuple[Tensor, ...]:
        _, (found,) = explain(network, inputs, 0, [Gradient()], create_graph=True)
        return torch.autograd.grad(found.square().sum(), list(network.parameters())[:3])

    for small in (2**13, 0):
        monkeypatch.setattr(gradients, "_SMALL", small)
        torch.testing.assert_close(trained(model), trained(plain))
    torch.testing.assert_close(model(inputs), plain(inputs))


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # torch's compiler calls what torch deprecated
def test_compiled_parts_stay_compiled() -> None:
    torch.compiler.reset()
    passes = []

    def backend(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable[..., object]:
        def run(*inputs: Tensor) -> object:
            passes.append(graph)
            return graph.forward(*inputs)

        return run

    model, inputs = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)), torch.rand(5, 4)
    model[1] = torch.compile(model[1], backend=backend)
    with torch.no_grad():
        for create_graph in (False, True):
            explain(model, inputs, 0, [Gradient()], create_graph=create_graph)
            assert not passes
        model(inputs)
    assert passes


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit")  # torch's compiler calls what torch deprecated
@pytest.mark.filterwarnings("ignore:The .grad attribute")  # which the compiler reads
def test_a_compiled_loss_refuses_it_too() -> None:
    torch.compiler.reset()
    batch = (torch.rand(5, 4), torch.zeros(5, dtype=torch.long), torch.ones(5, 4))
    compiled = torch.compile(RightReasonsLoss().of_model, backend="aot_eager")
    compiled(_Encoded("weights"), batch)
    with pytest.raises(ValueError, match="without a graph to the inputs"):
        compiled(_Encoded("detach"), batch)
