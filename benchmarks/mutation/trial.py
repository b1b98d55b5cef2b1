"""One mutant against the tests, in a process of its own that has torch imported already."""

import os
import resource
import signal
import sys
import time
from collections.abc import Collection, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.mutation.mutants import Mutant
from benchmarks.mutation.settings import MARKERS, SECONDS

_COLLECTION, _NOTHING_RAN = 2, 5  # exit codes of pytest; larger ones than 2 are not about tests


def preload() -> None:
    """Import what the tests need, but not the library."""
    for name in ("torch", "captum.attr", "lightning.pytorch.cli", "torchmetrics", "pytest"):
        import_module(name)


class Trials:
    """Runs tests with mutants.

    Args:
        root: Root of a copy of the repository, whose files are changed for the time being.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sound: set[str] = set()
        self._failing: set[str] = set()

    def outcome(self, mutant: Mutant, tests: Sequence[str]) -> dict[str, Any]:
        """Run tests with a mutant.

        A test that fails is run without the mutant, too; if it fails there, it does not count.

        Args:
            mutant: The change.
            tests: Files of tests.

        Returns:
            The outcome: ``"killed"`` or ``"survived"``; the changed line; the test that failed, or
            ``"time"``; and the seconds that it took.
        """
        start = time.monotonic()
        path = self._root / mutant.path
        source = path.read_text("utf-8")
        changed = mutant.mutated(source)
        while True:
            try:
                _forget_compiled(path)
                path.write_text(changed, "utf-8")
                code, by = run_tests(self._root, tests, self._failing)
            finally:
                _forget_compiled(path)
                path.write_text(source, "utf-8")
            if code == _NOTHING_RAN or code > _COLLECTION:
                raise RuntimeError(f"pytest must run {list(tests)}, got exit code {code}")
            if code == _COLLECTION and not self._collected(tests):
                raise RuntimeError(f"pytest must collect {list(tests)} without a mutant, too")
            if code == 0 or by is None or self._passes_without(by):
                break
        return {
            "outcome": "survived" if code == 0 else "killed",
            "becomes": _changed_lines(source, changed),
            "by": by or ("" if code == 0 else "time" if code < 0 else "collection"),
            "seconds": round(time.monotonic() - start, 1),
        }

    def _collected(self, tests: Sequence[str]) -> bool:
        key = " ".join(tests)
        if key not in self._sound and run_tests(self._root, ["--collect-only", *tests])[0] == 0:
            self._sound.add(key)
        return key in self._sound

    def _passes_without(self, test: str) -> bool:
        if test not in self._sound and run_tests(self._root, [test])[0] == 0:
            self._sound.add(test)
        if test not in self._sound:
            self._failing.add(test)
        return test in self._sound


def run_tests(
    root: Path, tests: Sequence[str], left_out: Collection[str] = ()
) -> tuple[int, str | None]:
    """Run tests in a process of its own.

    Args:
        root: Root of the copy.
        tests: Files or names of tests.
        left_out: Names of tests that are left out.

    Returns:
        The exit code of pytest, negative if time was up; and the first test that failed.
    """
    report = root / ".failed_test"
    report.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _run(root, [*tests, *(f"--deselect={name}" for name in left_out)], report)
    code = _wait(child, 8 * SECONDS)
    return code, report.read_text() if report.exists() else None


def _forget_compiled(path: Path) -> None:
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        compiled.unlink()


def _run(root: Path, tests: Sequence[str], report: Path) -> None:
    """Run tests in this process, which ends with their exit code."""
    code = 3
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        os.chdir(root)
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(root))
        for name in [name for name in sys.modules if name.split(".")[0] == "benchmarks"]:
            del sys.modules[name]
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        import pytest

        class First:
            def pytest_runtest_logreport(self, report: Any) -> None:
                if report.failed:
                    target.write_text(report.nodeid)

        target = report
        # plugins that are imported already are not rewritten, which does not matter here
        options = ["-qx", "-n0", "-p", "no:cacheprovider", "--tb=no", "-m", MARKERS]
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
        code = int(pytest.main([*options, *tests], plugins=[First()]))
    finally:
        os._exit(code)


def _wait(child: int, seconds: float) -> int:
    """Return the exit code of a process, negative if a signal ended it, in time or not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _changed_lines(source: str, changed: str) -> str:
    """Return the lines that a change adds, or a remark that it removes some."""
    before, after = source.splitlines(), changed.splitlines()
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    shortest = min(len(before), len(after)) - start
    while end < shortest and before[len(before) - 1 - end] == after[len(after) - 1 - end]:
        end += 1
    return " ".join(line.strip() for line in after[start : len(after) - end]) or "(removed)"
