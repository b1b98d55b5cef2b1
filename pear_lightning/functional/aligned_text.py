"""Tables as text."""

from collections.abc import Iterator, Sequence

WIDTH = 100
"""Largest number of characters in a line of a table."""


def aligned_text(rows: Sequence[Sequence[str]], width: int = WIDTH) -> str:
    """Return a table as text: the first column flush left, the others flush right.

    A table that is wider than ``width`` is split into tables of some of the columns, one below the
    other, each with the first column and separated by an empty line.

    Args:
        rows: Cells of each row, the header first; all rows have the same number of cells.
        width: Largest number of characters in a line, unless two columns already need more.

    Raises:
        ValueError: if rows differ in length.

    Example:
        >>> print(aligned_text([["explainer", "DEL"], ["lime", "0.25"], ["gradient", "0.1"]]))
        explainer   DEL
        lime       0.25
        gradient    0.1
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n\n".join(
        "\n".join(
            "  ".join(
                [row[0].ljust(widths[0]), *(row[column].rjust(widths[column]) for column in part)]
            )
            for row in rows
        )
        for part in _parts(widths, width)
    )


def _parts(widths: Sequence[int], width: int) -> Iterator[list[int]]:
    """Distribute the columns after the first over tables, as many as fit into each."""
    part: list[int] = []
    used = widths[0]
    for column, needed in enumerate(widths[1:], start=1):
        if part and used + 2 + needed > width:
            yield part
            part, used = [], widths[0]
        part.append(column)
        used += 2 + needed
    yield part
