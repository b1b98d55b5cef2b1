import pickle

import matplotlib as mpl
import pytest
import torch
from torch import Tensor

from pear_lightning.functional.agreement import AGREEMENT_NAMES, chance_level
from pear_lightning.metrics import AgreementMatrix, CommonShare
from tests.functional.test_agreement import measure

NAMES = ["gradient", "lime", "shap", "random"]


def explanations(seed: int, size: int = 6, n: int = 8) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(size, n, generator=generator).round(decimals=1) for name in NAMES}


@pytest.fixture
def matrix() -> AgreementMatrix:
    matrix = AgreementMatrix(NAMES, k=3)
    for seed in range(3):
        second = {name: explanations(seed + 10)[name] for name in ("lime", "random")}
        matrix.update(explanations(seed), repeats=second)
    return matrix


def test_every_pair_equals_the_metric_alone(matrix: AgreementMatrix) -> None:
    result = matrix.compute()
    assert tuple(result) == AGREEMENT_NAMES == matrix.metric_names
    for metric, values in result.items():
        assert values.dtype == torch.float32
        assert torch.equal(values, values.t())
        for i, a in enumerate(NAMES):
            for j, b in enumerate(NAMES):
                if i == j and a in ("gradient", "shap"):
                    expected = torch.tensor(1.0)
                else:
                    shift = 10 if i == j else 0
                    expected = torch.cat(
                        [
                            measure(metric, explanations(s)[a], explanations(s + shift)[b])
                            for s in range(3)
                        ]
                    ).mean()
                torch.testing.assert_close(values[i, j], expected)


def test_repeats_may_come_with_some_batches_only() -> None:
    matrix = AgreementMatrix(NAMES, k=3)
    matrix.update(explanations(0), repeats={"lime": explanations(1)["lime"]})
    matrix.update(explanations(2), repeats={})
    matrix.update(explanations(3))
    expected = measure(
        "pairwise_rank_agreement", explanations(0)["lime"], explanations(1)["lime"]
    ).mean()
    torch.testing.assert_close(matrix.compute()["pairwise_rank_agreement"][1, 1], expected)


def test_mean_over_pairs(matrix: AgreementMatrix) -> None:
    values = matrix.compute()["feature_agreement"]
    mean = matrix.mean_over_pairs
    upper = values[tuple(torch.triu_indices(4, 4, 1))]
    torch.testing.assert_close(mean("feature_agreement"), upper.mean())
    pairs = [("lime", "gradient"), ("gradient", "shap")]
    expected = (values[0, 1] + values[0, 2]) / 2
    torch.testing.assert_close(mean("feature_agreement", pairs), expected)
    torch.testing.assert_close(
        mean("feature_agreement", pairs, exclude=[("shap", "gradient")]), values[0, 1]
    )
    with pytest.raises(ValueError, match="include must have a pair"):
        mean("feature_agreement", pairs, exclude=pairs)
    with pytest.raises(ValueError, match=r"name must be one of .*, got 'saliency'"):
        mean("feature_agreement", [("lime", "saliency")])
    with pytest.raises(ValueError, match=r"metric must be one of .*, got 'kendall'"):
        mean("kendall")  # type: ignore[arg-type]


def test_a_reset_forgets_the_number_of_features(matrix: AgreementMatrix) -> None:
    assert matrix.chance() == {name: chance_level(name, 8, 3) for name in AGREEMENT_NAMES}
    matrix.reset()
    assert matrix.feature_counts == []
    with pytest.raises(ValueError, match="needs samples, got none"):
        matrix.chance()
    matrix.update(explanations(0, n=9))
    assert matrix.feature_counts == [9]
    assert matrix.chance() == {name: chance_level(name, 9, 3) for name in AGREEMENT_NAMES}


def test_chance_needs_one_number_of_features(matrix: AgreementMatrix) -> None:
    with pytest.raises(ValueError, match="needs samples, got none"):
        AgreementMatrix(NAMES, k=3).chance()
    matrix.update(explanations(0, n=9))
    assert matrix.feature_counts == [8, 9]
    with pytest.raises(ValueError, match=r"one number of features .*, got 8 to 9"):
        matrix.chance()


def test_everything_survives_forward_and_merging() -> None:
    """Both keep registered states only."""
    generator = torch.Generator().manual_seed(0)
    batches = [
        (explanations(seed, n=n), torch.randn(6, 3, generator=generator) + 4 * seed)
        for seed, n in ((0, 8), (1, 9), (2, 8))
    ]
    updated, called = (AgreementMatrix(NAMES, k=3, num_classes=3) for _ in range(2))
    parts = [AgreementMatrix(NAMES, k=3, num_classes=3) for _ in batches]
    share = CommonShare(3)
    for part, (data, logits) in zip(parts, batches, strict=True):
        updated.update(data, logits=logits)
        called(data, logits=logits)
        part.update(data, logits=logits)
        share.update(logits)
    merged = AgreementMatrix(NAMES, k=3, num_classes=3)
    for part in parts:
        merged.merge_state(part)
    for matrix in (updated, called, merged):
        assert matrix.common_share() == share.compute()
        assert matrix.feature_counts == [8, 9]


