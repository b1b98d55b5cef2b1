"""One thread for each process: networks are small, and results come out the same."""

import os


def one_thread() -> None:
    """Keep to one thread what is imported after this, torch above all, and new processes."""
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
