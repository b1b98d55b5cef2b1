"""Kill supervision runs at random moments and compare the data set with an uninterrupted one.

``python -m benchmarks.supervision_kills --kills 20`` takes a few minutes and writes ``results.md``.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.supervision_kills.runs import SAMPLES, finish, kill_at_random, rows_of


def main() -> None:
    """Run with one and with two processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.05, help="time of an evaluation")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results.md")
    arguments = parser.parse_args()
    lines = [
        "# Supervision runs that are killed",
        "",
        f"{arguments.kills} SIGKILLs at random moments of runs over {SAMPLES} samples; the rows "
        "are compared with those of one process that is not interrupted.",
        "",
        "| processes | kills | samples in finished shards after each kill | rows | equal |",
        "|---|---|---|---|---|",
    ]
    with TemporaryDirectory() as folder:
        finish(f"{folder}/whole", 1)
        expected = rows_of(f"{folder}/whole")
        for world_size in (1, 2):
            timed = f"{folder}/timed{world_size}"
            whole = finish(timed, world_size, arguments.seconds)
            start = finish(timed, world_size)  # nothing is left to do
            step = 2 * (whole - start) / arguments.kills
            killed = f"{folder}/killed{world_size}"
            finished = kill_at_random(
                killed,
                world_size,
                arguments.kills,
                (start / 2, start + step),
                arguments.seconds,
                seed=world_size,
            )
            finish(killed, world_size)
            rows = rows_of(killed)
            lines.append(
                f"| {world_size} | {arguments.kills} | {', '.join(map(str, finished))} | "
                f"{len(rows)} | {'yes' if rows == expected else 'NO'} |"
            )
    text = "\n".join(lines) + "\n"
    arguments.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
