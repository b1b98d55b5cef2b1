"""Figures of attributions over images."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import Tensor

from pear_lightning.figures.attribution_scale import Scale, scaled
from pear_lightning.figures.displayed_images import displayed
from pear_lightning.figures.plot_extra import plot_extra
from pear_lightning.figures.style import AS_IT_IS, BLUE, GREY, RED, diverging_colormap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Blend = Literal["alpha", "contour"]
BLENDS: tuple[Blend, ...] = get_args(Blend)

_PANEL = 1.6  # inches
_GAP = 0.06  # between panels, in panel widths
_QUANTILE = 0.99  # of the absolute values of a map: a few pixels may be far above all others
_FADED = 0.72  # darkest grey under the colours; black would hide them
_DARK = 0.4  # mean of grey images that are inverted under the colours, such as digits on black
_LEVELS = (0.35, 0.7)  # of contours, in shares of the scale


def draw_image_attributions(
    images: Tensor,
    attributions: Mapping[str, Tensor],
    labels: Sequence[str],
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    blend: Blend = "alpha",
    scale: Scale = "panel",
) -> "Figure":
    """Draw images and, next to each, its attributions over a pale grey copy.

    Red marks pixels with attributions above zero, blue those below zero; the colour is the denser
    the larger the absolute value. Values above the 99th percentile have the full colour. Copies of
    grey images that are mostly dark, such as digits on black, are inverted.

    Args:
        images: ``(B, C, H, W)`` with one channel or three; of other numbers, the mean over the
            channels is shown.
        attributions: Attributions of each pixel ``(B, H, W)``, by name of the explainer.
        labels: Text at the left of each image; its first line is bold.
        mean: Mean of each channel, if the images were normalised with mean and standard deviation.
        std: Standard deviation of each channel.
        blend: How attributions are drawn: ``"alpha"``, as colours whose opacity is the absolute
            value, or ``"contour"``, as lines at 35 % and 70 % of the scale of the smoothed map.
        scale: What shares a scale: nothing (``"panel"``), the explanations of an image
            (``"sample"``), or all images of an explainer (``"explainer"``).

    Returns:
        The figure, which is not registered with ``pyplot`` and needs no closing.

    Raises:
        ImportError: If matplotlib is missing.
        ValueError: If a shape does not fit, or an option is unknown.

    Example:
        >>> image = torch.rand(1, 1, 8, 8)
        >>> maps = {"gradient": torch.randn(1, 8, 8)}
        >>> figure = draw_image_attributions(image, maps, ["a digit"])
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['input', 'gradient', 'a digit']
    """
    with plot_extra():
        from matplotlib.figure import Figure
    if blend not in BLENDS:
        raise ValueError(f"blend must be one of {BLENDS}, got {blend!r}")
    shown = displayed(images, mean, std)
    rows, height, width = shown.shape[:3]
    for name, each in attributions.items():
        if each.shape != (rows, height, width):
            raise ValueError(
                f"attributions[{name!r}] must be (B, H, W) = {(rows, height, width)}, got "
                f"{tuple(each.shape)}"
            )
    maps = scaled([*attributions.values()], scale, _QUANTILE)
    aspect = height / width
    columns = 1 + len(attributions)
    text_width = _text_width(labels)
    figure_width = _PANEL * columns * (1 + _GAP) + text_width + 0.1
    figure_height = _PANEL * rows * (aspect + _GAP) + 0.75
    figure = Figure(figsize=(figure_width, figure_height))
    ax = figure.add_axes(
        (
            text_width / figure_width,
            0.45 / figure_height,
            1 - (text_width + 0.1) / figure_width,
            1 - 0.75 / figure_height,
        )
    )
    ax.set_axis_off()
    ax.set_xlim(0, columns * (1 + _GAP))
    ax.set_ylim(rows * (aspect + _GAP), 0)
    for column, name in enumerate(["input", *attributions]):
        left = column * (1 + _GAP)
        title = name.replace("_", " ")
        ax.text(left + 0.5, -0.06, title, ha="center", fontsize="small", **AS_IT_IS)
        for row in range(rows):
            top = row * (aspect + _GAP)
            place = (left, left + 1, top + aspect, top)
            if column == 0:
                _show(ax, shown[row], place)
            elif blend == "alpha":
                _show(ax, _blended(shown[row], maps[column - 1, row]), place)
            else:
                _show(ax, _faded(shown[row], 0.0), place)
                _outline(ax, maps[column - 1, row], place)
    for row, label in enumerate(labels):
        top = row * (aspect + _GAP)
        _write_label(ax, label, -0.08, top + aspect / 2)
    _draw_key(figure, text_width / figure_width, figure_height)
    return figure


def _faded(image: Tensor, darkest: float) -> Tensor:
    """Return a grey copy ``(H, W, 3)`` whose black is ``darkest``."""
    weights = torch.tensor([0.299, 0.587, 0.114]) if image.shape[2] == 3 else torch.ones(1)
    grey = (image * weights).sum(dim=2, keepdim=True)
    return (darkest + (1 - darkest) * grey).expand(-1, -1, 3)


def _blended(image: Tensor, attribution: Tensor) -> Tensor:
    """Return an image ``(H, W, 3)`` under the colours of a map ``(H, W)`` between -1 and 1."""
    from matplotlib.colors import to_rgb

    red, blue = torch.tensor(to_rgb(RED)), torch.tensor(to_rgb(BLUE))
    colours = torch.where(attribution[..., None] > 0, red, blue)
    opacity = attribution.abs()[..., None]
    mostly_dark = image.shape[2] == 1 and float(image.mean()) < _DARK
    shade = _faded(1 - image if mostly_dark else image, _FADED)
    return shade * (1 - opacity) + colours * opacity * (0.6 + 0.4 * shade)


def _outline(ax: "Axes", attribution: Tensor, place: tuple[float, float, float, float]) -> None:
    """Draw contours of a map in a panel; ``place`` is left, right, bottom and top."""
    height, width = attribution.shape
    size = 2 * (max(height, width) // 20) + 1
    smooth = attribution[None, None]
    for _ in range(2):  # one box leaves the corners of single pixels
        smooth = torch.nn.functional.avg_pool2d(smooth, size, 1, size // 2, count_include_pad=False)
    smooth = smooth[0, 0] / smooth.abs().max().clamp(min=1e-12)
    left, right, bottom, top = place
    across = torch.linspace(left, right, 2 * width + 1)[1::2]
    down = torch.linspace(top, bottom, 2 * height + 1)[1::2]
    for sign, colour in ((1, RED), (-1, BLUE)):
        signed = sign * smooth
        levels = [level for level in _LEVELS if float(signed.min()) < level < float(signed.max())]
        if levels:
            widths = [0.9, 1.8][-len(levels) :]
            ax.contour(
                across.numpy(),
                down.numpy(),
                signed.numpy(),
                levels=levels,
                colors=colour,
                linewidths=widths,
            )


def _show(ax: "Axes", image: Tensor, place: tuple[float, float, float, float]) -> None:
    values: Any = image.expand(-1, -1, 3).numpy()
    ax.imshow(values, extent=place, aspect="auto", interpolation="nearest")


def _text_width(labels: Sequence[str]) -> float:
    """Return the width of the labels in inches, about."""
    longest = max((len(line) for label in labels for line in label.split("\n")), default=0)
    return 0.25 + 0.068 * longest


def _write_label(ax: "Axes", label: str, x: float, y: float) -> None:
    """Write a label left of x; its first line is bold and the others grey."""
    first, _, rest = label.partition("\n")
    style: dict[str, Any] = {"ha": "right", "fontsize": "small", **AS_IT_IS}
    ax.text(x, y, first, va="bottom" if rest else "center", weight="bold", **style)
    if rest:
        ax.text(x, y, rest, va="top", color=GREY, **style)


def _draw_key(figure: "Figure", left: float, height: float) -> None:
    """Draw the colours of attributions below the panels."""
    key = figure.add_axes((left, 0.2 / height, 1.6 / figure.get_figwidth(), 0.09 / height))
    key.imshow(
        torch.linspace(-1, 1, 129)[None].numpy(),
        cmap=diverging_colormap(),
        aspect="auto",
        extent=(-1, 1, 0, 1),
    )
    key.set_yticks([])
    key.set_xticks([-1, 0, 1], ["−", "0", "+"], fontsize="x-small")
    key.tick_params(length=0, pad=1)
    for spine in key.spines.values():
        spine.set_visible(False)
