import math
from itertools import product

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from pear_lightning.functional.hashed_random import sample_seeds
from pear_lightning.masking import (
    Baseline,
    Blur,
    FixedBaseline,
    GaussianNoise,
    OwnMean,
    Shuffle,
    UniformNoise,
)
from pear_lightning.masking.baseline_spec import resolve_baseline
from pear_lightning.masking.column_masker import ColumnMasker

DRAWS = torch.arange(3)


def values(baseline, inputs, draws=DRAWS, where=None):
    return baseline.replacements(inputs, sample_seeds(inputs), draws, where)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("zeros", FixedBaseline),
        ("mean", FixedBaseline),
        (0.5, FixedBaseline),
        (2, FixedBaseline),
        (torch.ones(3), FixedBaseline),
        ("own_mean", OwnMean),
        ("blur", Blur),
        ("uniform", UniformNoise),
        ("gaussian", GaussianNoise),
        ("shuffle", Shuffle),
    ],
)
def test_names(spec, expected):
    assert isinstance(resolve_baseline(spec), expected)


def test_a_baseline_is_itself():
    baseline = Blur(2.0)
    assert resolve_baseline(baseline) is baseline


def test_an_unknown_name_is_told_what_there_is():
    with pytest.raises(ValueError, match=r"'zeros', 'mean', 'blur', .*number.*, got 'median'"):
        resolve_baseline("median")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        *product(["zeros", "own_mean", "uniform", "gaussian", "shuffle"], [(3,), (4, 5)]),
        *product(["own_mean", "blur", "uniform", "gaussian", "shuffle"], [(2, 6, 6)]),
    ],
)
def test_an_empty_batch_has_no_values(name, shape):
    inputs = torch.zeros(0, *shape)
    for where in (None, torch.ones(shape, dtype=torch.bool)):
        found = values(resolve_baseline(name), inputs, where=where)
        assert found.expand(len(DRAWS), *inputs.shape).shape == (3, 0, *shape)


class TestFixed:
    def test_one_value_for_all(self):
        inputs = torch.randn(2, 3, 4, 4)
        colour = torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1)
        result = values(FixedBaseline(colour), inputs)
        assert torch.equal(result.expand(3, *inputs.shape), colour.expand(3, 2, 3, 4, 4))

    def test_a_shape_that_does_not_fit(self):
        with pytest.raises(ValueError, match=r"shape of one input, \(4,\)"):
            values(FixedBaseline(torch.ones(3)), torch.randn(2, 4))

    def test_training_mean_is_kept_in_checkpoints(self):
        baseline, fresh = FixedBaseline("mean"), FixedBaseline("mean")
        assert baseline.from_training_data
        baseline.fit(torch.tensor([1.0, 2.0]))
        fresh.load_state_dict(baseline.state_dict())
        assert values(fresh, torch.zeros(1, 2)).tolist() == [[[1, 2]]]


class TestOwnMean:
    def test_of_images_tokens_and_columns(self):
        for shape, dims in [((2, 3, 4, 5), (2, 3)), ((2, 4, 3), 1), ((2, 5), 1)]:
            inputs = torch.randn(shape)
            expected = inputs.mean(dims, keepdim=True)
            assert torch.equal(values(OwnMean(), inputs), expected[None])

    def test_only_where_there_are_features(self):
        inputs = torch.randn(2, 3, 4, 5)
        where = torch.rand(2, 1, 4, 5) < 0.5
        result = values(OwnMean(), inputs, where=where)
        for b in range(2):
            expected = inputs[b][:, where[b, 0]].mean(1)
            torch.testing.assert_close(result[0, b, :, 0, 0], expected)


class TestBlur:
    @staticmethod
    def plain(image, sigma, size):
        """One pixel after another: Gaussian weights, edges reflected."""
        reach = size // 2
        height, width = image.shape
        kernel = torch.tensor([
            [math.exp(-(i * i + j * j) / (2 * sigma**2)) for j in range(-reach, reach + 1)]
            for i in range(-reach, reach + 1)
        ])  # fmt: skip
        padded = F.pad(image[None, None], (reach,) * 4, mode="reflect")[0, 0]
        rows = [
            [(padded[y : y + size, x : x + size] * kernel).sum() for x in range(width)]
            for y in range(height)
        ]
        return torch.tensor(rows) / kernel.sum()

    @pytest.mark.parametrize(("sigma", "size"), [(1.0, 5), (5.0, 3), (0.7, 1)])
    def test_equals_the_plain_one(self, sigma, size):
        images = torch.randn(2, 3, 6, 9)
        result = values(Blur(sigma, size), images)[0]
        for b, c in ((b, c) for b in range(2) for c in range(3)):
            expected = self.plain(images[b, c], sigma, size)
            torch.testing.assert_close(result[b, c], expected, atol=1e-5, rtol=1e-4)

    def test_a_constant_image_stays(self):
        images = torch.full((1, 2, 12, 15), 0.3)
        torch.testing.assert_close(values(Blur(), images)[0], images)

    def test_half_precision_is_blurred_in_float32(self):
        images = torch.randn(1, 2, 12, 15)
        half = values(Blur(), images.bfloat16())
        assert half.dtype == torch.bfloat16
        torch.testing.assert_close(half.float(), values(Blur(), images), atol=0.01, rtol=0.01)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(values(Blur(), images), values(Blur(), images))
            assert values(Blur(), images).dtype == torch.float32

    @pytest.mark.parametrize("shape", [(2, 12, 12), (1, 2, 12, 5), (1, 2, 5, 12)])
    def test_inputs_that_cannot_be_blurred(self, shape):
        with pytest.raises(ValueError, match="larger than 5 pixels"):
            values(Blur(), torch.randn(shape))

    @pytest.mark.parametrize("arguments", [{"sigma": 0.0}, {"kernel_size": 4}, {"kernel_size": 0}])
    def test_bad_arguments(self, arguments):
        with pytest.raises(ValueError, match=next(iter(arguments))):
            Blur(**arguments)


