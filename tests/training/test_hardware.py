import itertools
import json

import pytest
import torch
from torch import nn

from retinula.errors import InputError
from retinula.machine import available_cores
from retinula.training import hardware
from retinula.training.hardware import (
    Hardware,
    available_threads,
    choose_hardware,
    describe_machine,
    keep_memory,
)


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Dropout(0.5), nn.Flatten(), nn.LazyLinear(2))


@pytest.fixture
def small() -> nn.Module:
    module = network()
    module(torch.zeros(1, 3, 8, 8))
    return module


def clock_of(*seconds: float, looks: tuple[float, ...] = (1.0, 1.0, 1.0)) -> object:
    """A clock by which looks and trials take the given times, in turn; most so long that each is measured once."""
    ticks = itertools.chain.from_iterable((0.0, time) for time in (*looks, *seconds))
    return lambda: next(ticks)


@pytest.mark.parametrize(
    ("seconds", "precision", "channels_last"),
    [
        ((1.0, 0.9, 0.3), "bfloat16", True),
        ((1.0, 0.5, 0.6), "float32", False),
        ((1.0, 1.9, 1.1), "float32", True),
        ((1.0, 0.99, 0.98), "float32", True),  # within the noise: the preferred
    ],
)
def test_the_fastest_is_chosen(
    small: nn.Module, seconds: tuple[float, ...], precision: str, channels_last: bool
) -> None:
    chosen = choose_hardware(small, (3, 8, 8), device="cpu", clock=clock_of(*seconds))  # type: ignore[arg-type]  # a test's
    assert (chosen.precision, chosen.channels_last) == (precision, channels_last)
    assert "float32 channels-last 1000 ms" in chosen.reason


@pytest.mark.parametrize(("busy", "told"), [(None, False), (0.1, False), (0.85, True)])
def test_what_was_measured_beside_other_programs_says_so(
    busy: float | None, told: bool, small: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "busy_share", lambda: busy)
    chosen = choose_hardware(small, (3, 8, 8), device="cpu", clock=clock_of(1.0, 0.9, 0.3))  # type: ignore[arg-type]  # a test's
    words = "; other programs used 85 % of the processor meanwhile, which may have misled"
    assert (words in chosen.reason) == told
    assert ("other programs" in chosen.reason) == told


def test_what_is_hopeless_at_first_sight_is_not_tried(small: nn.Module) -> None:
    clock = clock_of(1.0, 0.5, looks=(0.5, 0.4, 1.61))  # and no third trial: the clock would have no time for it
    chosen = choose_hardware(small, (3, 8, 8), device="cpu", clock=clock)  # type: ignore[arg-type]  # a test's
    assert (chosen.precision, chosen.channels_last) == ("float32", False)
    assert "bfloat16 channels-last was not tried: at first sight 4 times the fastest's time" in chosen.reason


@pytest.mark.parametrize(
    ("looks", "trials"),
    [
        ((1.0, 1.0, 1.0), (0.1, 0.1, 0.4, 0.1, 0.1, 0.06)),
        ((0.1, 0.1, 0.41, 0.1, 0.1, 0.1), (1.0, 0.9, 0.3)),
    ],
)
def test_what_is_disturbed_once_is_measured_again(
    small: nn.Module, looks: tuple[float, ...], trials: tuple[float, ...]
) -> None:
    clock = clock_of(*trials, looks=looks)
    chosen = choose_hardware(small, (3, 8, 8), device="cpu", clock=clock)  # type: ignore[arg-type]  # a test's
    assert chosen.precision == "bfloat16"
    assert "not tried" not in chosen.reason


