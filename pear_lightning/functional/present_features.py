"""Rows in which not every feature is present, such as texts of different lengths in one batch.

Absent entries are replaced so that functions of whole rows give what they give for the present
entries alone.
"""

import torch
from torch import Tensor

from pear_lightning.functional.headroom import with_headroom
from pear_lightning.functional.validation import check_same_shape, looks_at


def check_present(name: str, x: Tensor, present: Tensor) -> None:
    """Raise unless ``present`` is bool, like ``x``, and has a feature in each row.

    Args:
        name: name of ``x`` in error messages.
        x: ``(..., n)``.
        present: what is to be checked.

    Raises:
        TypeError: if ``present`` is not bool.
        ValueError: if it has another shape than ``x``, or a row without features.

    Example:
        >>> check_present("x", torch.zeros(1, 2), torch.tensor([[False, False]]))
        Traceback (most recent call last):
        ...
        ValueError: present must have a feature in every row, got 1 rows without one
    """
    if present.dtype != torch.bool:
        raise TypeError(f"present must be bool, true where an entry counts, got {present.dtype}")
    check_same_shape("present", present, name, x)
    if looks_at(present) and not bool((found := present.any(dim=-1)).all()):
        raise ValueError(
            f"present must have a feature in every row, got {int((~found).sum())} rows without one"
        )


def filled_with_first(x: Tensor, present: Tensor) -> Tensor:
    """Replace absent entries by the first present one, so that a constant row stays constant.

    Args:
        x: ``(..., n)``.
        present: ``(..., n)`` bool, with a true entry in each row.

    Example:
        >>> filled_with_first(torch.tensor([7.0, 5.0, 3.0]), torch.tensor([False, True, True]))
        tensor([5., 5., 3.])
    """
    return torch.where(present, x, x.gather(-1, _first(x, present)))


def filled_with_mean(x: Tensor, present: Tensor) -> Tensor:
    """Shift each row, and replace absent entries by the mean of the present ones.

    They then add nothing to a covariance or a variance, so that correlations of the filled rows are
    those of the present entries. Rows are shifted by their first present entry, a constant to
    autograd, which makes constant rows exactly constant. Rows of very large values are also scaled.

    Args:
        x: ``(..., n)`` floating; absent entries may be any finite numbers.
        present: ``(..., n)`` bool, or broadcasts to that; a row without entries gives zeros.

    Returns:
        ``(..., n)``, differentiable; correlations do not depend on its shift and scale.

    Example:
        >>> filled_with_mean(torch.tensor([9.0, 1.0, 3.0]), torch.tensor([False, True, True]))
        tensor([1., 0., 2.])
    """
    first = _first(x, present)
    x = with_headroom(torch.where(present, x, x.gather(-1, first)))
    shifted = (x - x.detach().gather(-1, first)).masked_fill(~present, 0)
    mean = shifted.sum(dim=-1, keepdim=True) / present.sum(dim=-1, keepdim=True).clamp(min=1)
    return torch.where(present, shifted, mean)


def _first(x: Tensor, present: Tensor) -> Tensor:
    """Return the index of the first present entry of each row, ``(..., 1)``."""
    return present.to(torch.uint8).argmax(dim=-1, keepdim=True).expand(*x.shape[:-1], 1)
