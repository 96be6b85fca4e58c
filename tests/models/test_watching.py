"""Layers are watched while they run, and no longer."""

import pytest
import torch
from torch import nn

from retinula.models.watching import watched


def test_every_use_is_told_with_input_and_output_and_changes_nothing() -> None:
    twice, once = nn.Linear(2, 2), nn.Sequential(nn.ReLU())
    network = nn.Sequential(twice, once, twice)
    inputs = torch.rand(3, 2)
    plain = network(inputs)
    seen: list[tuple[str, torch.Tensor, torch.Tensor]] = []

    def look(*told: torch.Tensor) -> torch.Tensor:
        seen.append(told)  # type: ignore[arg-type]  # name, input, output
        return torch.zeros(3, 2)  # is not taken for the output

    with watched({"twice": twice, "once": once}, look):  # type: ignore[arg-type]  # likewise
        assert torch.equal(network(inputs), plain)
    assert [name for name, _, _ in seen] == ["twice", "once", "twice"]
    assert torch.equal(seen[0][1], inputs)
    assert torch.equal(seen[0][2], seen[1][1])
    assert torch.equal(seen[2][2], plain)


def test_nobody_watches_after_an_error() -> None:
    layer = nn.Linear(2, 2)
    with pytest.raises(RuntimeError), watched({"": layer}, lambda *_: None):
        layer(torch.zeros(1, 3))
    assert not layer._forward_hooks
