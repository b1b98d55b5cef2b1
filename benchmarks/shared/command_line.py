"""What the command lines of all benchmarks share."""

import argparse
from pathlib import Path


def command_line(name: str, description: str) -> argparse.ArgumentParser:
    """Return a parser that knows ``--output`` and ``--report``.

    Args:
        name: Name of the benchmark's package.
        description: What it is, in the first line.

    Returns:
        The parser.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}", description=description.split("\n")[0]
    )
    results = Path(__file__).parents[1] / name / "results"
    parser.add_argument("--output", type=Path, default=results, help="folder of the results")
    parser.add_argument(
        "--report", action="store_true", help="write the report from what is there, run nothing"
    )
    return parser
