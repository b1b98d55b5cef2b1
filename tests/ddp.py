"""Run functions in gloo processes, for tests of what several processes compute together."""

import atexit
import tempfile
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.plugins.environments import ClusterEnvironment
from lightning.pytorch.strategies import DDPStrategy
from torch import distributed, multiprocessing

from tests.modules.helpers import quiet_trainer

_pools: dict[int, "_Pool"] = {}


def run_distributed(
    function: Callable[..., Any], *arguments: Any, world_size: int = 2, timeout: float = 120
) -> list[Any]:
    """Call ``function(rank, world_size, *arguments)`` in each process; return results by rank.

    The function must stand at the top level of a module that can be imported (``tests....``);
    arguments and results must be picklable. Processes are started once for a test session, because
    importing torch takes seconds; every call gets a new process group, which meets at a file, so
    no port can be taken.
    """
    if world_size not in _pools:
        _pools[world_size] = _Pool(world_size)
    try:
        return _pools[world_size].run(function, arguments, timeout)
    except Exception:
        # a process may still wait for one that failed: start anew next time
        _pools.pop(world_size).close()
        raise


class _Pool:
    def __init__(self, world_size: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.connections: list[Connection] = []
        self.processes = []
        for rank in range(world_size):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(rank, world_size, theirs), daemon=True)
            process.start()
            theirs.close()  # so that reading from a process that died fails at once
            self.connections.append(ours)
            self.processes.append(process)
        atexit.register(self.close)

    def run(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], timeout: float
    ) -> list[Any]:
        results = []
        with tempfile.TemporaryDirectory() as folder:
            for connection in self.connections:
                connection.send((function, arguments, folder))
            for rank, connection in enumerate(self.connections):
                if not connection.poll(timeout):
                    raise TimeoutError(f"rank {rank} did not finish within {timeout} s")
                succeeded, result = connection.recv()
                if not succeeded:
                    raise RuntimeError(f"rank {rank}:\n{result}")
                results.append(result)
        return results

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.join()
        for connection in self.connections:
            connection.close()


def _serve(rank: int, world_size: int, connection: Connection) -> None:
    torch.set_num_threads(1)
    while True:
        function, arguments, folder = connection.recv()
        try:
            distributed.init_process_group(
                "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world_size
            )
            result = function(rank, world_size, *arguments)
            distributed.barrier()
            distributed.destroy_process_group()
            connection.send((True, result))
        except Exception:
            connection.send((False, traceback.format_exc()))
            return


class _Environment(ClusterEnvironment):
    """Tells Lightning that this process is one of those of `run_distributed`."""

    creates_processes_externally = True
    main_address = "127.0.0.1"
    main_port = 0  # not used: the process group exists

    def __init__(self, rank: int, world_size: int) -> None:
        super().__init__()
        self._rank, self._world_size = rank, world_size

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return self._world_size

    def set_world_size(self, size: int) -> None:
        pass

    def global_rank(self) -> int:
        return self._rank

    def set_global_rank(self, rank: int) -> None:
        pass

    def local_rank(self) -> int:
        return self._rank

    def node_rank(self) -> int:
        return 0


def trainer_of_rank(
    rank: int, world_size: int, kind: type[Trainer] = Trainer, **arguments: Any
) -> Any:
    """A quiet trainer that is one of those of all ranks, in a function of `run_distributed`."""
    if world_size == 1:
        return quiet_trainer(kind, **arguments)
    return quiet_trainer(
        kind,
        devices=world_size,
        strategy=DDPStrategy(process_group_backend="gloo"),
        plugins=[_Environment(rank, world_size)],
        **arguments,
    )
