import copy
import itertools
from collections.abc import Callable

import pytest
import torch
from torch import nn

from retinula.models.catalog import NETWORKS, build
from retinula.training.arrangement import SideBySide, arrange, side_by_side_seconds
from retinula.training.optimizers import running_statistics_kept


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


def outputs_and_gradients(network: nn.Module, inputs: torch.Tensor) -> list[torch.Tensor]:
    """What a pass gives: outputs, then gradients of the inputs and of every weight, for a loss that tells all apart."""
    inputs = inputs.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    torch.manual_seed(3)  # dropout
    outputs = network(inputs)
    loss = (outputs * torch.linspace(-1, 2, outputs.numel()).to(outputs.dtype).view_as(outputs)).sum()
    wanted = [inputs, *(parameter for parameter in network.parameters() if parameter.requires_grad)]
    return [outputs, *torch.autograd.grad(loss, wanted)]


@pytest.mark.parametrize("num_images", [1, 2, 7, 12, 17, 32, 33])
@pytest.mark.parametrize("size", [(1, 1), (4, 4), (3, 8), (9, 5)])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_pictures_side_by_side_do_not_see_each_other(
    num_images: int, size: tuple[int, int], memory_format: torch.memory_format
) -> None:
    convolution = nn.Conv2d(3, 5, 3, padding=1).double().to(memory_format=memory_format)  # type: ignore[call-overload]  # torch's stubs lack it
    inputs = torch.randn(num_images, 3, *size, dtype=torch.float64).contiguous(memory_format=memory_format)
    plain = outputs_and_gradients(convolution, inputs)
    beside = outputs_and_gradients(SideBySide(convolution), inputs)
    for one, other in zip(plain, beside, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    assert beside[0].is_contiguous(memory_format=memory_format)


class Turned(nn.Module):
    """Rows for columns, so that the gradient does not lie in memory as the maps do."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps.transpose(2, 3).contiguous()


def test_inputs_and_gradients_may_lie_in_memory_in_any_order() -> None:
    layer = nn.Conv2d(3, 5, 3, padding=1).double()
    inputs = torch.randn(5, 4, 3, 6, dtype=torch.float64).permute(1, 2, 3, 0)
    assert not inputs.is_contiguous()
    assert not inputs.is_contiguous(memory_format=torch.channels_last)
    plain = outputs_and_gradients(nn.Sequential(layer, Turned()), inputs)
    beside = outputs_and_gradients(nn.Sequential(SideBySide(layer), Turned()), inputs)
    for one, other in zip(plain, beside, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


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
    twin = arrange(network, ["0", "5.0"])
    assert str(network) == str(before)
    assert isinstance(twin.get_submodule("5.0"), SideBySide)
    assert network.state_dict().keys() == before.state_dict().keys()
    for own, theirs in zip(
        (*network.parameters(), *network.buffers()), (*twin.parameters(), *twin.buffers()), strict=True
    ):
        assert own is theirs


def test_a_step_of_the_twin_moves_weights_and_statistics_of_the_original() -> None:
    network = small_network().eval()
    alone = copy.deepcopy(network).train()
    twin = arrange(network, ["0", "5.0"])
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


@pytest.mark.parametrize("name", [name for name, entry in NETWORKS.items() if entry.task == "classification"])
def test_every_network_computes_the_same_with_all_its_small_maps_side_by_side(name: str) -> None:
    torch.manual_seed(0)
    network = build(name, num_classes=3, channels=3, size=(16, 16)).double().train()
    inputs = torch.rand(4, 3, 16, 16, dtype=torch.float64)
    names = [name for name, layer in network.named_modules() if type(layer) is nn.Conv2d and layer.padding == (1, 1)]
    names = [name for name in names if network.get_submodule(name).stride == (1, 1)]
    names = [name for name in names if network.get_submodule(name).groups == 1]
    plain, beside = copy.deepcopy(network), arrange(network, names)
    for one, other in zip(outputs_and_gradients(plain, inputs), outputs_and_gradients(beside, inputs), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


class Clock:
    """Says what time it is when a layer begins and ends, by the seconds that each layer is to take in turn."""

    def __init__(self, *seconds: float) -> None:
        self.ticks = itertools.chain.from_iterable((0.0, second) for second in seconds)

    def __call__(self) -> float:
        return next(self.ticks)


def test_only_fitting_convolutions_on_small_maps_are_measured_and_equal_ones_once() -> None:
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
    found = side_by_side_seconds(network, torch.rand(2, 3, 34, 34), 16, autocast(torch.float32), clock)
    assert found == {"4": (3.0, 2.0), "5": (3.0, 2.0), "9": (1.0, 1.5)}
    assert all(parameter.grad is None for parameter in network.parameters())


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
    side_by_side_seconds(network, inputs, 6, autocast(precision))
    first, *_, last = seen
    assert first.shape == (6, 3, 8, 8)
    assert last.shape == (6, 4, 8, 8)
    assert (first.dtype, last.dtype) == (torch.float32, precision)
    assert (first.requires_grad, last.requires_grad) == (False, trained)
    assert last.is_contiguous(memory_format=torch.channels_last)
