import torch

from benchmarks.deepfaith.confidence_run import _faithfulness, _mean_rank
from benchmarks.deepfaith.settings import HELD_OUT, OURS
from benchmarks.deepfaith.tables.overview import finding, standing
from benchmarks.deepfaith.tables.variants import held_out_table
from pear_lightning.metrics import ExplainerRanking

NAMES = ["LIME", OURS, "sum of priors"]


def ranking(*rows):
    scores = {"insertion": torch.tensor(rows)[:, None].expand(-1, 9) + torch.arange(9) / 1e3}
    return ExplainerRanking.from_scores(scores, NAMES, {"insertion": True}, n_resamples=20)


def test_the_first_line_of_a_table_says_who_is_ahead():
    first = ranking(0.1, 0.3, 0.2)
    assert finding(first, "Bank") == "**Bank: DeepFaith is first, tied with none.**"
    assert standing(first) == "1 of 3"
    last = ranking(0.3, 0.1, 0.2)
    wanted = "**Bank: ahead of DeepFaith (3.0): LIME 1.0, control sum of priors 2.0.**"
    assert finding(last, "Bank") == wanted
    assert standing(last) == "3 of 3"
    tied = ranking(0.2, 0.2, 0.1)
    assert "LIME" in finding(tied, "Bank")
    assert "tied" in finding(tied, "Bank")


def test_what_eight_metrics_choose_is_judged_by_the_other_two():
    metrics = [metric for pair in HELD_OUT for metric in pair]

    def standings(of_pair, of_rest, pair):
        ranks = {m: float(of_pair if m in pair else of_rest) for m in metrics}
        return {part: {"library": {"ranks": ranks}} for part in ("val", "test")}

    pair = HELD_OUT[0]
    choice = {"candidates": {"a": standings(9, 1, pair), "b": standings(1, 2, pair)}}
    row = held_out_table(choice, None).splitlines()[2]
    assert row == "| FC and INF | a | 9.0 |"


def test_faithfulness_is_standardised_and_a_fallback_improves_the_rank():
    scores = {"insertion": torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.5, 1.0], [2.0, 2.0, 2.0]])}
    own, other = _faithfulness(scores, {"insertion": True}, 1, 2)
    torch.testing.assert_close(own, torch.tensor([-1.0, 0.0, 1.0]))
    torch.testing.assert_close(other, torch.tensor([3.0, 3.0, 3.0]))
    ranks = [
        _mean_rank(scores, {"insertion": True}, 1, 2, torch.arange(share)) for share in range(3)
    ]
    assert ranks == [3.0, 2.0, 2.0]
