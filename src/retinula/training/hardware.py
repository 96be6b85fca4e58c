"""What to compute with: device, threads, memory format, precision, allocator. Nothing else in the code asks.

Precision and memory format are found by a short measurement of the very network that is to be trained, because no
list of processors says which is faster for which layers.
"""

import copy
import ctypes
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

import torch
from torch import nn

from retinula.errors import InputError
from retinula.forms import Precision
from retinula.machine import available_cores, bfloat16_units, busy_share, memory_gib, processor
from retinula.text.words import percent, plural
from retinula.training import processes
from retinula.training.arrangement import Way, seconds_by_way
from retinula.training.stopwatch import ENOUGH, GAIN, Clock, best_seconds

# Pictures at most in a trial of the whole network, and of one of its layers, which is so much quicker.
TRIAL_IMAGES = 64
LAYER_TRIAL_IMAGES = 256
# A first look at each candidate takes this many; one that needs so many times the fastest's time is not tried further.
# Without units for bfloat16 its trial would last a hundred times as long as the others' and end the same.
LOOK_IMAGES = 4
HOPELESS = 4
# By that look a pass of the whole network's trial takes no longer; where other programs hold the processor it has fewer
# pictures, and so have the trials of layers.
TRIAL_SECONDS = 0.5
BUSY = 0.3  # other programs that use more of the processor than that can turn the order of the candidates round

_WORDS: dict[Way, str] = {
    "side_by_side": "with pictures side by side",
    "winograd": "by Winograd's way",
    "winograd_gradients": "with gradients by Winograd's way",
}
_TORCHRUN = "TORCHELASTIC_RUN_ID"  # set for the processes that it starts
# glibc's mallopt parameters, from malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


@dataclass(frozen=True)
class Hardware:
    """What a training computes with; kept in its checkpoints, so that going on computes the same.

    Attributes:
        device: `cpu`, `cuda` or `mps`.
        threads: of the processor.
        channels_last: whether a picture's channels lie beside each other in memory.
        precision: of products and sums in the layers that bear it; weights are always float32.
        reason: how it was chosen, in words.
        ways: names of the convolutions that are not computed plainly, each with its way (`training.arrangement`).
        processes: how many train together, each with all of this.
    """

    device: str
    threads: int
    channels_last: bool
    precision: Literal["float32", "bfloat16"]
    reason: str
    ways: tuple[tuple[str, Way], ...] = ()
    processes: int = 1

    def place(self, network: nn.Module) -> nn.Module:
        """Bring a network to the device and memory format."""
        # torch's stubs lack the memory format.
        return network.to(self.device, memory_format=self.memory_format)  # type: ignore[call-overload, no-any-return]

    def autocast(self) -> torch.autocast:
        """Return a context in which the forward pass has this precision."""
        # Without a cache, because a weight that is used once in a pass is converted once in any case.
        enabled = self.precision == "bfloat16"
        return torch.autocast(self.device, dtype=torch.bfloat16, enabled=enabled, cache_enabled=False)

    @property
    def memory_format(self) -> torch.memory_format:
        """How pictures and filters lie in memory."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    @property
    def words(self) -> str:
        """Device, threads, precision and memory format, as logs and reports say them."""
        layout = ", channels last" if self.channels_last else ""
        threads = plural(self.threads, "thread")
        together = f"{self.processes} processes, each on " if self.processes > 1 else ""
        return f"{together}{self.device} with {threads} in {self.precision}{layout}"

    def shared_by(self, num_processes: int, threads: int) -> "Hardware":
        """Return this for a number of processes; where they are several, or were, each with so many threads."""
        if num_processes == self.processes == 1:
            return self
        return replace(self, processes=num_processes, threads=threads)

    def to_dict(self) -> dict[str, Any]:
        """Return a value that a checkpoint can hold; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Hardware":
        """Read what `to_dict` gave, here or in an earlier version.

        Raises:
            InputError: it says what this version does not know.
        """
        own = dict(value)
        # Before there were several ways: names of the convolutions that were computed in the only other one.
        beside = own.pop("side_by_side", ())
        own["ways"] = tuple((name, way) for name, way in own.get("ways", [(name, "side_by_side") for name in beside]))
        if own.keys() - {field.name for field in fields(cls)} or any(way not in _WORDS for _, way in own["ways"]):
            raise InputError("its checkpoint was written by another version of Retinula; go on with that one")
        return cls(**own)


