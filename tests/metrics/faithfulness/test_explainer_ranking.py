import sys

import matplotlib as mpl
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pear_lightning.masking import ColumnMasker
from pear_lightning.metrics import FaithfulnessSuite
from pear_lightning.metrics.faithfulness.explainer_ranking import ExplainerRanking, _percentiles
from tests.reference.mean_rank import bootstrap, mean_ranks

NAMES = ["gradient", "lime", "shap", "random"]
DIRECTIONS = {"deletion": False, "insertion": True, "infidelity": False}


def scores(n_samples: int = 60, spread: float = 0.3) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(3, 4, n_samples, generator=generator)
    hard = torch.randn(3, 1, n_samples, generator=generator)  # samples that are hard for all
    better = spread * torch.tensor([3.0, 2.0, 1.5, 0.0])[:, None]
    values = noise + hard
    return {
        name: value + (better if higher else -better)
        for (name, higher), value in zip(DIRECTIONS.items(), values, strict=True)
    }


def as_numpy(values: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: each.double().numpy() for name, each in values.items()}


def test_mean_rank_is_the_plain_formula():
    ranking = ExplainerRanking.from_scores(scores(), NAMES, DIRECTIONS)
    expected = mean_ranks(as_numpy(scores()), DIRECTIONS)
    torch.testing.assert_close(ranking.mean_rank, torch.from_numpy(expected))
    torch.testing.assert_close(ranking.means[0], scores()["deletion"].double().mean(dim=1))


def test_direction_turns_the_ranks_around():
    turned = {name: not higher for name, higher in DIRECTIONS.items()}
    ranking = ExplainerRanking.from_scores(scores(), NAMES, DIRECTIONS)
    other = ExplainerRanking.from_scores(scores(), NAMES, turned)
    assert torch.equal(other.ranks, 5 - ranking.ranks)
    assert ranking.order[-1] == other.order[0] == NAMES.index("random")


def test_intervals_are_those_of_a_bootstrap_written_out():
    ranking = ExplainerRanking.from_scores(scores(), NAMES, DIRECTIONS, n_resamples=4000)
    drawn = bootstrap(as_numpy(scores()), DIRECTIONS, 4000, seed=1)
    ends = np.quantile(drawn, [0.025, 0.975], axis=0).T
    # mean ranks over three metrics are multiples of a third
    np.testing.assert_allclose(ranking.interval.numpy(), ends, atol=0.34)
    assert abs(ranking.interval.numpy() - ends).mean() < 0.1


@pytest.mark.parametrize(("level", "ends"), [(0.9, (5, 94)), (0.99, (0, 99)), (0.5, (25, 74))])
def test_as_many_draws_lie_below_an_interval_as_above(level, ends):
    drawn = torch.randperm(100).double()[:, None]
    assert [each.item() for each in _percentiles(drawn, level)] == list(ends)
    assert [each.item() for each in _percentiles(drawn[:1], level)] == [drawn[0].item()] * 2


def test_more_samples_make_narrower_intervals_and_fewer_ties():
    few = ExplainerRanking.from_scores(scores(20), NAMES, DIRECTIONS)
    many = ExplainerRanking.from_scores(scores(5000), NAMES, DIRECTIONS)
    width = [(each.interval[:, 1] - each.interval[:, 0]).mean() for each in (few, many)]
    assert width[1] < width[0]
    assert many.tied.sum() < few.tied.sum()
    assert torch.equal(many.tied, torch.eye(4, dtype=torch.bool))


def test_equal_explanations_share_ranks_and_are_tied():
    values = {name: torch.cat([each, each[:1]]) for name, each in scores().items()}
    ranking = ExplainerRanking.from_scores(values, [*NAMES, "copy"], DIRECTIONS)
    assert torch.equal(ranking.ranks[:, 0], ranking.ranks[:, 4])
    assert torch.equal(ranking.interval[0], ranking.interval[4])
    assert "copy" in ranking.tied_with("gradient")
    assert "gradient" in ranking.tied_with("copy")
    values = {"deletion": torch.tensor([[0.1, 0.3], [0.1, 0.3], [0.8, 0.9], [0.1, 0.3]])}
    ranking = ExplainerRanking.from_scores(values, [*"abcd"], {"deletion": False})
    rows = [line.split("  ") for line in ranking.to_table().splitlines()[1:5]]
    found = {row[0]: [each.strip() for each in row if each.strip()][3] for row in rows}
    assert found == {"a": "2-3", "b": "1, 3", "d": "1-2", "c": "4"}  # c: its rank by deletion


def test_a_metric_that_tells_nothing_apart_moves_nobody():
    values = {**scores(), "constant": torch.full((4, 60), 0.5)}
    ranking = ExplainerRanking.from_scores(values, NAMES, {**DIRECTIONS, "constant": True})
    without = ExplainerRanking.from_scores(scores(), NAMES, DIRECTIONS)
    assert ranking.ranks[3].tolist() == [2.5] * 4
    assert ranking.order == without.order
    assert ranking.metric_correlation()[3].tolist() == [0, 0, 0, 0]


