"""Small models that the explainers are tried on, some with known attributions."""

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def mlp(n: int = 6, outputs: int = 3, activation: type[nn.Module] = nn.Softplus) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n, 16), activation(), nn.Linear(16, 16), activation(),
                         nn.Linear(16, outputs))  # fmt: skip


class Quadratic(nn.Module):
    """z_c = Σ_i w_ci x_i^2 + v_c x_0 x_1: gradient and integrated gradients by hand."""

    def __init__(self, n: int = 4, outputs: int = 2) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(outputs, n))
        self.v = nn.Parameter(torch.randn(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return x.square() @ self.w.T + (x[:, 0] * x[:, 1])[:, None] * self.v

    def gradient(self, x: Tensor, c: int) -> Tensor:
        gradient = 2 * x * self.w[c]
        gradient[:, 0] += self.v[c] * x[:, 1]
        gradient[:, 1] += self.v[c] * x[:, 0]
        return gradient


class ConvNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4),
                                  nn.ReLU(inplace=True), nn.Dropout(0.5))  # fmt: skip
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean((2, 3)))


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.body = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        padding = None if mask is None else ~mask
        return self.head(self.body(x, src_key_padding_mask=padding)[:, 0])


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.LSTM(8, 6, batch_first=True, bidirectional=True)
        self.head = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x)[0].mean(1))


class Checkpointed(nn.Module):
    """What torch.func.vjp refuses: gradient checkpointing."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 16), nn.Tanh())
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(checkpoint(self.body, x, use_reentrant=False))


class OldStyleSquare(torch.autograd.Function):
    """What torch.func.vjp refuses: a Function without setup_context."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        return 2 * ctx.saved_tensors[0] * grad


class OldStyle(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(OldStyleSquare.apply(x))


class CountsCalls(nn.Module):
    """What torch.func.vjp refuses: a buffer written in forward."""

    def __init__(self) -> None:
        super().__init__()
        self.head = mlp()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.head(x) + 0 * self.calls