@pytest.mark.parametrize(("look", "whole", "layer"), [(0.001, 64, 256), (0.1, 20, 80), (1.0, 4, 16), (90.0, 4, 16)])
def test_trials_are_short_also_where_the_processor_is_held_by_others(
    small: nn.Module, monkeypatch: pytest.MonkeyPatch, look: float, whole: int, layer: int
) -> None:
    tried, pictures_of_layers = list[int](), list[int]()

    def trials(
        _network: nn.Module, shape: tuple[int, ...], candidates: list[Hardware], *_: object
    ) -> dict[Hardware, float]:
        tried.append(shape[0])
        return dict.fromkeys(candidates, look)

    def ways(_network: nn.Module, _inputs: torch.Tensor, num_images: int, *_: object) -> dict[str, object]:
        pictures_of_layers.append(num_images)
        return {}

    monkeypatch.setattr(hardware, "_trials", trials)
    monkeypatch.setattr(hardware, "seconds_by_way", ways)
    choose_hardware(small, (3, 8, 8), device="cpu", precision="float32", num_images=500)
    assert tried == [4, whole]
    assert pictures_of_layers == [layer]


def test_the_preferred_is_tried_however_slow_it_looks(small: nn.Module) -> None:
    clock = clock_of(0.3, 0.5, 0.6, looks=(5.0, 1.0, 1.0))
    chosen = choose_hardware(small, (3, 8, 8), device="cpu", clock=clock)  # type: ignore[arg-type]  # a test's
    assert (chosen.precision, chosen.channels_last) == ("float32", True)


@pytest.mark.parametrize(
    ("seconds", "chosen", "said"),
    [
        (
            (0.6, 0.5, 0.4, 0.5),
            {"0": "side_by_side"},
            "convolutions: 0 with pictures side by side 500 instead of 600 ms",
        ),
        (
            (0.6, 0.5, 0.5, 0.4),
            {"0": "side_by_side", "2": "side_by_side"},
            "side by side 500 instead of 600 ms, 2 with pictures side by side 400 instead of 500 ms",
        ),
        ((0.52, 0.5, 0.4, 0.39), {}, "no convolution is faster in another way than plainly"),  # within the noise
    ],
)
def test_a_convolution_is_computed_in_the_way_that_is_faster(
    seconds: tuple[float, ...], chosen: dict[str, str], said: str
) -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, padding=1))
    clock = clock_of(1.0, 0.9, 0.3, *seconds)
    hardware = choose_hardware(module, (3, 8, 8), device="cpu", num_images=16, clock=clock)  # type: ignore[arg-type]  # a test's
    assert dict(hardware.ways) == chosen
    assert hardware.reason.endswith(said)
    read = Hardware.from_dict(json.loads(json.dumps(hardware.to_dict())))
    assert len({read, hardware}) == 1


@pytest.mark.parametrize(
    ("seconds", "way", "said"),
    [
        ((0.9, 0.8, 0.5, 0.6), "winograd", "0 by Winograd's way 500 instead of 900 ms"),
        ((0.9, 0.8, 0.7, 0.6), "winograd_gradients", "0 with gradients by Winograd's way 600 instead of 900 ms"),
    ],
)
def test_winograds_way_is_chosen_where_it_is_the_fastest(seconds: tuple[float, ...], way: str, said: str) -> None:
    module = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1))
    clock = clock_of(0.9, 1.0, *seconds, looks=(1.0, 1.0))
    hardware = choose_hardware(module, (32, 8, 8), device="cpu", precision="float32", num_images=16, clock=clock)  # type: ignore[arg-type]  # a test's
    assert hardware.ways == (("0", way),)
    assert hardware.reason.endswith(f"convolutions: {said}")


def test_the_hardware_of_an_earlier_checkpoint_is_read() -> None:
    before = {**Hardware("cpu", 1, True, "float32", "").to_dict(), "side_by_side": ("a", "b")}
    del before["ways"], before["processes"]
    assert Hardware.from_dict(before).ways == (("a", "side_by_side"), ("b", "side_by_side"))
    assert Hardware.from_dict(before).processes == 1


