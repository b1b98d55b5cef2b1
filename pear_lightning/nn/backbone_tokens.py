"""Token vectors from any backbone."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from pear_lightning.nn.explainer_tokens import ExplainerTokens


class BackboneTokens(ExplainerTokens):
    """A vector for each feature from a backbone with tokens, of timm or transformers for example.

    The backbone is called by its method ``forward_features`` if it has one (timm), otherwise
    directly. It returns tokens ``(B, T, d)``, of which the last n are used (the first are a class
    token and registers), a map ``(B, d, h, w)`` (CNNs), which is pooled to the grid of the patches,
    or an object with ``last_hidden_state`` (transformers).

    Args:
        backbone: The backbone; trained with the explainer unless its weights are frozen.
        n_tokens: Number of features n; for texts, the largest number of tokens.
        dim: Length d of the backbone's vectors.
        grid: Rows and columns of the patches, for backbones that return maps. ``None`` means a
            square.

    Raises:
        ValueError: When called, if the backbone returns something else, or too few tokens.

    Example:
        >>> cnn = nn.Sequential(nn.Conv2d(1, 8, 3, 2), nn.ReLU())
        >>> import torch
        >>> BackboneTokens(cnn, n_tokens=49, dim=8)(torch.rand(2, 1, 28, 28)).shape
        torch.Size([2, 49, 8])
    """

    def __init__(
        self, backbone: nn.Module, n_tokens: int, dim: int, grid: tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        side = round(n_tokens**0.5)
        if grid is not None and grid[0] * grid[1] != n_tokens:
            raise ValueError(f"grid must have {n_tokens} patches, got {grid}")
        self.backbone, self.n_tokens, self.dim = backbone, n_tokens, dim
        self.grid = (side, side) if grid is None and side * side == n_tokens else grid

    def forward(self, inputs: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return vectors ``(B, n, d)`` of inputs ``(B, *S)``."""
        model: Any = self.backbone
        if attention_mask is not None:
            name = "input_ids" if not inputs.is_floating_point() else "inputs_embeds"
            output = model(**{name: inputs}, attention_mask=attention_mask)
        elif hasattr(model, "forward_features"):
            output = model.forward_features(inputs)
        else:
            output = model(inputs)
        tokens: Any = getattr(output, "last_hidden_state", output)
        if isinstance(tokens, Tensor) and tokens.ndim == 4 and self.grid is not None:
            return F.adaptive_avg_pool2d(tokens, self.grid).flatten(2).mT
        is_text = attention_mask is not None or not inputs.is_floating_point()
        wanted = inputs.shape[1] if is_text else self.n_tokens
        if not isinstance(tokens, Tensor) or tokens.ndim != 3 or tokens.shape[1] < wanted:
            given = tuple(tokens.shape) if isinstance(tokens, Tensor) else type(tokens).__name__
            raise ValueError(
                f"backbone must return tokens (B, T, d) with T >= {wanted}, or a map (B, d, h, w) "
                f"and a grid, got {given}"
            )
        return tokens[:, -wanted:]
