"""The colours of all figures, and how they write names."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

BLUE = "#2a6fb0"
"""The subject of a figure."""

GREY = "#777777"
"""Controls that the subject is compared with."""

PALE_GREY = "0.85"
"""Lines without a name."""

RED = "#c9452c"
"""Attributions above zero. Red and blue are told apart with any common colour vision deficiency."""

COLORMAP = "viridis"
"""Values from low (dark) to high (light)."""

REVERSED_COLORMAP = "viridis_r"
"""Values from low (light) to high (dark), where low is better."""


AS_IT_IS: dict[str, Any] = {"parse_math": False}
"""Arguments of all texts that are names or labels of the user, whose dollar signs are no formulas.
"""


def diverging_colormap() -> "Colormap":
    """Return the colours of attributions: blue below zero, white at zero, red above zero."""
    from matplotlib.colors import LinearSegmentedColormap

    # an odd number has a middle, which is white
    return LinearSegmentedColormap.from_list("attribution", [BLUE, "white", RED], N=257)


def text_colour(on_dark: bool) -> str:
    """Return the colour of text on a cell of a heat map.

    Args:
        on_dark: Whether the cell is dark.

    Example:
        >>> text_colour(on_dark=True)
        'white'
    """
    return "white" if on_dark else "black"
