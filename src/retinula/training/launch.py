"""Starting the processes of a training on this machine, and saying in one line how they ended.

Starts them as torchrun does, by its agent; each runs the same command again and finds its number in the environment.
"""

import logging
import os
import signal
import socket
import sys
import tempfile
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from retinula.errors import InputError, Interrupted, RetinulaError
from retinula.machine import available_cores
from retinula.runs.run import Run
from retinula.text.words import plural
from retinula.training.processes import LAUNCHED, LOST_CODE

MOST_PER_CORE = 4  # more would do nothing but wait for each other, and each takes memory
_LOOPBACK = ("lo", "lo0")
_SECONDS_TO_STOP = 600  # a step, a checkpoint and a validation take at most


def start(num_processes: int, words: Sequence[str], warn: Callable[[str], None]) -> int:
    """Run `retinula` with these words in several processes, wait for their end, and return the exit code of all.

    Args:
        num_processes: at least 2.
        words: of the command line.
        warn: told where there are fewer cores than processes.

    Raises:
        InputError: far more processes than cores, or more than GPUs.
        Interrupted: stopped before there was a run to speak of.
        RetinulaError: a process was killed, or all lost each other; how to go on is in the message.
    """
    _check_number(num_processes, warn)
    with tempfile.TemporaryDirectory(prefix="retinula-") as folder:
        file = Path(folder) / "run"
        os.environ[LAUNCHED] = f"{os.getpid()} {file}"
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
        os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(_SECONDS_TO_STOP))
        here = {name for _, name in socket.if_nameindex()}
        for name in _LOOPBACK:
            if name in here:
                os.environ.setdefault("GLOO_SOCKET_IFNAME", name)  # nobody else is to be listened to
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=num_processes,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint="127.0.0.1:0",
            local_addr="127.0.0.1",
            max_restarts=0,
            monitor_interval=0.1,
            logs_specs=DefaultLogsSpecs(log_dir=folder),
        )
        logging.disable()  # what the agent logs is for clusters: here one line says it
        try:
            elastic_launch(config, sys.executable)("-m", "retinula", *words)
        except ChildFailedError as error:
            return _explained(error.failures, num_processes, _told(file))
        except SignalException as error:
            run = _told(file)
            if run is None:
                raise Interrupted("interrupted") from error
            return 0 if run.finished else Interrupted.exit_code  # the first process has said how to go on
        finally:
            logging.disable(logging.NOTSET)
            del os.environ[LAUNCHED]
    return 0


def _check_number(num_processes: int, warn: Callable[[str], None]) -> None:
    gpus, cores = torch.cuda.device_count(), available_cores()
    if gpus:
        if num_processes > gpus:
            raise InputError(f"{num_processes} processes need a GPU each, and there are {gpus}: --procs {gpus} at most")
        return
    available = plural(cores, "core")
    if num_processes > cores * MOST_PER_CORE:
        raise InputError(
            f"{num_processes} processes are too many for {available}: --procs {cores} uses all that there is"
        )
    if num_processes > cores:
        warn(f"{num_processes} processes share {available} and will wait for each other: --procs {cores} is faster")


def _told(file: Path) -> Run | None:
    return Run(Path(file.read_text(encoding="utf-8"))) if file.exists() else None


def _explained(failures: dict[int, ProcessFailure], num_processes: int, run: Run | None) -> int:
    """Return the exit code of a training that failed where a process has said why; else say it."""
    codes = [failure.exitcode for failure in failures.values()]
    explained = [code for code in codes if code > 0 and code != LOST_CODE]
    if explained:
        return max(explained)
    # The agent ends those that are left by SIGTERM, so that any other signal is more likely to be the cause.
    killed = sorted(
        (failure for failure in failures.values() if failure.exitcode < 0),
        key=lambda failure: failure.exitcode == -signal.SIGTERM,
    )
    if killed:
        name = signal.Signals(-killed[0].exitcode).name
        reason = f"{name}, perhaps for want of memory" if name == "SIGKILL" else name
        what = f"process {killed[0].local_rank + 1} of {num_processes} was killed ({reason})"
    else:
        what = f"the {num_processes} processes lost each other"
    if run is not None and run.can_go_on:
        raise RetinulaError(f"{what}; go on from the last checkpoint with: retinula train --resume {run.path}")
    raise RetinulaError(f"{what} before there was a checkpoint to go on from: train anew")
