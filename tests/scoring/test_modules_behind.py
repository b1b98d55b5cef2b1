"""Callables that are no modules themselves are explained in eval mode, too."""

import functools
import weakref
from collections import deque
from typing import Any

import pytest
import torch
from torch import nn

from pear_lightning.explainers import Gradient, Occlusion, explain
from pear_lightning.masking import ColumnMasker
from pear_lightning.metrics import Deletion
from pear_lightning.scoring import Batch, BernoulliLaw
from pear_lightning.scoring.modules_behind import modules_behind
from pear_lightning.scoring.removals import remove_subsets


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2)
    )


GLOBAL = network()


def by_global_name(x: torch.Tensor) -> torch.Tensor:
    return GLOBAL(x)


def by_inner_function(x: torch.Tensor) -> torch.Tensor:
    return (lambda z: by_global_name(z))(x)


class Wrapper:
    def __init__(self, net: nn.Module) -> None:
        self.net = net

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)

    def function(self) -> Any:
        return lambda x: self.net(x)


class OfGlobal:
    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return GLOBAL(x)


class Holder:
    """Has a module as an attribute of the class."""

    net: nn.Module


def by_class_attribute(net: nn.Module) -> Any:
    class Own(Holder):
        pass

    Own.net = net
    return lambda z: Own.net(z)


def by_class_of_an_object(net: nn.Module) -> Any:
    class Own(Holder):
        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x)

    Own.net = net
    return Own()


def apply(net: Any, x: torch.Tensor) -> torch.Tensor:
    return net(x)


def apply_weak(net: Any, x: torch.Tensor) -> torch.Tensor:
    return net()(x)


CALLABLES = {
    "lambda": lambda net: lambda z: net(z),
    "default argument": lambda net: lambda z, f=net: f(z),
    "keyword": lambda net: functools.partial(lambda z, *, f=None: f(z), f=net),
    "partial of a function": lambda net: functools.partial(apply, net),
    "partial of a partial": lambda net: functools.partial(functools.partial(apply), net),
    "list": lambda net: lambda z, nets=[net]: sum(each(z) for each in nets),
    "dictionary": lambda net: lambda z, nets={"one": net}: nets["one"](z),
    "deque": lambda net: lambda z, nets=deque([net]): nets[0](z),
    "weak reference": lambda net: functools.partial(apply_weak, weakref.ref(net)),
    "class attribute": by_class_attribute,
    "attribute of an object's class": by_class_of_an_object,
    "callable object": Wrapper,
    "method": lambda net: Wrapper(net).logits,
    "closure over an object": lambda net: Wrapper(net).function(),
    "method of a module": lambda net: net.forward,
    "wrapped function": lambda net: functools.wraps(net.forward)(lambda z: net(z)),
    "composition": lambda net: (lambda inner: lambda z: inner(z).flip(1))(lambda z: net(z)),
}


@pytest.mark.parametrize("name", CALLABLES)
def test_no_dropout_and_no_statistics(name: str) -> None:
    net, x = network().train(), torch.randn(16, 6)
    forward = CALLABLES[name](net)
    assert modules_behind(forward) == [net]
    before = {key: value.clone() for key, value in net.state_dict().items()}
    explainers = [Gradient(), Occlusion()]
    _, once = explain(forward, x, 0, explainers)
    _, again = explain(forward, x, 0, explainers)
    torch.testing.assert_close(once, again, rtol=0, atol=0)
    deletion = Deletion(ColumnMasker(6))
    torch.testing.assert_close(
        deletion.score(forward, x, once[0], 0), deletion.score(forward, x, once[0], 0)
    )
    torch.testing.assert_close(net.state_dict(), before, rtol=0, atol=0)
    laws = [(BernoulliLaw(), 5)]
    one, other = (
        remove_subsets(forward, Batch(x), ColumnMasker(6).bind(x), laws).logits for _ in range(2)
    )
    torch.testing.assert_close(one, other, rtol=0, atol=0)
    torch.testing.assert_close(net.state_dict(), before, rtol=0, atol=0)
    assert all(each.training for each in net.modules())
    _, wanted = explain(
        net.eval() if name != "composition" else lambda z: net(z).flip(1), x, 0, explainers
    )
    torch.testing.assert_close(once, wanted)


def test_global_names() -> None:
    for forward in (by_global_name, by_inner_function, OfGlobal(), lambda z: GLOBAL(z)):
        assert modules_behind(forward) == [GLOBAL]


@pytest.mark.parametrize("wrap", [torch.no_grad(), torch.inference_mode()])
def test_wrapped_modules(wrap: Any) -> None:
    net, x = network().train(), torch.randn(4, 6)
    forward = wrap(net)
    assert modules_behind(forward) == [net]
    first, again = (explain(forward, x, 0, [Occlusion()])[1][0] for _ in range(2))
    torch.testing.assert_close(first, again)


def test_outermost_modules_once() -> None:
    one, other = network(), nn.Linear(6, 2)
    forward = lambda z: one(z) + one[4](one[:4](z)) + other(z)  # noqa: E731
    assert {id(each) for each in modules_behind(forward)} == {id(one), id(other)}


def test_functions_of_tensors_alone() -> None:
    weight = torch.randn(6, 2)
    assert modules_behind(lambda z: nn.functional.softplus(z @ weight)) == []
    assert modules_behind(torch.sum) == []
    data: list[Any] = [weight]
    data.append(data)  # refers to itself
    assert modules_behind(lambda z: z @ data[0]) == []
