import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pear_lightning.functional import max_sensitivity
from tests.reference import faithfulness as reference


@given(st.integers(0, 10**6), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_equals_the_definition(seed: int, draws: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    inputs = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    noise = 0.1 * torch.randn(4, draws, 3, generator=generator, dtype=torch.float64)

    def explain(x: torch.Tensor) -> torch.Tensor:
        return (x @ weight).tanh() * x

    result = max_sensitivity(explain(inputs), explain(inputs[:, None] + noise))
    expected = [
        reference.max_sensitivity(
            lambda x: explain(torch.tensor(x, dtype=torch.float64)).tolist(),
            x.tolist(),
            deltas.tolist(),
        )
        for x, deltas in zip(inputs, noise, strict=True)
    ]
    assert result.values.tolist() == pytest.approx(expected)
    assert not result.undefined.any()


def test_images_and_their_flat_form() -> None:
    a, perturbed = torch.randn(2, 3, 4, 4), torch.randn(2, 5, 3, 4, 4)
    torch.testing.assert_close(
        max_sensitivity(a, perturbed), max_sensitivity(a.flatten(1), perturbed.flatten(2))
    )


def test_scale_of_the_explanation_does_not_matter() -> None:
    a, perturbed = torch.randn(2, 8), torch.randn(2, 5, 8)
    expected = max_sensitivity(a, perturbed).values
    for scale in (1e-30, 1e30):
        torch.testing.assert_close(max_sensitivity(a * scale, perturbed * scale).values, expected)
    assert max_sensitivity(a, a[:, None]).values.tolist() == [0, 0]


def test_an_explanation_of_zeros_is_undefined() -> None:
    result = max_sensitivity(torch.zeros(1, 3), torch.ones(1, 2, 3))
    assert result.undefined.all()
    assert result.values == 0


def test_precision() -> None:
    a, perturbed = torch.randn(2, 8).bfloat16(), torch.randn(2, 5, 8).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = max_sensitivity(a, perturbed).values
    assert result.dtype == torch.float32
    torch.testing.assert_close(
        result, max_sensitivity(a.double(), perturbed.double()).values.float()
    )


def test_errors_name_the_argument() -> None:
    a, perturbed = torch.randn(2, 8), torch.randn(2, 5, 8)
    with pytest.raises(ValueError, match="attributions must be finite, got 16 NaN"):
        max_sensitivity(a * torch.nan, perturbed)
    with pytest.raises(ValueError, match="perturbed must be finite, got 80 NaN"):
        max_sensitivity(a, perturbed * torch.nan)
    for wrong in (perturbed[:1], perturbed[:, 0], perturbed[:, :0], perturbed[..., :4]):
        with pytest.raises(ValueError, match=r"must have shapes \(B, \*S\) and \(B, N, \*S\)"):
            max_sensitivity(a, wrong)
    with pytest.raises(TypeError, match="perturbed must be floating-point"):
        max_sensitivity(a, perturbed.long())
