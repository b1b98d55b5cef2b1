"""The choice of a setting looks at held-out rows only."""

from typing import Any

from benchmarks.pear_tradeoff.choice import choose


def run(setting: str, seed: int, accuracy: float, agreement: float) -> dict[str, Any]:
    measured = {"val_accuracy": accuracy, "val_agreement": agreement, "accuracy": 0.0}
    return {"data_set": "bank", "setting": setting, "seed": seed} | measured


NAMES = ["gradients λ=0.25", "gradients λ=0.5", "gradients λ=0.7"]


def test_the_highest_agreement_at_an_acceptable_price_is_chosen() -> None:
    runs = [run("plain", seed, 80.0 + seed, 0.8) for seed in range(3)]
    for name, loss, agreement in zip(NAMES, (0.1, 0.4, 0.6), (0.85, 0.9, 0.95), strict=True):
        runs += [run(name, seed, 80.0 + seed - loss, agreement) for seed in range(3)]
    assert choose(runs, "bank", NAMES) == "gradients λ=0.5"


def test_seeds_without_a_plain_run_do_not_count() -> None:
    runs = [run("plain", 0, 80.0, 0.8), run(NAMES[0], 0, 79.9, 0.85), run(NAMES[1], 1, 99.0, 0.99)]
    assert choose(runs, "bank", NAMES) == NAMES[0]


def test_the_most_accurate_one_is_chosen_if_all_are_too_expensive() -> None:
    runs = [run("plain", 0, 80.0, 0.8), run(NAMES[0], 0, 79.0, 0.9), run(NAMES[1], 0, 78.0, 0.99)]
    assert choose(runs, "bank", NAMES) == NAMES[0]
    assert choose([], "bank", NAMES) is None
