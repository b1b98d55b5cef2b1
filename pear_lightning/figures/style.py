"""The colours of all figures."""

BLUE = "#2a6fb0"
"""The subject of a figure."""

GREY = "#777777"
"""Controls that the subject is compared with."""

PALE_GREY = "0.85"
"""Lines without a name."""

COLORMAP = "viridis"
"""Values from low (dark) to high (light)."""

REVERSED_COLORMAP = "viridis_r"
"""Values from low (light) to high (dark), where low is better."""


def text_colour(on_dark: bool) -> str:
    """Return the colour of text on a cell of a heat map.

    Args:
        on_dark: Whether the cell is dark.

    Example:
        >>> text_colour(on_dark=True)
        'white'
    """
    return "white" if on_dark else "black"
