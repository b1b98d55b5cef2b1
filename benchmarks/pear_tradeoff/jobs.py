"""The runs of the PEAR benchmark that are asked for and not finished."""

import argparse
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.pear_tradeoff.records import KEYS
from benchmarks.pear_tradeoff.settings import SETTINGS
from benchmarks.shared.finished_runs import Run, finished

Job = tuple[Any, ...]
"""Arguments of :func:`benchmarks.pear_tradeoff.run.train_and_evaluate`."""


def jobs(arguments: argparse.Namespace, path: Path) -> Iterator[Job]:
    """Yield the runs that are asked for and not finished.

    Args:
        arguments: Of the command line.
        path: File of the finished runs.

    Yields:
        Jobs, in the order in which they are to be run.
    """
    done = finished(path, KEYS)
    wanted = itertools.product(arguments.only, arguments.seeds, arguments.datasets, SETTINGS)
    for pattern, seed, data_set, name in wanted:
        setting = SETTINGS[name]
        if setting.data_sets and data_set not in setting.data_sets:
            continue
        if seed >= setting.seeds:
            continue
        deterministic = not setting.is_network
        if (data_set, name, seed) in done or (deterministic and seed != 0 and not setting.held_out):
            continue
        if re.search(pattern, f"{data_set}/{setting.group}/{name}/{seed}"):
            done.add((data_set, name, seed))
            yield name, setting, data_set, seed, arguments.data_dir, arguments.max_epochs


def run_job(job: Job) -> Run:
    """Do a job in a worker, which would not find a function of the command line's module."""
    from benchmarks.pear_tradeoff.run import train_and_evaluate  # Lightning, in the worker only

    return train_and_evaluate(*job)
