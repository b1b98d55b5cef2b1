"""The output of a layer of the explained model, as a vector for each feature."""

from math import prod

import torch
from torch import Tensor, nn

from pear_lightning.masking.bound_masker import BoundMasker
from pear_lightning.scoring.layer_gradients import named_layer
from pear_lightning.scoring.layer_output import layer_output_at
from pear_lightning.scoring.scorer import Scorer

_CHANNELS_FIRST = (
    nn.Conv1d,
    nn.Conv2d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.GroupNorm,
    nn.MaxPool1d,
    nn.MaxPool2d,
    nn.AvgPool1d,
    nn.AvgPool2d,
)
_CHANNELS_LAST = (nn.Linear, nn.Embedding, nn.LayerNorm, nn.RMSNorm, nn.MultiheadAttention)


def hidden_features(layer: str, scorer: Scorer, bound: BoundMasker) -> Tensor:
    """Return the mean of a layer's output over the places of each feature, ``(B, n, d)``.

    One evaluation of the model. The output of the layer is one of

    - a vector for each sample, ``(B, d)``, which every feature gets;
    - tokens, ``(B, T, d)``, of which the last ones (the first are a class token and registers)
      stand for the columns, for the tokens of a text, or for the patches of an image; or
      ``(B, d, T)`` with one token for each of the inputs (a ``Conv1d``). The types of the layer and
      of the layers in it tell which of the two it is, or the dimension that has one entry for each
      of the inputs;
    - a map, ``(B, d, h, w)``, or ``(B, h, w, d)`` if only this has the aspect ratio of the images,
      or if both have and the types say so.

    Args:
        layer: Name of the layer in the model, as in ``named_modules``.
        scorer: The scorer that calls the model.
        bound: The features of the scorer's samples.

    Returns:
        In float32 or better, without graph; 0 for features that a sample does not have.

    Raises:
        TypeError: If the layer does not return one tensor.
        ValueError: If the model has no such layer, does not call it exactly once, or its output has
            another shape, or ``(B, T, T)`` and nothing tells which dimension holds the tokens.
    """
    output = layer_output_at(scorer, bound.inputs, layer)
    places = _places(bound)
    channels_first = _channels_first(named_layer(scorer, layer))
    vectors, grid = _vectors(layer, output, len(bound.inputs), places, channels_first)
    return _weights(bound, places, grid).to(vectors) @ vectors


def _places(bound: BoundMasker) -> tuple[int, ...]:
    """Return the shape of the inputs without samples and channels."""
    shape = list(bound.inputs.shape)
    if bound.channel_dim is not None and len(shape) > 2:
        del shape[bound.channel_dim]
    return tuple(shape[1:])


def _channels_first(layer: nn.Module) -> bool | None:
    """Return the order of dimensions by the types of a layer and its parts; None if they differ."""
    parts = list(layer.modules())
    first = any(isinstance(part, _CHANNELS_FIRST) for part in parts)
    last = any(isinstance(part, _CHANNELS_LAST) for part in parts)
    return None if first == last else first


def _vectors(
    layer: str,
    output: Tensor,
    rows: int,
    places: tuple[int, ...],
    channels_first: bool | None,
) -> tuple[Tensor, tuple[int, ...]]:
    """Return vectors ``(B, cells, d)``, and the shape of the grid of cells."""
    shape = tuple(output.shape)
    if len(output) == rows:
        if output.ndim == 2:
            return output[:, None], (1,) * len(places)
        if output.ndim == 3 and len(places) == 1:
            if channels_first is None and places[0] in shape[1:]:
                channels_first = _only_last_fits(layer, shape, places[0])
            if not channels_first and shape[1] >= places[0]:
                return output[:, -places[0] :], places
            if channels_first is not False and shape[2] == places[0]:
                return output.mT, places
        if output.ndim == 3 and len(places) == 2:
            grid = _grid_of_patches(shape[1], places)
            return output[:, -grid[0] * grid[1] :], grid
        if output.ndim == 4 and len(places) == 2:
            first, last = shape[2:], shape[1:3]
            by_type = channels_first is False
            if _same_aspect(last, places) and (by_type or not _same_aspect(first, places)):
                return output.flatten(1, 2), last
            return output.flatten(2).mT, first
    raise ValueError(
        f"layer {layer!r} must return vectors (B, d), tokens (B, T, d) or a map (B, d, h, w) that "
        f"fit {rows} samples with places {places}, got {shape}"
    )


def _only_last_fits(layer: str, shape: tuple[int, ...], places: int) -> bool:
    """Return whether the last dimension has the size of the inputs, and not the one before."""
    if shape[1] == shape[2]:
        raise ValueError(
            f"layer {layer!r} must have a type that tells tokens (B, T, d) from (B, d, T), as "
            f"nn.Linear and nn.Conv1d have, if it returns both sizes, got {shape} for {places} "
            "places; name the layer before it"
        )
    return shape[2] == places


def _same_aspect(grid: tuple[int, ...], places: tuple[int, ...]) -> bool:
    return grid[0] * places[1] == grid[1] * places[0]


def _grid_of_patches(tokens: int, places: tuple[int, ...]) -> tuple[int, int]:
    """Return rows and columns of the smallest patches that are no more than the tokens."""
    for size in range(1, max(places) + 1):
        grid = (-(-places[0] // size), -(-places[1] // size))
        if grid[0] * grid[1] <= tokens:
            return grid
    raise AssertionError("a patch of the size of the image is one token")


def _weights(bound: BoundMasker, places: tuple[int, ...], grid: tuple[int, ...]) -> Tensor:
    """Return the share of each cell in the elements of each feature, ``(B or 1, n, cells)``."""
    features, n_cells = bound.feature_map, prod(grid)
    cells = torch.zeros(1, dtype=torch.long, device=features.device)
    for dim, (size, parts) in enumerate(zip(places, grid, strict=True)):
        nearest = torch.arange(size, device=features.device) * parts // size
        cells = cells * parts + nearest.view(-1, *(1,) * (len(places) - 1 - dim))
    if len(places) < bound.inputs.ndim - 1:
        cells = cells.unsqueeze(int(bound.channel_dim or 0) % bound.inputs.ndim - 1)
    shape = torch.broadcast_shapes(features.shape, (1, *cells.shape))
    features = features.expand(shape).flatten(1)
    index = features.where(features >= 0, bound.n_features) * n_cells
    index = index + cells.expand(shape[1:]).flatten()
    counts = torch.zeros(len(index), (bound.n_features + 1) * n_cells, device=index.device)
    counts = counts.scatter_add(1, index, torch.ones_like(index, dtype=counts.dtype))
    counts = counts.unflatten(1, (-1, n_cells))[:, :-1]
    weights: Tensor = counts / counts.sum(dim=-1, keepdim=True).clamp(min=1)
    return weights
