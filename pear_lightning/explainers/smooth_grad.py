"""SmoothGrad."""

from torch import Tensor

from pear_lightning.explainers.base import GradientExplainer, Query
from pear_lightning.functional.random_draws import random_draws
from pear_lightning.functional.validation import check_count
from pear_lightning.masking.fixed_baseline import FixedBaseline, FixedSpec


class SmoothGrad(GradientExplainer):
    r"""Mean gradient at noisy copies of the input.

    .. math:: a = \frac{1}{K} \sum_k \nabla f(x + \sigma \varepsilon_k),
              \qquad \varepsilon_k \sim N(0, I)

    Args:
        n_samples: Number of noisy copies K.
        noise_std: σ, in units of the inputs. It determines what is explained: .1 on inputs in
            [0, 1] smooths locally, 1.0 (Captum's default, used by the PEAR paper) averages far
            outside the data.
        multiply_by_inputs: Whether to multiply the mean gradient by ``x - b``, which makes it a
            contribution relative to the baseline.
        baseline: ``b``: ``"zeros"``, ``"mean"``, a number, or a tensor ``(*S)``. Used only with
            ``multiply_by_inputs``.
        seed: Seed of noise shared by all samples and calls. ``None`` draws new noise for each
            sample from torch's global generator.

    Raises:
        ValueError: If ``n_samples < 1`` or ``noise_std < 0``.

    Shapes:
        - inputs: ``(B, *S)``
        - attributions: ``(B, *S)``

    Example:
        >>> import torch
        >>> from pear_lightning.explainers import explain
        >>> model = torch.nn.Linear(3, 2)  # its gradient is the same everywhere
        >>> _, (attributions,) = explain(model, torch.rand(4, 3), 1, [SmoothGrad(noise_std=0.1)])
        >>> bool(torch.allclose(attributions, model.weight[1].expand(4, 3), atol=1e-6))
        True

    References:
        Smilkov, Thorat, Kim, Viégas, Wattenberg, *SmoothGrad: removing noise by adding noise*,
        2017, arXiv 1706.03825, section 3.
    """

    def __init__(
        self,
        n_samples: int = 10,
        noise_std: float = 0.1,
        *,
        multiply_by_inputs: bool = False,
        baseline: FixedSpec = "zeros",
        seed: int | None = None,
    ) -> None:
        super().__init__()
        check_count("n_samples", n_samples)
        if not noise_std >= 0:
            raise ValueError(f"noise_std must not be negative, got {noise_std}")
        self.n_samples = n_samples
        self.noise_std = noise_std
        self.multiply_by_inputs = multiply_by_inputs
        self.baseline = FixedBaseline(baseline)
        self.seed = seed
        self.stochastic = seed is None

    def query(self, inputs: Tensor) -> Query:
        """Return noisy copies of the inputs as query points.

        Args:
            inputs: Inputs, ``(B, *S)``.
        """
        noise = random_draws("normal", self.n_samples, inputs, inputs.shape[1:], self.seed)
        weights: Tensor | float = 1 / self.n_samples
        if self.multiply_by_inputs:
            weights = (inputs - self.baseline(inputs))[None] / self.n_samples
        return Query(points=inputs + self.noise_std * noise, weights=weights)

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return (
            f"n_samples={self.n_samples}, noise_std={self.noise_std}, "
            f"multiply_by_inputs={self.multiply_by_inputs}, seed={self.seed}"
        )
