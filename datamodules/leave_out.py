"""Advice to leave columns of a table out, as an argument that can be copied."""

from collections.abc import Sequence

_MANY = 20


def leave_out(
    names: Sequence[str], features: Sequence[str], excluded: Sequence[str] | None = ()
) -> str:
    """Return the advice to leave columns out.

    It repeats the columns that are left out already, so that the argument can replace the one that
    was given. With many columns, it names only the argument.

    Args:
        names: The columns to leave out.
        features: All feature columns.
        excluded: Columns that are left out already; None if the argument ``features`` lists the
            features.

    Example:
        >>> leave_out(["signup"], ["age", "signup"], ["customer_id"])
        "leave them out with exclude=['customer_id', 'signup']"
        >>> leave_out(["signup"], ["age", "signup"], None)
        "leave them out with features=['age']"
    """
    if excluded is None:
        argument, values = "features", [name for name in features if name not in set(names)]
    else:
        argument, values = "exclude", [*excluded, *names]
    if len(values) > _MANY:
        return f"leave them out with `{argument}`"
    return f"leave them out with {argument}={values}"


def listing(names: Sequence[str]) -> str:
    """Return a list of names; of many, the first ones and the number of the others.

    Args:
        names: The names.

    Example:
        >>> listing(["a", "b"])
        "['a', 'b']"
        >>> listing([f"x{i}" for i in range(23)]).partition("x18")[2]
        "', 'x19'] and 3 more"
    """
    more = len(names) - _MANY
    return f"{list(names[:_MANY])}" + (f" and {more} more" if more > 0 else "")
