"""Where explanations look, one sample and one feature after another."""

from collections.abc import Sequence
from typing import Any

Row = Sequence[float]
Marks = Sequence[bool]


def share_inside(row: Row, marks: Marks) -> float | None:
    """Share of the absolute attribution inside a mask; None where it has no value."""
    total = sum(abs(value) for value in row)
    if total == 0 or not any(marks):
        return None
    return sum(abs(value) for value, mark in zip(row, marks, strict=True) if mark) / total


def share_outside(row: Row, marks: Marks) -> float | None:
    """Share of the absolute attribution outside a mask."""
    inside = share_inside(row, marks)
    return None if inside is None else 1 - inside


def mass_accuracy(row: Row, marks: Marks) -> float | None:
    """Share of the positive attribution inside a region."""
    positive = [max(value, 0.0) for value in row]
    return share_inside(positive, marks)


def hit(row: Row, marks: Marks) -> float | None:
    """Whether the largest attribution lies inside; the mean over ties."""
    if len(set(row)) == 1 or not any(marks):
        return None
    largest = [mark for value, mark in zip(row, marks, strict=True) if value == max(row)]
    return sum(largest) / len(largest)


def rank_accuracy(row: Row, marks: Marks) -> float | None:
    """Share of the K largest inside; the mean over all orders of ties, one by one."""
    if len(set(row)) == 1 or not any(marks):
        return None
    k = sum(marks)
    edge = sorted(row, reverse=True)[k - 1]
    sure = [mark for value, mark in zip(row, marks, strict=True) if value > edge]
    tied = [mark for value, mark in zip(row, marks, strict=True) if value == edge]
    return (sum(sure) + (k - len(sure)) * sum(tied) / len(tied)) / k


def wrong_reason(rows: Sequence[Row], masks: Sequence[Marks], threshold: Any = None) -> Any:
    """WR in two passes: score, threshold and number of samples dropped."""
    images = []
    dropped = 0
    for row, marks in zip(rows, masks, strict=True):
        positive = [max(value, 0.0) for value in row]
        low, high = min(positive), max(positive)
        if high == low or not any(marks):
            dropped += 1
            continue
        images.append(([(value - low) / (high - low) for value in positive], marks))
    if threshold is None:
        threshold = sum(sum(image) / len(image) for image, _ in images) / len(images)
    scores = []
    for image, marks in images:
        lit = [value > threshold for value, mark in zip(image, marks, strict=True) if mark]
        scores.append(sum(lit) / len(lit))
    return sum(scores) / len(scores), threshold, dropped