RANDOM = [UniformNoise, GaussianNoise, Shuffle]


@pytest.mark.parametrize("build", RANDOM)
class TestRandom:
    def test_belongs_to_the_sample(self, build):
        inputs = torch.randn(5, 3, 4, 4)
        together = values(build(), inputs)
        alone = [values(build(), inputs[i : i + 1]) for i in range(5)]
        assert torch.equal(together, torch.cat(alone, dim=1))
        order = torch.tensor([3, 1, 4, 0, 2])
        assert torch.equal(values(build(), inputs[order]), together[:, order])

    def test_draws_and_samples_and_seeds_differ(self, build):
        inputs = torch.randn(2, 40)
        result = values(build(), inputs)
        others = [result[1], values(build(seed=1), inputs)[0], values(build(seed=2**40), inputs)[0]]
        assert all(not torch.equal(result[0], other) for other in others)
        assert torch.equal(values(build(), inputs, torch.tensor([1]))[0], result[1])

    def test_torchs_random_state_is_left_alone(self, build):
        state = torch.get_rng_state()
        inputs = torch.ones(2, 6)
        values(build(), inputs)
        assert torch.equal(torch.get_rng_state(), state)

    def test_is_random(self, build):
        assert build().is_random
        assert isinstance(build(), Baseline)


def test_uniform_noise_is_uniform():
    result = values(UniformNoise(-2, 1), torch.randn(4, 5000), torch.arange(5))
    assert result.min() >= -2
    assert result.max() <= 1
    deciles = ((result + 2) / 0.3).long().clamp(max=9)
    shares = deciles.flatten().bincount() / result.numel()
    torch.testing.assert_close(shares, torch.full((10,), 0.1), atol=0.005, rtol=0)


def test_gaussian_noise_is_gaussian():
    result = values(GaussianNoise(1, 2), torch.randn(4, 5000), torch.arange(5))
    assert abs(result.mean() - 1) < 0.02
    assert abs(result.std() - 2) < 0.02
    standard = (result - 1) / 2
    for z, share in [(-1.96, 0.025), (-1, 0.1587), (0, 0.5), (1.96, 0.975)]:
        assert abs((standard < z).float().mean() - share) < 0.01


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: UniformNoise(1, 1), "low must be below high"),
        (lambda: GaussianNoise(std=0), "std must be positive"),
    ],
)
def test_bad_noise(build, message):
    with pytest.raises(ValueError, match=message):
        build()


class TestShuffle:
    @pytest.mark.parametrize("shape", [(2, 6), (2, 5, 3), (2, 3, 4, 2)])
    def test_values_that_belong_together_stay_together(self, shape):
        inputs = torch.randn(shape)
        grouped = inputs.flatten(2).mT if len(shape) == 4 else inputs.reshape(*shape[:2], -1)
        for draw in values(Shuffle(), inputs):
            of_draw = draw.flatten(2).mT if len(shape) == 4 else draw.reshape(*shape[:2], -1)
            for before, after in zip(grouped, of_draw, strict=True):
                assert sorted(before.tolist()) == sorted(after.tolist())

    def test_every_order_is_as_likely(self):
        inputs = torch.tensor([[0.0, 1.0, 2.0]])
        result = values(Shuffle(), inputs, torch.arange(6000))[:, 0]
        code = (result * torch.tensor([9.0, 3.0, 1.0])).sum(1)
        shares = code.unique(return_counts=True)[1] / 6000
        torch.testing.assert_close(shares, torch.full((6,), 1 / 6), atol=0.02, rtol=0)

    def test_only_features_move(self):
        inputs = torch.arange(8.0)[None]
        where = torch.tensor([[False, True, True, False, True, True, False, True]])
        result = values(Shuffle(), inputs, torch.arange(50), where)[:, 0]
        moved = result[:, where[0]]
        assert (moved.sort(dim=1).values == inputs[:, where[0]]).all()
        assert len({tuple(row) for row in moved.tolist()}) > 20


def test_a_fraction_is_no_baseline_of_integers():
    inputs, nothing = torch.ones(2, 3).long(), torch.zeros(2, 1, 3, dtype=torch.bool)
    for baseline in (0.5, torch.tensor([2.7, -2.7, 0.9])):
        with pytest.raises(ValueError, match="baseline must hold integers"):
            ColumnMasker(3, baseline=baseline).bind(inputs).apply(nothing)
    whole = ColumnMasker(3, baseline=2.0).bind(inputs).apply(nothing)
    assert (whole == 2).all()