def test_the_seed_decides_the_intervals_and_nothing_else_does():
    first, again, other = (
        ExplainerRanking.from_scores(scores(), NAMES, DIRECTIONS, n_resamples=3, seed=seed)
        for seed in (0, 0, 1)
    )
    state = torch.random.get_rng_state()
    ExplainerRanking.from_scores(scores(), NAMES, DIRECTIONS)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first.interval, again.interval)
    assert torch.equal(first.mean_rank, other.mean_rank)
    assert not torch.equal(first.interval, other.interval)


def test_order_of_samples_and_of_explainers_does_not_matter():
    ranking = ExplainerRanking.from_scores(scores(), NAMES, DIRECTIONS)
    turned = {name: each.flip(0, 1) for name, each in scores().items()}
    other = ExplainerRanking.from_scores(turned, NAMES[::-1], DIRECTIONS)
    assert torch.equal(other.mean_rank.flip(0), ranking.mean_rank)


def test_metric_correlation_reads_each_metric_in_its_direction():
    deletion = scores()["deletion"]
    values = {"deletion": deletion, "insertion": 1 - deletion, "infidelity": -deletion}
    correlation = ExplainerRanking.from_scores(values, NAMES, DIRECTIONS).metric_correlation()
    expected = torch.tensor([[1, 1, -1], [1, 1, -1], [-1, -1, 1]], dtype=torch.float64)
    torch.testing.assert_close(correlation, expected)


def test_table_lists_the_best_first_with_directions_and_ties():
    ranking = ExplainerRanking.from_scores(
        scores(), NAMES, DIRECTIONS, n_resamples=500, confidence_level=0.9
    )
    table, _, legend = ranking.to_table().partition("\n\n")
    header, *lines = table.splitlines()
    assert legend.startswith("DEL deletion, INS insertion, INF infidelity; ↑ higher is better")
    assert len({len(line) for line in [header, *lines]}) == 1
    assert "90 % interval" in header
    assert header.split()[-3:] == ["DEL↓", "INS↑", "INF↓"]
    assert [line.split()[0] for line in lines] == [NAMES[e] for e in ranking.order]
    assert f"{ranking.means[0, ranking.order[0]]:.4f}" in ranking.to_table("means").splitlines()[1]
    with pytest.raises(ValueError, match="'ranks' or 'means'"):
        ranking.to_table("median")
    with pytest.raises(ValueError, match="must be one of"):
        ranking.tied_with("nobody")


def test_plot_shows_every_explainer_and_rank():
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    ranking = ExplainerRanking.from_scores(scores(), NAMES, DIRECTIONS, n_resamples=200)
    figure, (left, right) = ranking.plot(controls=["random"])
    labels = {label.get_text(): label.get_color() for label in left.get_yticklabels()}
    assert list(labels) == [NAMES[e] for e in ranking.order]
    assert labels["random"] != labels["gradient"]
    shown = [text.get_text() for text in right.texts]
    assert shown == [f"{rank:g}" for rank in ranking.ranks[:, ranking.order].T.flatten().tolist()]
    again, _ = ranking.plot(figure.subplots(1, 2))
    assert again is figure
    plt.close(figure)


def test_plot_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    ranking = ExplainerRanking.from_scores(scores(), NAMES, DIRECTIONS, n_resamples=10)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pear-lightning\[plot\]"):
        ranking.plot()


@pytest.mark.parametrize(
    ("change", "names", "options", "message"),
    [
        ({"deletion": torch.rand(3, 60)}, NAMES, {}, r"\(4, N\)"),
        ({"deletion": torch.rand(4, 59)}, NAMES, {}, "same for every metric"),
        ({"deletion": torch.rand(4)}, NAMES, {}, r"\(4, N\)"),
        ({"deletion": torch.full((4, 60), torch.nan)}, NAMES, {}, r"scores\['deletion'\]"),
        (
            {"unknown": torch.rand(4, 60)},
            NAMES,
            {},
            r"the direction of each metric, got none of \['unknown'\]",
        ),
        ({}, ["a", "a", "b", "c"], {}, "different names"),
        ({}, NAMES, {"n_resamples": 0}, "n_resamples"),
        ({}, NAMES, {"confidence_level": 95}, "confidence_level"),
    ],
)
def test_bad_scores_are_refused(change, names, options, message):
    with pytest.raises(ValueError, match=message):
        ExplainerRanking.from_scores({**scores(), **change}, names, DIRECTIONS, **options)
    with pytest.raises(TypeError, match="floating"):
        ExplainerRanking.from_scores({"a": torch.ones(1, 2).long()}, ["x"], {"a": True})
    with pytest.raises(ValueError, match="at least one metric"):
        ExplainerRanking.from_scores({}, ["x"], {})


def test_the_table_of_the_ten_metrics_fits_into_100_columns():
    names = [f"an explainer of a long name {n}" for n in range(12)]
    suite = FaithfulnessSuite(ColumnMasker(4), names)
    values = {name: torch.rand(12, 5) for name in suite.metrics}
    ranking = ExplainerRanking.from_scores(values, names, suite.directions, n_resamples=50)
    suite.update(nn.Linear(4, 2), torch.rand(2, 4), {name: torch.rand(2, 4) for name in names})
    for table in (ranking.to_table(), ranking.to_table("means"), suite.to_table()):
        assert max(map(len, table.splitlines())) <= 100
        legend = table.split("\n\n")[-1].replace("\n", " ")
        for meaning in ("FC faithfulness correlation", "MC monotonicity correlation", "↓ lower"):
            assert meaning in legend
