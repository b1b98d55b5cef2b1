"""What a checkpoint says of the rows of its fit, compared with those of another run."""

from collections.abc import Mapping
from typing import Any

from lightning.pytorch.utilities import rank_zero_warn

_OF_SPLITS = ("seed", "val_fraction", "test_fraction")


def check_target(fitted: Mapping[str, Any], target: str) -> None:
    """Raise if rows are read with another target than that of the fit.

    Args:
        fitted: State of the fit; empty without a checkpoint or its target.
        target: Name of the target column of this run.

    Raises:
        ValueError: If the names differ.

    Example:
        >>> check_target({"target": "churned"}, "target")
        Traceback (most recent call last):
        ValueError: target must be 'churned', that of the fit of the checkpoint, got 'target'
    """
    expected = fitted.get("target", target)
    if expected != target:
        raise ValueError(
            f"target must be {expected!r}, that of the fit of the checkpoint, got {target!r}"
        )


def warn_of_other_splits(
    fitted: Mapping[str, Any], now: Mapping[str, Any], *, own_test_rows: bool
) -> None:
    """Warn if rows are split otherwise than in the fit, so that it may have seen the test rows.

    Args:
        fitted: State of the fit; empty without a checkpoint.
        now: ``seed``, ``val_fraction``, ``test_fraction`` and ``n_train``, the number of training
            rows, of this run.
        own_test_rows: Whether test rows come from a separate table, so that no training row is
            among them, and ``test_fraction`` is not used.
    """
    names = [name for name in _OF_SPLITS if name != "test_fraction" or not own_test_rows]
    if not now["val_fraction"]:  # held out from the training rows, so the test rows are the same
        names.remove("val_fraction")
    held_out = [name for name in names[1:] if now[name] or fitted.get(name)]
    if not held_out:
        names = []  # the seed splits nothing
    other = [name for name in names if fitted.get(name, now[name]) != now[name]]
    same_share = fitted.get("val_fraction") == now["val_fraction"]
    rows = fitted.get("n_train") if same_share and not own_test_rows else None
    found = [f"{name}={fitted[name]!r}, now {now[name]!r}" for name in other]
    if not other and rows is not None and rows != now["n_train"]:
        found = [f"{rows} training rows, now {now['n_train']}"]
    if found:
        advice = ", ".join(f"{name}={fitted[name]!r}" for name in other) or "the same table"
        rank_zero_warn(
            "the rows should be split as in the fit of the checkpoint, or training rows of the fit "
            f"can be among those that are tested; the fit had {'; '.join(found)}; give {advice}"
        )
