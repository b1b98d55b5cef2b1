"""Pictures of explained samples: over images, over tokens, over columns."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from pear_lightning.figures import (
    draw_column_attributions,
    draw_image_attributions,
    draw_token_attributions,
    token_attributions_html,
)
from pear_lightning.figures.tokens import Token
from pear_lightning.masking import Masker
from pear_lightning.reports.explained_samples import ExplainedSamples
from pear_lightning.reports.picture_style import PictureStyle

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Picture(NamedTuple):
    """A picture of explained samples.

    Attributes:
        figure: The figure.
        html: The same as a page, for texts.
    """

    figure: "Figure"
    html: str | None = None


def draw_pictures(groups: Sequence[ExplainedSamples], style: PictureStyle) -> list[Picture]:
    """Draw explained samples: texts in one picture, others in one for each group.

    Args:
        groups: Samples of equal shape each, explained by the same explainers.
        style: How they are drawn.

    Raises:
        ImportError: If matplotlib is missing.
        ValueError: If a shape does not fit the kind of picture.

    Example:
        >>> from pear_lightning.explainers import Gradient
        >>> from pear_lightning.reports.explained_samples import explain_samples
        >>> from pear_lightning.scoring import Batch
        >>> model, batch = torch.nn.Linear(3, 2), Batch(torch.rand(2, 3))
        >>> samples = explain_samples(model, batch, [4, 9], {"gradient": Gradient()})
        >>> (picture,) = draw_pictures([samples], PictureStyle())
        >>> len(picture.figure.axes)
        2
    """
    groups = [each.cpu() for each in groups]
    kind = style.kind_of(groups[0].batch)
    if kind == "tokens":
        return [_draw_tokens(groups, style)]
    draw = _draw_images if kind == "image" else _draw_columns
    return [Picture(draw(each, style)) for each in groups]


def _draw_images(samples: ExplainedSamples, style: PictureStyle) -> "Figure":
    inputs = samples.batch.inputs
    shape = (len(inputs), *(style.image_shape or inputs.shape[1:]))
    images = inputs.reshape(shape) if len(shape) == 4 else inputs[:, None]
    if images.ndim != 4:
        raise ValueError(
            f"inputs must be images (B, C, H, W) or (B, H, W) for kind='image', got "
            f"{tuple(inputs.shape)}; give image_shape=(C, H, W) for rows"
        )
    return draw_image_attributions(
        images,
        {name: each.reshape(images.shape[0], -1, *images.shape[2:]).sum(dim=1)
         for name, each in spread_over_pixels(samples, style.masker).items()},
        style.labels_of(samples),
        mean=style.mean,
        std=style.std,
        blend=style.blend,
        scale=style.scale,
    )  # fmt: skip


def spread_over_pixels(samples: ExplainedSamples, masker: Masker | None) -> Mapping[str, Tensor]:
    """Return attributions ``(B, 1, H, W)`` in which every pixel has the value of its feature.

    Args:
        samples: Images.
        masker: Defines the features; ``None`` returns the attributions unchanged.
    """
    if masker is None:
        return samples.attributions
    batch = samples.batch
    bound = masker.bind(batch.inputs, batch.sample_data)
    index = bound.feature_map.expand(len(batch), *bound.feature_map.shape[1:])
    index = index.where(index >= 0, bound.n_features)
    spread = {}
    for name, each in samples.attributions.items():
        saliency = torch.nn.functional.pad(bound.pool(each), (0, 1))
        spread[name] = saliency.gather(1, index.flatten(1)).view(index.shape)
    return spread


def _draw_columns(samples: ExplainedSamples, style: PictureStyle) -> "Figure":
    inputs = samples.batch.inputs
    saliency, _ = style.pooled(samples)
    n = next(iter(saliency.values())).shape[1]
    return draw_column_attributions(
        style.names_of_features("columns", n),
        saliency,
        style.labels_of(samples),
        # a group of columns has no single value
        values=inputs.flatten(1) if inputs[0].numel() == n else None,
        top=style.top,
        scale=style.scale,
    )


def _draw_tokens(groups: Sequence[ExplainedSamples], style: PictureStyle) -> Picture:
    texts: list[list[Token]] = []
    labels: list[str] = []
    attributions: dict[str, list[Tensor]] = {name: [] for name in groups[0].attributions}
    for samples in groups:
        found = style.tokens(samples)
        labels += style.labels_of(samples)
        texts += [tokens for tokens, _ in found]
        for name, saliency in style.pooled(samples)[0].items():
            attributions[name] += [row[at] for row, (_, at) in zip(saliency, found, strict=True)]
    return Picture(
        draw_token_attributions(texts, attributions, labels, scale=style.scale),
        token_attributions_html(texts, attributions, labels, scale=style.scale),
    )