def test_a_process_without_samples_takes_part_in_the_synchronisation() -> None:
    gathered = []

    def gather(state, group=None):
        gathered.append(state)
        return [state, state]

    matrix = AgreementMatrix(
        NAMES, k=3, num_classes=3, dist_sync_fn=gather, distributed_available_fn=lambda: True
    )
    assert matrix.common_share() is None
    assert len(gathered) == len(matrix._defaults)


def test_a_batch_that_raises_changes_nothing(matrix: AgreementMatrix) -> None:
    matrix = AgreementMatrix(NAMES, k=3, num_classes=2)
    data, logits = explanations(0), torch.randn(6, 2)
    for wrong, message in (
        (logits * torch.nan, "logits must be finite"),
        (logits[:5], "one row for each of the 6 samples, got 5"),
    ):
        with pytest.raises(ValueError, match=message):
            matrix.update(data, repeats={"lime": data["shap"]}, logits=wrong)
    assert all(torch.equal(getattr(matrix, n), value) for n, value in matrix._defaults.items())


def test_pickle_clone_and_inference_mode(matrix: AgreementMatrix) -> None:
    expected = matrix.compute()["rank_agreement"]
    for copy in (pickle.loads(pickle.dumps(matrix)), matrix.clone()):
        assert torch.equal(copy.compute()["rank_agreement"], expected)
    with torch.inference_mode():
        matrix.reset()
        matrix.update(explanations(0), repeats=explanations(1))
    matrix.update(explanations(0), repeats=explanations(1))
    assert matrix._state("count") == 12


def test_table(matrix: AgreementMatrix) -> None:
    lines = matrix.to_table("rank_agreement").splitlines()
    assert lines[0].split() == ["rank_agreement", *NAMES]
    values = matrix.compute()["rank_agreement"]
    assert lines[2].split() == ["lime", *(f"{value:.3f}" for value in values[1])]
    assert len({len(line) for line in lines}) == 1


def test_plot_shows_values_and_chance(matrix: AgreementMatrix) -> None:
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = matrix.plot("feature_agreement")
    texts = [text.get_text() for text in axes.texts]
    values = matrix.compute()["feature_agreement"].flatten()
    assert texts == [f"{value:.2f}" for value in values]
    assert "chance 0.38" in axes.get_title()
    assert "k = 3" in axes.get_title()
    again, _ = matrix.plot("rank_correlation", ax=figure.add_subplot())
    assert again is figure
    plt.close(figure)


def test_errors() -> None:
    with pytest.raises(ValueError, match="two or more different names"):
        AgreementMatrix(["lime", "lime"], k=3)
    matrix = AgreementMatrix(NAMES, k=3)
    data = explanations(0)
    with pytest.raises(ValueError, match=r"attributions must have the names .*, got \['lime'\]"):
        matrix.update({"lime": data["lime"]})
    with pytest.raises(ValueError, match=r"repeats must have names of .*, got \['other'\]"):
        matrix.update(data, repeats={"other": data["lime"]})
    with pytest.raises(ValueError, match=r"attributions\['shap'\] must be finite, got 48 NaN"):
        matrix.update({**data, "shap": data["shap"] * torch.nan})
    with pytest.raises(
        ValueError, match=r"attributions\['shap'\] must have the same shape, got .* and \(6, 7\)"
    ):
        matrix.update({**data, "shap": data["shap"][:, :7]})
    with pytest.raises(ValueError, match=r"repeats must have the same shape, got .* and \(5, 8\)"):
        matrix.update(data, repeats={"lime": data["lime"][:5]})
    assert matrix._state("count") == 0


def test_explanations_of_zeros_count_and_are_finite() -> None:
    zeros, down = torch.zeros(1, 4), torch.tensor([[4.0, 3.0, 2.0, 1.0]])
    rank_free = ("rank_agreement", "sign_agreement", "signed_rank_agreement", "rank_correlation")
    for strict in (False, True):
        values = {}
        for name, other in {"zeros": zeros, "down": down, "up": down.flip(1)}.items():
            matrix = AgreementMatrix(["a", "b"], k=2, strict=strict)
            matrix.update({"a": zeros, "b": other})
            values[name] = {metric: float(each[0, 1]) for metric, each in matrix.compute().items()}
        assert values["zeros"] == dict.fromkeys(values["zeros"], 1.0) | {"rank_correlation": 0}
        for name in ("down", "up"):
            assert [values[name][metric] for metric in rank_free] == [0, 0, 0, 0]
            assert values[name]["feature_agreement"] == (name == "down")
            assert values[name]["pairwise_rank_agreement"] == (strict and name == "up")
