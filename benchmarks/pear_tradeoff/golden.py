"""Numbers of an earlier, independent implementation of the paper's protocol, to compare with.

Plain PyTorch without this library, the same files and settings, explainers checked against Captum.
Agreements are with the test rows scaled by their own statistics, as the paper's code does.
"""

from typing import NamedTuple


class Golden(NamedTuple):
    """Means over seeds; accuracies in %, PRA = pairwise rank agreement."""

    seeds: int
    accuracy_own: float
    accuracy_train: float
    grad_intgrad: float
    lime_shap: float
    smoothgrad_lime: float
    shap_grad: float
    untrained: float | None
    fvu: float


GOLDEN: dict[tuple[str, str], Golden] = {
    ("bank", "paper λ=0"): Golden(3, 78.44, 79.50, 0.885, 0.530, 0.457, 0.718, 0.611, 0.227),
    ("bank", "paper λ=0.25"): Golden(1, 78.34, 79.55, 0.959, 0.557, 0.479, 0.637, 0.633, 0.161),
    ("bank", "paper λ=0.5"): Golden(3, 77.91, 79.14, 0.978, 0.575, 0.528, 0.720, 0.665, 0.177),
    ("bank", "paper λ=0.75"): Golden(1, 77.62, 79.13, 0.991, 0.577, 0.577, 0.604, 0.672, 0.125),
    ("california", "paper λ=0"): Golden(3, 84.54, 85.79, 0.886, 0.735, 0.544, 0.656, 0.633, 0.255),
    ("california", "paper λ=0.25"): Golden(
        1, 82.34, 83.27, 0.950, 0.801, 0.778, 0.809, 0.828, 0.147
    ),
    ("california", "paper λ=0.5"): Golden(
        2, 83.30, 83.74, 0.975, 0.769, 0.736, 0.793, 0.794, 0.127
    ),
    ("california", "paper λ=0.75"): Golden(
        1, 82.36, 82.23, 0.987, 0.814, 0.804, 0.783, 0.839, 0.080
    ),
    ("california", "ablation μ=0"): Golden(
        2, 84.11, 86.23, 0.887, 0.731, 0.614, 0.678, 0.653, 0.289
    ),
    ("california", "ablation μ=0.5"): Golden(
        2, 83.43, 83.86, 0.974, 0.793, 0.757, 0.798, 0.818, 0.129
    ),
    ("california", "ablation μ=1"): Golden(
        2, 83.02, 83.20, 0.973, 0.796, 0.791, 0.791, 0.827, 0.124
    ),
    ("electricity", "paper λ=0"): Golden(3, 78.39, 78.55, 0.798, 0.622, 0.583, 0.623, 0.626, 0.245),
    ("electricity", "paper λ=0.25"): Golden(
        1, 77.81, 78.10, 0.919, 0.626, 0.813, 0.778, 0.767, 0.207
    ),
    ("electricity", "paper λ=0.5"): Golden(
        2, 78.25, 78.34, 0.917, 0.695, 0.794, 0.814, 0.789, 0.198
    ),
    ("electricity", "paper λ=0.75"): Golden(
        1, 76.91, 77.04, 0.978, 0.682, 0.752, 0.689, 0.736, 0.134
    ),
}
"""By data set and name of the setting."""
