import copy
import itertools
from collections.abc import Callable

import pytest
import torch
from torch import nn

from gradients import outputs_and_gradients
from retinula.models.catalog import NETWORKS, build
from retinula.training import arrangement
from retinula.training.arrangement import Way, arrange, seconds_by_way
from retinula.training.optimizers import running_statistics_kept
from retinula.training.side_by_side import SideBySide
from retinula.training.winograd import Winograd


def autocast(precision: torch.dtype) -> Callable[[], torch.autocast]:
    return lambda: torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16, cache_enabled=False)


def small_network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.5),
        nn.Sequential(nn.Conv2d(6, 4, 3, padding=1), nn.ReLU(), nn.Flatten()),
    )


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1), nn.MaxPool2d((1, 2), ceil_mode=True)])
def test_pooling_before_relu_is_the_same_to_the_bit_even_where_pixels_are_equal(pool: nn.MaxPool2d) -> None:
    network = nn.Sequential(nn.ReLU(), pool)
    twin = arrange(network, ())
    assert [type(layer) for layer in twin.children()] == [nn.MaxPool2d, nn.ReLU]
    inputs = torch.randint(-2, 3, (4, 3, 9, 7)).float()
    for one, other in zip(outputs_and_gradients(network, inputs), outputs_and_gradients(twin, inputs), strict=True):
        assert torch.equal(one, other)


def test_what_would_gain_nothing_or_differ_stays_in_its_place() -> None:
    same_relu = nn.ReLU()
    for layers in (
        [nn.GELU(), nn.MaxPool2d(2)],
        [nn.ReLU(), nn.MaxPool2d(3, stride=1)],
        [nn.ReLU(), nn.MaxPool2d(2, return_indices=True)],
        [nn.ReLU(), nn.AvgPool2d(2)],
        [nn.MaxPool2d(2), nn.ReLU()],
        [same_relu, nn.Conv2d(2, 2, 1), same_relu],
    ):
        twin = arrange(nn.Sequential(*layers), ())
        assert [type(layer) for layer in twin] == [type(layer) for layer in layers]  # type: ignore[attr-defined]  # a Sequential


def test_a_twin_shares_every_weight_and_buffer_and_the_original_stays_as_it_was() -> None:
    network = small_network().eval()
    before = copy.deepcopy(network)
    twin = arrange(network, [("0", "side_by_side"), ("5.0", "winograd")])
    assert str(network) == str(before)
    assert isinstance(twin.get_submodule("0"), SideBySide)
    assert isinstance(twin.get_submodule("5.0"), Winograd)
    assert network.state_dict().keys() == before.state_dict().keys()
    for own, theirs in zip(
        (*network.parameters(), *network.buffers()), (*twin.parameters(), *twin.buffers()), strict=True
    ):
        assert own is theirs


def test_a_step_of_the_twin_moves_weights_and_statistics_of_the_original() -> None:
    network = small_network().eval()
    alone = copy.deepcopy(network).train()
    twin = arrange(network, [("0", "side_by_side"), ("5.0", "winograd")])
    assert twin.training
    assert all(layer.training for layer in twin.modules())
    assert not any(layer.training for layer in network.modules())
    inputs = torch.randn(16, 2, 6, 6)
    for running in (alone, twin):
        optimizer = torch.optim.SGD(running.parameters(), lr=0.1)
        torch.manual_seed(3)
        running(inputs).square().sum().backward()
        optimizer.step()
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, alone.state_dict()[name], rtol=1e-4, atol=1e-5)
    statistics = network.get_submodule("1")
    assert statistics.num_batches_tracked == 1
    with running_statistics_kept(twin):
        kept = statistics.running_mean.clone()  # type: ignore[operator]  # a buffer
        twin(inputs + 5)
    assert torch.equal(statistics.running_mean, kept)  # type: ignore[arg-type]  # a buffer
    assert statistics.num_batches_tracked == 1
    twin(inputs + 5)
    assert statistics.num_batches_tracked == 2


def test_dropout_of_the_twin_draws_as_the_original_would() -> None:
    network = small_network().train()
    inputs = torch.randn(4, 2, 6, 6)
    torch.manual_seed(0)
    plain = network(inputs)
    torch.manual_seed(0)
    assert torch.equal(arrange(network, ())(inputs), plain)


@pytest.mark.parametrize("way", ["side_by_side", "winograd", "winograd_gradients"])
@pytest.mark.parametrize("name", [name for name, entry in NETWORKS.items() if entry.task == "classification"])
def test_every_network_computes_the_same_in_every_way(name: str, way: Way) -> None:
    torch.manual_seed(0)
    network = build(name, num_classes=3, channels=3, size=(16, 16)).double().train()
    # Dropout draws in the order in which maps lie in memory, and Winograd's way leaves them with the channels last.
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    inputs = torch.rand(4, 3, 16, 16, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    for weight in network.parameters():
        # Filters that only pass maps on leave pixels that are equal to the bit, and pooling may take the other one.
        if weight.dim() == 4:
            nn.init.kaiming_uniform_(weight)
    names = [name for name, layer in network.named_modules() if type(layer) is nn.Conv2d and layer.padding == (1, 1)]
    names = [name for name in names if network.get_submodule(name).stride == (1, 1)]
    names = [name for name in names if network.get_submodule(name).groups == 1]
    plain, other_way = copy.deepcopy(network), arrange(network, [(name, way) for name in names])
    for one, other in zip(outputs_and_gradients(plain, inputs), outputs_and_gradients(other_way, inputs), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


class Clock:
    """Says what time it is when a layer begins and ends, by the seconds that each layer is to take in turn."""

    def __init__(self, *seconds: float) -> None:
        self.ticks = itertools.chain.from_iterable((0.0, second) for second in seconds)

    def __call__(self) -> float:
        return next(self.ticks)


def test_only_fitting_convolutions_on_small_maps_are_laid_side_by_side_and_equal_ones_measured_once() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),  # 34 pixels wide
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 5, padding=2),  # 17
        nn.Conv2d(4, 4, 3, stride=2, padding=1),
        nn.Conv2d(4, 4, 3, padding=1),  # 9: first kind
        nn.Conv2d(4, 4, 3, padding=1),
        nn.Conv2d(4, 4, 3, padding=1, groups=2),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2),
        nn.Conv2d(4, 8, 3, padding=1),  # second kind
    )
    clock = Clock(3.0, 2.0, 1.0, 1.5)
    found = seconds_by_way(network, torch.rand(2, 3, 34, 34), 16, autocast(torch.float32), clock)
    first, second = {"plain": 3.0, "side_by_side": 2.0}, {"plain": 1.0, "side_by_side": 1.5}
    assert found == {"4": first, "5": first, "9": second}
    assert all(parameter.grad is None for parameter in network.parameters())


