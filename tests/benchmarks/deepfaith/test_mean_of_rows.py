import torch

from benchmarks.deepfaith.ranking_run import mean_of_rows


def test_rows_that_several_seeds_explain_count_once():
    scores = torch.tensor([[1.0, 2.0, 3.0, 6.0], [0.0, 1.0, 0.0, 2.0]])
    rows = torch.tensor([7, 2, 7, 4])
    wanted = torch.tensor([[2.0, 6.0, 2.0], [1.0, 2.0, 0.0]])  # of rows 2, 4, 7
    torch.testing.assert_close(mean_of_rows(scores, rows), wanted)
