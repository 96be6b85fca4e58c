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