@pytest.mark.parametrize("change", [{"colour": 1}, {"ways": (("0", "backwards"),)}])
def test_the_hardware_of_a_later_checkpoint_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError, match="written by another version of Retinula; go on with that one"):
        Hardware.from_dict({**Hardware("cpu", 1, True, "float32", "").to_dict(), **change})


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_forced_precision_is_kept(small: nn.Module, precision: str) -> None:
    chosen = choose_hardware(small, (3, 8, 8), device="cpu", precision=precision, threads=1)  # type: ignore[arg-type]  # a parameter
    assert (chosen.precision, chosen.threads) == (precision, 1)
    assert Hardware.from_dict(chosen.to_dict()) == chosen


def test_the_network_and_the_chances_are_left_as_they_were(small: nn.Module) -> None:
    before = {key: value.clone() for key, value in small.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    choose_hardware(small, (3, 8, 8), device="cpu")
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(value, before[key]) for key, value in small.state_dict().items())
    assert all(p.grad is None for p in small.parameters())


def test_no_copy_keeps_its_gradients_while_another_has_its_turn() -> None:
    copies: set[nn.Module] = set()

    class Noting(nn.Conv2d):
        def forward(self, maps: torch.Tensor) -> torch.Tensor:
            copies.add(self)
            assert all(each.weight.grad is None for each in copies if isinstance(each, Noting))
            return super().forward(maps)

    choose_hardware(nn.Sequential(Noting(3, 4, 3)), (3, 8, 8), device="cpu", threads=1)
    assert len(copies) > 2


def test_a_missing_device_is_an_error(small: nn.Module) -> None:
    with pytest.raises(InputError, match="no device 'tpu' on this machine"):
        choose_hardware(small, (3, 8, 8), device="tpu")


def test_the_machine_is_described() -> None:
    machine = describe_machine()
    assert machine["processor"]
    assert machine["cores"] == available_cores() >= available_threads() >= 1
    assert machine["bfloat16_units"] in ("amx", "avx512", "none", "unknown")
    assert isinstance(keep_memory(), bool)


def test_threads_follow_the_number_of_processes() -> None:
    alone = Hardware("cpu", 8, True, "bfloat16", "")
    assert alone.shared_by(1, 3) is alone
    pair = alone.shared_by(2, 4)
    assert (pair.processes, pair.threads) == (2, 4)
    assert pair.words == "2 processes, each on cpu with 4 threads in bfloat16, channels last"
    assert pair.shared_by(1, 8) == alone
    before = alone.to_dict()
    del before["processes"]  # a checkpoint from before there were several
    assert Hardware.from_dict(before) == alone


@pytest.mark.parametrize(
    ("asked", "others", "processes", "threads"),
    [
        (None, {}, 1, 8),
        ("3", {}, 1, 3),
        ("1", {}, 1, 1),
        ("64", {}, 1, 8),
        ("0", {}, 1, 8),
        ("4,2", {}, 1, 8),
        ("²", {}, 1, 8),
        ("", {}, 1, 8),
        (None, {}, 3, 2),
        (None, {}, 20, 1),
        ("3", {}, 2, 3),
        ("1", {"TORCHELASTIC_RUN_ID": "x"}, 2, 4),
        ("2", {"TORCHELASTIC_RUN_ID": "x"}, 2, 2),
        ("1", {"TORCHELASTIC_RUN_ID": "x", "RETINULA_LAUNCHED": "1 file"}, 2, 1),
    ],
)
def test_threads_are_as_many_as_asked_for_and_at_most_the_share_of_the_cores(
    asked: str | None, others: dict[str, str], processes: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "available_cores", lambda: 8)
    for name in ("OMP_NUM_THREADS", "TORCHELASTIC_RUN_ID", "RETINULA_LAUNCHED"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**({} if asked is None else {"OMP_NUM_THREADS": asked}), **others}.items():
        monkeypatch.setenv(name, value)
    assert available_threads(processes) == threads
