import pytest
import torch

from pear_lightning.functional import attribution_share
from pear_lightning.functional.validation import (
    check_attributions,
    check_finite,
    check_same_shape,
    check_share_or_count,
    check_tensor,
    is_traced,
)


def test_sums_that_overflow_are_finite_values() -> None:
    check_finite("x", torch.full((4,), 3e38))
    check_finite("x", torch.full((40,), 6e4, dtype=torch.float16))
    check_finite("x", torch.tensor([1, 2]))
    check_finite("x", torch.empty(0, 3))


def test_infinities_that_cancel_are_found() -> None:
    with pytest.raises(ValueError, match="x must be finite, got 0 NaN and 2 infinite values of 3"):
        check_finite("x", torch.tensor([torch.inf, -torch.inf, 0.0]))


def test_skipped_where_values_cannot_be_looked_at() -> None:
    def checked(x: torch.Tensor) -> torch.Tensor:
        check_finite("x", x)
        assert is_traced(x)
        return x * 2

    x = torch.tensor([1.0, torch.nan])
    torch.func.vmap(checked)(x)
    torch.func.grad(lambda t: checked(t).sum())(x)
    torch.compile(checked, fullgraph=True, backend="eager")(x)
    assert not is_traced(x)


@pytest.mark.parametrize("shape", [(), (3,), (3, 0), (3, 2, 0)])
def test_refuses_attributions_without_features(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"saliency must have shape \(B, n\) .*, got"):
        check_attributions("saliency", torch.zeros(shape))


def test_takes_attributions() -> None:
    check_attributions("saliency", torch.zeros(0, 3))
    check_attributions("saliency", torch.zeros(2, 3, 4, 4).bfloat16())
    with pytest.raises(TypeError, match=r"saliency must be floating-point, got torch\.int64"):
        check_attributions("saliency", torch.zeros(2, 3).long())


@pytest.mark.parametrize("value", [[[0.5, 0.5]], torch.ones(1, 2).numpy(), None])
def test_what_is_no_tensor_is_named(value: object) -> None:
    x = torch.ones(1, 2)
    expected = r"^mask must be a torch\.Tensor, got (list|ndarray|NoneType); give torch\.as_"
    for check in (check_tensor, check_finite, check_attributions):
        with pytest.raises(TypeError, match=expected):
            check("mask", value)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=expected):
        check_same_shape("x", x, "mask", value)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=expected):
        attribution_share(x, value)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"attributions must be a torch\.Tensor"):
        attribution_share(value, x)  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", [None, 1, 7, 0.001, 0.5, 1.0])
def test_shares_and_counts(rows: float | None) -> None:
    check_share_or_count("rows", rows)


@pytest.mark.parametrize("rows", [0.0, -0.5, 1.001, float("nan")])
def test_shares_out_of_range(rows: float) -> None:
    with pytest.raises(ValueError, match=r"rows must lie in \(0, 1\] as a share, got"):
        check_share_or_count("rows", rows)
