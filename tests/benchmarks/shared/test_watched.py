import torch

from benchmarks.shared.timing import clock
from benchmarks.shared.watched import Watched


def test_a_watched_model_counts_and_records() -> None:
    watched = Watched(torch.nn.Linear(2, 2), clock("cpu"), record=True)
    first, second = torch.rand(3, 2), torch.rand(2, 2)
    watched(first)
    watched(second)
    assert watched.samples == 5
    assert watched.seconds > 0
    torch.testing.assert_close(watched.seen(), torch.cat([first, second]))
