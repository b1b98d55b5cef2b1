from benchmarks.mutation.covering import Covering
from tests.benchmarks.running import ROOT


def test_tests_are_those_of_the_same_name_and_those_that_mention_what_is_defined() -> None:
    covering = Covering(ROOT)
    own, first, *_ = covering.tests_of("pear_lightning/functional/ranks.py")
    assert own == "pear_lightning/functional/ranks.py"
    assert first == "tests/functional/test_ranks.py"
    tests = covering.tests_of("pear_lightning/losses/consensus.py")
    assert "tests/losses/test_consensus.py" in tests


def test_a_file_that_no_test_mentions_is_covered_by_those_of_its_users() -> None:
    tests = Covering(ROOT).tests_of("pear_lightning/scoring/perturbed_copies.py")
    assert len(tests) > 1
