"""One training in several processes: what they have to agree on. With a single process every function does nothing.

Whoever starts the processes (`training.launch`, torchrun) tells each its number in the environment: `RANK`,
`WORLD_SIZE`, `LOCAL_RANK`, `LOCAL_WORLD_SIZE`, `MASTER_ADDR`, `MASTER_PORT`. The first one writes and speaks for all.
Knows nothing of recipes, pictures and files. Processes trust each other: what they exchange is pickled.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from retinula.errors import InputError, RetinulaError

T = TypeVar("T")
PATIENCE = timedelta(minutes=30)  # longer than one of them may load pictures while the others wait
LEAST_PART = 2  # pictures: normalisation over a batch cannot bear a single one
# Number of the process that launched this one, a space, and the file where it looks for the folder of the run.
LAUNCHED = "RETINULA_LAUNCHED"
LOST_CODE = 3  # the exit code that tells a launcher, and nobody else, that others were lost
_NEEDED = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


class Lost(RetinulaError):
    """Another process has ended, or cannot be reached."""


class Elsewhere(RetinulaError):
    """Something ended the training in another process, which says what; this one leaves in silence."""

    def __init__(self, exit_code: int) -> None:
        super().__init__("another process says why")
        self.exit_code = exit_code


class Part(NamedTuple):
    """What a process takes of a batch; where there is too little for all of them, some take what others have."""

    own: slice
    counts: bool


def announced() -> int:
    """Return how many processes the environment speaks of; 1 where it says nothing.

    Raises:
        InputError: what it says makes no sense.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1":
        return 1
    values = {name: os.environ.get(name, "") for name in ("WORLD_SIZE", *_NEEDED)}
    missing = [name for name, value in values.items() if not value]
    if missing:
        raise InputError(
            f"WORLD_SIZE is set but {missing[0]} is not: start the processes with torchrun, or for one unset WORLD_SIZE"
        )
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        if not values[name].isdecimal():
            raise InputError(f"{name} must be a number, not {values[name]!r}: start the processes with torchrun")
    return int(values["WORLD_SIZE"])


def speaks() -> bool:
    """Tell, of a process that the environment speaks of, whether it is the first, which speaks for all."""
    return announced() == 1 or int(os.environ["RANK"]) == 0


def count() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if _together() else 1


def count_here() -> int:
    """Return how many of them run on this machine."""
    return min(int(os.environ.get("LOCAL_WORLD_SIZE", count())), count()) if _together() else 1


def is_first() -> bool:
    """Tell whether this is the process that writes and speaks."""
    return not _together() or dist.get_rank() == 0


def own(purpose: str) -> str:
    """Make of a purpose of chance one of this process alone; the first keeps it as it is."""
    return purpose if is_first() else f"{purpose} of process {dist.get_rank()}"


@contextmanager
def joined() -> Iterator[None]:
    """While it lasts, work together with the processes that the environment speaks of, if any.

    Raises:
        Lost: a process cannot be reached, or has ended.
        InputError: the environment makes no sense, or there are fewer GPUs than processes.
    """
    if _together() or announced() == 1:
        yield
        return
    backend = "gloo"
    if torch.cuda.is_available():
        number, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if number >= gpus:
            raise InputError(f"process {number + 1} of this machine has no GPU, there are {gpus}: start at most {gpus}")
        torch.cuda.set_device(number)
        backend = "cpu:gloo,cuda:nccl"
    with noticing():
        dist.init_process_group(backend, timeout=PATIENCE)
    try:
        with noticing():
            yield
    finally:
        dist.destroy_process_group()


@contextmanager
def noticing() -> Iterator[None]:
    """Turn the many ways in which torch complains about a process that is gone into one.

    Raises:
        Lost: a process is gone; where somebody else says so, `Elsewhere`.
    """
    try:
        yield
    except RuntimeError as error:
        if announced() == 1 or not _is_loss(error):
            raise
        if is_launched():
            raise Elsewhere(LOST_CODE) from error
        if int(os.environ["LOCAL_RANK"]):
            raise Elsewhere(1) from error
        raise Lost("another process of this training has ended or cannot be reached") from error


def is_launched() -> bool:
    """Tell whether `training.launch` started this process and will say how all of them ended."""
    return LAUNCHED in os.environ


def tell_launcher(folder: Path) -> None:
    """Let the launcher know where the run is, so that it can say how to go on."""
    if is_launched() and is_first():
        file = os.environ[LAUNCHED].partition(" ")[2]
        Path(file).write_text(str(folder), encoding="utf-8")


def abandoned() -> bool:
    """Tell whether the launcher has gone, so that nobody would see how this training ends."""
    return is_launched() and os.getppid() != int(os.environ[LAUNCHED].partition(" ")[0])


