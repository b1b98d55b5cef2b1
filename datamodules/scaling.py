"""Scalers by name."""

from typing import Any, Literal

Scaling = Literal["minmax", "standard", "quantile", "none"]
QuantileOutput = Literal["normal", "uniform"]


def make_scaler(
    scaling: Scaling, rows: int, quantile_output: QuantileOutput = "normal", seed: int = 0
) -> Any:
    """Return an unfitted scikit-learn scaler, or None for ``"none"``.

    Args:
        scaling: ``"minmax"`` (to [0, 1]), ``"standard"`` (mean 0, standard deviation 1),
            ``"quantile"`` (ranks, mapped to ``quantile_output``) or ``"none"``.
        rows: Number of rows for fitting, which bounds the number of quantiles.
        quantile_output: Distribution of the values after ``"quantile"``.
        seed: Seed for the rows that ``"quantile"`` samples from a long table.

    Raises:
        ValueError: If a name is unknown.

    Example:
        >>> make_scaler("minmax", rows=2).fit_transform([[1.0], [3.0]]).ravel().tolist()
        [0.0, 1.0]
    """
    if quantile_output not in ("normal", "uniform"):
        raise ValueError(f"quantile_output must be 'normal' or 'uniform', got {quantile_output!r}")
    from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, StandardScaler

    match scaling:
        case "minmax":
            return MinMaxScaler()
        case "standard":
            return StandardScaler()
        case "quantile":
            return QuantileTransformer(
                n_quantiles=min(1000, rows), output_distribution=quantile_output, random_state=seed
            )
        case "none":
            return None
    raise ValueError(f"scaling must be 'minmax', 'standard', 'quantile' or 'none', got {scaling!r}")
