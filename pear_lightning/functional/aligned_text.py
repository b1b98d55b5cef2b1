"""Tables as text."""

from collections.abc import Sequence


def aligned_text(rows: Sequence[Sequence[str]]) -> str:
    """Return a table as text: the first column flush left, the others flush right.

    Args:
        rows: Cells of each row, the header first; all rows have the same number of cells.

    Raises:
        ValueError: if rows differ in length.

    Example:
        >>> print(aligned_text([["explainer", "DEL"], ["lime", "0.25"], ["gradient", "0.1"]]))
        explainer   DEL
        lime       0.25
        gradient    0.1
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )
