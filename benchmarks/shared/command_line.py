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


def add_folders(parser: argparse.ArgumentParser) -> None:
    """Add ``--data-dir`` and ``--cache``.

    Args:
        parser: The parser.
    """
    parser.add_argument("--data-dir", type=Path, help="folder of the data; not for --report")
    parser.add_argument("--cache", type=Path, help="default: <output>/cache, ignored by git")


def cache_folder(arguments: argparse.Namespace) -> Path:
    """Return the folder for what a stopped benchmark does not compute again; git ignores it.

    Args:
        arguments: With ``output`` and ``cache``.
    """
    folder: Path = arguments.cache or arguments.output / "cache"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    return folder