def by_first(action: Callable[[], T]) -> T:
    """Let only the first process act, and give its result to all of them.

    Raises:
        Elsewhere: in the other processes, where it raised a `RetinulaError`.
    """
    if count() == 1:
        return action()
    failure: RetinulaError | None = None
    box: list[Any] = [None, 0]
    if is_first():
        try:
            box[0] = action()
        except RetinulaError as error:
            failure, box[1] = error, error.exit_code
    dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
    if failure is not None:
        raise failure
    if box[1]:
        raise Elsewhere(box[1])
    result: T = box[0]
    return result


def by_each(action: Callable[[], T]) -> T:
    """Act in every process; where a `RetinulaError` ends it in any, the first process raises one that says so.

    Args:
        action: must not call what the processes do together.

    Raises:
        Elsewhere: in all but the first process.
    """
    if count() == 1:
        return action()
    failure: RetinulaError | None = None
    try:
        result = action()
    except RetinulaError as error:
        failure = error
    failures: list[Any] = [None] * count()
    dist.all_gather_object(failures, (failure.exit_code, str(failure)) if failure else None)
    number = next((number for number, found in enumerate(failures) if found), None)
    if number is None:
        return result
    code, message = failures[number]
    if not is_first():
        raise Elsewhere(code) from failure
    if failure is not None:
        raise failure
    kind = InputError if code == InputError.exit_code else RetinulaError
    raise kind(f"process {number + 1} of {count()}: {message}")


def check_alike(value: object, complaint: str) -> None:
    """See that a value is the same in all processes.

    Raises:
        InputError: as `by_each`.
    """

    def check() -> None:
        if value != wanted:
            raise InputError(complaint)

    wanted = by_first(lambda: value)
    by_each(check)


def any_process(*flags: bool) -> tuple[bool, ...]:
    """Return for each flag whether it is set in any process."""
    if count() == 1:
        return flags
    votes = torch.tensor(flags, dtype=torch.int32)
    dist.all_reduce(votes, dist.ReduceOp.MAX)
    return tuple(bool(vote) for vote in votes)


def summed(*values: torch.Tensor) -> Sequence[torch.Tensor]:
    """Return the sums of scalars over the processes, as float32."""
    if count() == 1:
        return values
    sums = torch.stack([value.float() for value in values])
    dist.all_reduce(sums)
    return sums.unbind()


def added_up(values: torch.Tensor) -> torch.Tensor:
    """Return the sum of a tensor over the processes, which takes its place; on the processor."""
    if count() > 1:
        dist.all_reduce(values)
    return values


def takes(number: int) -> bool:
    """Tell whether the thing of a number, of those that the processes take in turns, is this one's."""
    return not _together() or number % count() == dist.get_rank()


def part_of(num_images: int) -> Part:
    """Return this process's part of a batch: one of contiguous parts of about equal size, at least two pictures each.

    Of a batch too small for that the last processes get no part; they go through the first one's, which must not
    count: gradients are exchanged by all or by none.
    """
    workers = max(1, min(count(), num_images // LEAST_PART))
    number = dist.get_rank() if _together() else 0
    place = number if number < workers else 0
    return Part(slice(place * num_images // workers, (place + 1) * num_images // workers), number < workers)


def check_batch(num_images: int) -> None:
    """See that a full batch has a part for every process.

    Raises:
        InputError: the batch is too small for so many processes.
    """
    if count() > 1 and num_images < count() * LEAST_PART:
        raise InputError(
            f"batches of {num_images} pictures are too small for {count()} processes, each needs {LEAST_PART}: "
            "use fewer processes, or a larger training.batch_size"
        )


def shared(network: nn.Module) -> nn.Module:
    """Give all processes the weights of the first, and make `backward` average their gradients."""
    if count() == 1:
        return network
    for buffer in network.buffers():
        dist.broadcast(buffer, src=0)
    # Their statistics are averaged when they are asked for: the option not to pass them on in every step has two names.
    names = signature(DistributedDataParallel).parameters
    passed_on = "forward_sync_buffers" if "forward_sync_buffers" in names else "broadcast_buffers"
    options: dict[str, Any] = {passed_on: False, "gradient_as_bucket_view": True}
    return DistributedDataParallel(network, **options)


def average_statistics(normalisations: Iterable[nn.modules.batchnorm._BatchNorm], weight: float = 1.0) -> None:
    """Set running statistics to their mean over the processes.

    Args:
        normalisations: layers of this process.
        weight: how much its statistics count, as the number of inputs they come from; not 0 in all processes.
    """
    if count() == 1:
        return
    total = float(added_up(torch.tensor(float(weight))))
    for layer in normalisations:
        for statistics in (layer.running_mean, layer.running_var):
            if statistics is not None:
                statistics *= weight
                dist.all_reduce(statistics)
                statistics /= total


def _together() -> bool:
    return dist.is_available() and dist.is_initialized()


def _is_loss(error: RuntimeError) -> bool:
    """Tell complaints about a connection from all others; gloo has no class of its own for them."""
    return isinstance(error, dist.DistError) or any(word in str(error) for word in ("gloo", "TCPStore", "NCCL"))
