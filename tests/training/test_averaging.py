from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from retinula.training.averaging import WeightAverage


def test_average_by_hand() -> None:
    network = nn.BatchNorm1d(1)
    with torch.no_grad():
        network.weight.fill_(0.0)
    average = WeightAverage(network, decay=0.5)
    expected = 0.0
    for step in range(1, 6):
        with torch.no_grad():
            network.weight.fill_(float(step))
            assert network.running_mean is not None
            network.running_mean.fill_(float(10 * step))
        average.update(network, step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
        state = average.network.state_dict()
        assert float(state["weight"]) == pytest.approx(expected)
        assert float(state["running_mean"]) == 10 * step
    assert not average.network.training
    assert not any(p.requires_grad for p in average.network.parameters())
    assert network.weight.tolist() == [5.0]


def test_the_decay_grows_no_further_than_asked() -> None:
    network = nn.Linear(1, 1)
    average = WeightAverage(network, decay=0.5)
    with torch.no_grad():
        average.network.weight.fill_(0.0)  # type: ignore[operator]  # of a linear layer
        network.weight.fill_(1.0)
    average.update(network, 1000)
    assert average.network.state_dict()["weight"].tolist() == [[0.5]]


def test_statistics_are_those_of_the_averaged_weights() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4))
    average = WeightAverage(network, decay=0.5)
    with torch.no_grad():
        network[0].weight.mul_(100)  # type: ignore[operator]  # a convolution's
    network(torch.rand(8, 3, 6, 6))
    average.update(network, 1)
    assert torch.equal(average.network.state_dict()["1.running_var"], network.state_dict()["1.running_var"])
    batches = [torch.rand(8, 3, 6, 6) for _ in range(3)]
    average.renew_statistics(batches)
    maps = [average.network[0](inputs) for inputs in batches]  # type: ignore[index]  # of the layers above
    state = average.network.state_dict()
    torch.testing.assert_close(state["1.running_mean"], torch.stack([m.mean((0, 2, 3)) for m in maps]).mean(0))
    torch.testing.assert_close(state["1.running_var"], torch.stack([m.var((0, 2, 3)) for m in maps]).mean(0))
    assert not any(layer.training for layer in average.network.modules())
    assert average.network[1].momentum == 0.1  # type: ignore[index]


def test_statistics_are_computed_in_the_precision_given() -> None:
    depth, seen = 0, []

    @contextmanager
    def counted() -> Iterator[None]:
        nonlocal depth
        depth += 1
        yield
        depth -= 1

    average = WeightAverage(nn.Sequential(nn.BatchNorm2d(3)), decay=0.5)
    average.network.register_forward_hook(lambda *_: seen.append(depth))
    average.renew_statistics([torch.rand(4, 3, 2, 2)] * 3, counted)
    assert seen == [1, 1, 1]


def test_a_batch_of_few_pictures_counts_as_little_as_it_has() -> None:
    torch.manual_seed(0)
    average = WeightAverage(nn.Sequential(nn.BatchNorm2d(3)), decay=0.5)
    images = torch.rand(66, 3, 6, 6)
    images[64:] += 5
    assert average.renew_statistics([images[:64], images[64:]]) == 66
    state = average.network.state_dict()
    torch.testing.assert_close(state["0.running_mean"], images.mean((0, 2, 3)))
    within = (64 * images[:64].var((0, 2, 3)) + 2 * images[64:].var((0, 2, 3))) / 66
    torch.testing.assert_close(state["0.running_var"], within)


def test_statistics_of_a_frozen_body_stay() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3).requires_grad_(False), nn.BatchNorm2d(3))
    average = WeightAverage(network, decay=0.5)
    average.renew_statistics([torch.rand(8, 3, 6, 6) + 5])
    state = average.network.state_dict()
    assert state["0.running_mean"].tolist() == [0, 0, 0]
    assert (state["1.running_mean"] > 4).all()


def test_no_batch_is_asked_for_where_nothing_is_normalised() -> None:
    average = WeightAverage(nn.Conv2d(3, 4, 3), decay=0.5)
    average.renew_statistics(torch.zeros(1) for _ in iter(int, 1))  # without end
    assert not average.network.training
