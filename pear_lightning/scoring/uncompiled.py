"""A context manager in which compiled layers run uncompiled."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def uncompiled() -> Iterator[bool]:
    """Run layers that were compiled by ``torch.compile`` uncompiled.

    Compiled code has no second derivative, and says so only in the backward pass of the training
    step. In a transform of ``torch.func``, the compiler would find nothing to compile and leave the
    layers uncompiled from then on.

    Yields:
        Whether they run uncompiled; inside of compiled code, this cannot be changed.
    """
    if torch.compiler.is_compiling():
        yield False
        return
    if "torch._dynamo" not in sys.modules:  # slow to import, and nothing is compiled without it
        yield True
        return
    try:
        stance = torch.compiler.set_stance("force_eager")
    except RuntimeError:  # the part of a compiled function that its compiler gave up on
        yield False
        return
    with stance:
        yield True
