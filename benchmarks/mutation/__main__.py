"""Mutation testing: which random changes of the library its tests notice.

    pip install cosmic-ray
    python -m benchmarks.mutation [--packages functional losses] [--sample 40] [--seed 0]

Copies the repository, then changes one place after another and runs the tests that are about the
changed file, each mutant in a forked process with a limit of time. Records are kept in
``results/runs.jsonl`` and skipped the next time.
After tests have been written, ``--again tests/functional/test_ranks.py`` tries those that survived
once more, on these files and on the tests that were known. ``--report`` writes the report.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path

from benchmarks.shared.one_thread import one_thread

one_thread()

from benchmarks.mutation.covering import Covering  # noqa: E402
from benchmarks.mutation.mutants import check_package, sample  # noqa: E402
from benchmarks.mutation.report import judgements, latest, write_report  # noqa: E402
from benchmarks.mutation.settings import PACKAGES  # noqa: E402
from benchmarks.mutation.trial import Trials, preload  # noqa: E402
from benchmarks.shared.command_line import command_line  # noqa: E402
from benchmarks.shared.finished_runs import append_run, read_runs  # noqa: E402

ROOT = Path(__file__).parents[2]
COPIED = ("pear_lightning", "callbacks", "datamodules", "tests", "benchmarks")


def main(argv: Sequence[str] | None = None) -> Path:
    """Run and report.

    Args:
        argv: Command line; ``None`` for that of the process.

    Returns:
        Folder of the results.
    """
    parser = command_line("mutation", __doc__)
    parser.add_argument("--packages", nargs="+", type=check_package, default=PACKAGES)
    parser.add_argument("--sample", type=int, default=40, help="mutants of each package")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--again",
        nargs="*",
        metavar="TESTS",
        help="try the surviving mutants again, on these files too",
    )
    parser.add_argument("--work", type=Path, default=Path("mutation_work"), help="for the copy")
    arguments = parser.parse_args(argv)
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    path = output / "runs.jsonl"
    if not arguments.report:
        run(path, arguments.work.resolve(), arguments)
    sys.stdout.write(write_report(read_runs(path), output))
    return output


def run(path: Path, work: Path, arguments: argparse.Namespace) -> None:
    """Try the mutants that have not been tried.

    Args:
        path: File of the records.
        work: Folder of the copy of the repository, made afresh.
        arguments: The command line.
    """
    root = work / "copy"
    copy_repository(root)
    covering = Covering(root)
    preload()
    trials = Trials(root)
    equivalent = {name for name, each in judgements(path.parent).items() if each.get("equivalent")}
    known = {each["name"]: each for each in latest(read_runs(path))}
    chosen = [
        sample(root, package, arguments.sample, arguments.seed) for package in arguments.packages
    ]
    # packages in turn, so that a run that is stopped has some of each
    for mutant in (each for turn in zip_longest(*chosen) for each in turn if each):
        before = known.get(mutant.name)
        if before and (arguments.again is None or before["outcome"] == "killed"):
            continue
        if mutant.name in equivalent:
            continue
        tests = list(dict.fromkeys([*(arguments.again or ()), *covering.tests_of(mutant.path)]))
        result = trials.outcome(mutant, tests)
        first = before["first"] if before else result["outcome"]
        record = {"name": mutant.name, **asdict(mutant), "tests": tests, "first": first}
        append_run(path, record | result)
        sys.stderr.write(f"{result['outcome']:9} {result['seconds']:6.1f} s  {mutant.name}\n")


def copy_repository(root: Path) -> None:
    """Copy what is mutated and tested.

    Args:
        root: Where to; what is there is replaced.
    """
    shutil.rmtree(root, ignore_errors=True)
    for name in COPIED:
        skipped = shutil.ignore_patterns("__pycache__", "results", "lightning_logs")
        shutil.copytree(ROOT / name, root / name, ignore=skipped)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, root)


if __name__ == "__main__":
    main()