def available_device() -> str:
    """Return the best device there is: `cuda`, `mps` or `cpu`."""
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "cpu"


def available_threads(num_processes: int = 1) -> int:
    """Return how many threads each of so many processes may compute with: its share of the cores, or fewer.

    `OMP_NUM_THREADS` asks for fewer, where it is a whole number from 1; but for the 1 that torchrun sets where its user
    sets nothing.
    """
    share = max(1, available_cores() // num_processes)
    asked = os.environ.get("OMP_NUM_THREADS", "")
    by_torchrun = asked == "1" and _TORCHRUN in os.environ and not processes.is_launched()
    wanted = int(asked) if asked.isascii() and asked.isdecimal() and not by_torchrun else 0
    return min(share, wanted or share)


def keep_memory() -> bool:
    """Tell the C library to keep freed memory, and say whether it could be told.

    By default glibc gives every large block back to the kernel at once and gets it anew, zeroed page by page, at the
    next layer: ReLU takes four times as long. Only glibc knows these parameters.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.mallopt(_M_MMAP_MAX, 0)) and bool(libc.mallopt(_M_TRIM_THRESHOLD, -1))


def choose_hardware(
    network: nn.Module,
    input_shape: tuple[int, int, int],
    *,
    precision: Precision = "auto",
    device: str | None = None,
    threads: int | None = None,
    num_images: int = TRIAL_IMAGES,
    clock: Clock = time.perf_counter,
) -> Hardware:
    """Decide what to train `network` with.

    Args:
        network: left as it is; copies are measured.
        input_shape: channels, height, width of its inputs.
        precision: forced, or `auto` for the fastest.
        device: forced, or None for the best there is.
        threads: forced, or None for as many as `available_threads` says.
        num_images: pictures in a batch of the training, which is known to fit; a trial may take fewer.
        clock: seconds; a test's own clock makes the choice predictable.

    Raises:
        InputError: a device that is not there.
    """
    device = device or available_device()
    if device != "cpu":
        if device != available_device():
            raise InputError(f"no device {device!r} on this machine; there is {available_device()!r}")
        chosen: Literal["float32", "bfloat16"] = "float32" if precision == "auto" and device == "mps" else "bfloat16"
        return Hardware(device, available_threads(), True, "float32" if precision == "float32" else chosen, "GPU")
    threads = threads or available_threads()
    torch.set_num_threads(threads)
    # The first is kept unless another is clearly faster: with the channels last more ways to convolve are known. Were
    # contiguous maps clearly faster with plain convolutions, those ways would not be tried.
    candidates = [
        Hardware(device, threads, channels_last, name, "")
        for name in ("float32", "bfloat16")
        for channels_last in (True, False)
        if precision in ("auto", name) and not (name == "bfloat16" and not channels_last)
    ]
    preferred = candidates[0]
    busy = busy_share()
    few = min(num_images, LOOK_IMAGES)
    looks = _trials(network, (few, *input_shape), candidates, clock)
    hopeless = _hopeless(looks, preferred)
    affordable = min(TRIAL_IMAGES, max(LOOK_IMAGES, int(few * TRIAL_SECONDS / looks[preferred])))
    candidates = [candidate for candidate in candidates if candidate not in hopeless]
    shape = (min(num_images, affordable), *input_shape)
    seconds = _trials(network, shape, candidates, clock)
    fastest = min(candidates, key=seconds.__getitem__)
    choice = fastest if seconds[fastest] * GAIN < seconds[preferred] else preferred
    figures = ", ".join(f"{_name(candidate)} {seconds[candidate] * 1000:.0f} ms" for candidate in candidates)
    for candidate, times in hopeless.items():
        figures += f"; {_name(candidate)} was not tried: at first sight {times:.0f} times the fastest's time"
    if busy is not None and busy > BUSY:
        figures += f"; other programs used {percent(busy, 0)} of the processor meanwhile, which may have misled"
    choice = replace(choice, reason=f"a trial step took: {figures}")
    layer_images = LAYER_TRIAL_IMAGES * affordable // TRIAL_IMAGES
    return _choose_ways(network, input_shape, choice, min(num_images, layer_images), clock)


def shared_hardware(given: Hardware | None, choose: Callable[..., Hardware], num_images: int) -> Hardware:
    """Return what is given, else what is chosen; for several processes, by the first one for all of them.

    Args:
        given: by a checkpoint or a caller.
        choose: `choose_hardware` but for its `device`, `threads` and `num_images`.
        num_images: pictures in a batch of the training, of which each process takes its part.

    Raises:
        InputError: the device is not there, or a batch is too small to be shared.
    """
    processes.check_batch(num_images)
    threads = available_threads(processes.count_here())
    part = -(-num_images // processes.count())
    device = None
    if processes.count() > 1:
        device = "cuda" if available_device() == "cuda" else "cpu"  # a Mac's GPU has no way to exchange gradients

    def check() -> None:
        if hardware.device not in ("cpu", available_device()):
            raise InputError(f"this training computes on {hardware.device}, which is not here: go on where it is")

    hardware = processes.by_first(lambda: given or choose(device=device, threads=threads, num_images=part))
    processes.by_each(check)
    return hardware.shared_by(processes.count(), threads)


def describe_machine() -> dict[str, Any]:
    """Return processor, cores, memory and accelerator, as a report needs them."""
    return {
        "processor": processor(),
        "cores": available_cores(),
        "memory_gib": memory_gib(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "bfloat16_units": bfloat16_units(),
    }


def _name(candidate: Hardware) -> str:
    return candidate.precision + (" channels-last" if candidate.channels_last else "")


def _hopeless(looks: Mapping[Hardware, float], preferred: Hardware) -> dict[Hardware, float]:
    """Return the candidates not worth a trial, and how many times as slow as the fastest they looked."""
    fastest = min(looks.values())
    slower = {candidate: seconds / fastest for candidate, seconds in looks.items() if candidate != preferred}
    return {candidate: times for candidate, times in slower.items() if times > HOPELESS}


def _trials(
    network: nn.Module, shape: tuple[int, int, int, int], candidates: Sequence[Hardware], clock: Clock
) -> dict[Hardware, float]:
    """Return the seconds of one forward and backward pass with each candidate."""
    steps = [_step(*_for_trial(network, shape, candidate), candidate) for candidate in candidates]
    with torch.random.fork_rng(devices=[]):  # dropout draws, and the experiment's own chances must not move
        return dict(zip(candidates, best_seconds(steps, clock, ENOUGH * len(candidates)), strict=True))


def _step(trial: nn.Module, inputs: torch.Tensor, candidate: Hardware) -> Callable[[], None]:
    def step() -> None:
        with candidate.autocast():
            outputs = trial(inputs)
        outputs.float().square().mean().backward()
        trial.zero_grad(set_to_none=True)  # the copies of all candidates wait for their turns

    return step


def _choose_ways(
    network: nn.Module, input_shape: tuple[int, int, int], choice: Hardware, num_images: int, clock: Clock
) -> Hardware:
    """Add the convolutions that are faster in another way than plainly."""
    trial, inputs = _for_trial(network, (2, *input_shape), choice)
    with torch.random.fork_rng(devices=[]):
        seconds = seconds_by_way(trial, inputs, num_images, choice.autocast, clock)
    if not seconds:
        return choice
    fastest = {name: min(of_layer, key=of_layer.__getitem__) for name, of_layer in seconds.items()}
    ways = {name: way for name, way in fastest.items() if seconds[name][way] * GAIN < seconds[name]["plain"]}
    figures = ", ".join(
        f"{name} {_WORDS[way]} {seconds[name][way] * 1000:.3g} instead of {seconds[name]['plain'] * 1000:.3g} ms"
        for name, way in ways.items()
    )
    said = f"convolutions: {figures}" if ways else "no convolution is faster in another way than plainly"
    return replace(choice, ways=tuple(ways.items()), reason=f"{choice.reason}; {said}")


def _for_trial(
    network: nn.Module, shape: tuple[int, int, int, int], candidate: Hardware
) -> tuple[nn.Module, torch.Tensor]:
    """Return a copy of the network and inputs for it, as the candidate wants them."""
    inputs = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    inputs = inputs.contiguous(memory_format=candidate.memory_format)
    return candidate.place(copy.deepcopy(network)).train(), inputs
