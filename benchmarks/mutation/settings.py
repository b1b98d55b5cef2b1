"""Which packages are mutated, and which tests may notice it."""

PACKAGES = ("functional", "losses", "metrics", "scoring", "training")

TESTS = (
    *(f"tests/{package}" for package in ("functional", "masking", "scoring", "explainers")),
    *(f"tests/{package}" for package in ("stand_ins", "losses", "metrics", "training")),
    *("tests/modules", "tests/callbacks"),
    *("tests/test_bad_arguments.py", "tests/test_batch_forms.py", "tests/test_common_function.py"),
)
MARKERS = "not slow and not gpu and not ddp and not vision"

FILES_OF_TESTS = 4
"""How many test files run for a mutant, beside the examples in its docstrings."""

SECONDS = 240
"""Processor time after which the tests of a mutant count as failed."""