def test_winograds_way_is_tried_where_there_are_channels_enough_tiles_fit_and_products_are_float32() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1),  # too few channels
        nn.Conv2d(64, 32, 3, padding=1),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),  # 16 pixels wide: side by side as well
        nn.MaxPool2d(3),
        nn.Conv2d(64, 64, 3, padding=1),  # 5: tiles would fit badly
    ).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    inputs = torch.rand(2, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    found = seconds_by_way(network, inputs, 16, autocast(torch.float32))
    beside, quick = ["plain", "side_by_side"], ["winograd", "winograd_gradients"]
    assert {name: list(ways) for name, ways in found.items()} == {
        "1": ["plain", *quick],
        "3": [*beside, *quick],
        "5": beside,
    }
    found = seconds_by_way(network, inputs, 16, autocast(torch.bfloat16))
    assert {name: list(ways) for name, ways in found.items()} == {"3": beside, "5": beside}
    found = seconds_by_way(
        network.to(memory_format=torch.contiguous_format), inputs.contiguous(), 16, autocast(torch.float32)
    )
    assert list(found) == ["3", "5"]


@pytest.mark.parametrize(
    ("side", "most", "taken"),
    [
        (16, 4_000_000_000, 40),
        (16, 37 * 16 * 16 * 32 * 64 * 9, 32),  # whole groups, to be laid side by side
        (16, 1, 16),
        (32, 37 * 32 * 32 * 32 * 64 * 9, 37),
        (32, 1, 1),
    ],
)
def test_a_trial_takes_as_many_pictures_as_its_multiplications_allow(
    side: int, most: int, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrangement, "TRIAL_MULTIPLY_ADDS", most)
    seen: list[int] = []
    real = Winograd.forward

    def forward(self: Winograd, maps: torch.Tensor) -> torch.Tensor:
        seen.append(len(maps))
        return real(self, maps)

    monkeypatch.setattr(Winograd, "forward", forward)
    network = nn.Sequential(nn.Conv2d(32, 64, 3, padding=1)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    inputs = torch.rand(2, 32, side, side).contiguous(memory_format=torch.channels_last)
    seconds_by_way(network, inputs, 40, autocast(torch.float32))
    assert set(seen) == {taken}


def test_gradients_that_nobody_wants_are_not_tried_apart_and_layouts_not_taken_for_the_same() -> None:
    class Once(nn.Module):
        """Its inputs with the channels last, then as they are."""

        def __init__(self) -> None:
            super().__init__()
            self.last, self.first = (nn.Conv2d(32, 32, 3, padding=1).requires_grad_(False) for _ in range(2))

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            outputs: torch.Tensor = self.last(inputs.contiguous(memory_format=torch.channels_last)) + self.first(inputs)
            return outputs

    found = seconds_by_way(Once(), torch.rand(2, 32, 8, 8), 2, autocast(torch.float32))
    beside = ["plain", "side_by_side"]
    assert {name: list(ways) for name, ways in found.items()} == {"last": [*beside, "winograd"], "first": beside}


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("trained", [True, False])
def test_a_layer_is_measured_as_it_will_run(
    precision: torch.dtype, trained: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1))
    network = network.to(memory_format=torch.channels_last).requires_grad_(trained)  # type: ignore[call-overload]  # torch's stubs lack it
    seen: list[torch.Tensor] = []
    real = SideBySide.forward

    def forward(self: SideBySide, maps: torch.Tensor) -> torch.Tensor:
        seen.append(maps)
        return real(self, maps)

    monkeypatch.setattr(SideBySide, "forward", forward)
    inputs = torch.rand(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    seconds_by_way(network, inputs, 6, autocast(precision))
    first, *_, last = seen
    assert first.shape == (6, 3, 8, 8)
    assert last.shape == (6, 4, 8, 8)
    assert (first.dtype, last.dtype) == (torch.float32, precision)
    assert (first.requires_grad, last.requires_grad) == (False, trained)
    assert last.is_contiguous(memory_format=torch.channels_last)


def test_a_network_that_fails_is_watched_no_longer() -> None:
    network = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(3, 2, 3, padding=1))
    with pytest.raises(RuntimeError):
        seconds_by_way(network, torch.rand(1, 2, 8, 8), 2, autocast(torch.float32))
    assert not any(layer._forward_pre_hooks or layer._forward_hooks for layer in network)
