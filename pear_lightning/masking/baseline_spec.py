"""Baselines by name."""

from typing import Literal

from pear_lightning.masking.baseline import Baseline
from pear_lightning.masking.blur import Blur
from pear_lightning.masking.fixed_baseline import FixedBaseline, FixedSpec
from pear_lightning.masking.noise import GaussianNoise, UniformNoise
from pear_lightning.masking.own_mean import OwnMean
from pear_lightning.masking.shuffle import Shuffle

BaselineSpec = FixedSpec | Literal["own_mean", "blur", "uniform", "gaussian", "shuffle"] | Baseline
"""A name, a number, a tensor ``(*S)``, or a baseline object."""

_NAMED: dict[str, type[Baseline]] = {
    "blur": Blur,
    "gaussian": GaussianNoise,
    "own_mean": OwnMean,
    "shuffle": Shuffle,
    "uniform": UniformNoise,
}


def resolve_baseline(spec: BaselineSpec) -> Baseline:
    """Return the baseline given by a specification.

    Args:
        spec: ``"zeros"``, ``"mean"``, ``"own_mean"``, ``"blur"``, ``"uniform"``, ``"gaussian"``,
            ``"shuffle"``, a number, a tensor ``(*S)``, or a baseline.

    Raises:
        ValueError: If the name is unknown, or a value is NaN or Inf.

    Example:
        >>> resolve_baseline("uniform")
        UniformNoise(low=0.0, high=1.0)
    """
    if isinstance(spec, Baseline):
        return spec
    if not isinstance(spec, str) or spec == "zeros" or spec == "mean":
        return FixedBaseline(spec)
    if spec not in _NAMED:
        raise ValueError(
            f"baseline must be 'zeros', 'mean', {', '.join(map(repr, _NAMED))}, a number, a tensor "
            f"or a Baseline, got {spec!r}"
        )
    return _NAMED[spec]()
