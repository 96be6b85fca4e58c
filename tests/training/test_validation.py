"""Loss and accuracy of pictures to choose by, whatever is asked for at once, and by however many processes."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from retinula.images import ImageSet
from retinula.metrics import accuracy, cross_entropy
from retinula.recipe.files import load_recipe
from retinula.training import processes
from retinula.training.hardware import Hardware
from retinula.training.plan import Plan, make_plan, make_preprocess
from retinula.training.validation import validate

MakeSet = Callable[..., ImageSet]
RECONSTRUCTION = ("model=cifar10-denoise", "objective=mse", "metric=val_loss", "normalise=unit", "crop_padding=0")


def planned(make_set: MakeSet, *settings: str) -> tuple[Plan, nn.Module, ImageSet]:
    """A plan, an untrained network for it, and 40 pictures to choose by."""
    recipe, train_set, held_out = load_recipe("digits", settings), make_set(60), make_set(40, seed=3)
    plain = Hardware("cpu", 1, False, "float32", "for the test")
    plan = make_plan(recipe, train_set, held_out, make_preprocess(recipe, train_set), plain)
    torch.manual_seed(0)
    classifier = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    return plan, nn.Identity() if recipe.objective.reconstructs else classifier, held_out


def assert_same(measured: tuple[float, float | None], wanted: tuple[float, float | None]) -> None:
    assert measured[0] == pytest.approx(wanted[0])
    assert measured[1] == wanted[1]


@pytest.mark.parametrize("settings", [(), RECONSTRUCTION])
def test_all_pictures_are_measured_however_many_at_once(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch, settings: tuple[str, ...]
) -> None:
    plan, network, held_out = planned(make_set, *settings)
    whole = validate(plan, network, held_out)
    if not settings:
        logits = network(plan.preprocess.normalise(torch.from_numpy(held_out.images)))
        labels = torch.from_numpy(held_out.known_labels())
        assert_same(whole, (cross_entropy(logits, labels), accuracy(logits, labels)))
    monkeypatch.setattr("retinula.portions.VALUES", 16 * 64)
    batches: list[int] = []
    network.register_forward_pre_hook(lambda _, inputs: batches.append(len(inputs[0])))
    assert_same(validate(plan, network, held_out), whole)
    assert batches == [16, 16, 8]


@pytest.mark.parametrize("settings", [(), (*RECONSTRUCTION, "noise=[0.1,0.2]")])
def test_processes_measure_together_what_one_does(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch, settings: tuple[str, ...]
) -> None:
    monkeypatch.setattr("retinula.portions.VALUES", 16 * 64)
    plan, network, held_out = planned(make_set, *settings)
    whole = validate(plan, network, held_out)
    parts: list[torch.Tensor] = []

    def kept(values: torch.Tensor) -> torch.Tensor:
        parts.append(values.clone())
        return values

    for rank in (0, 1):
        monkeypatch.setattr(processes, "takes", lambda number, rank=rank: number % 2 == rank)
        monkeypatch.setattr(processes, "added_up", kept)
        validate(plan, network, held_out)
    monkeypatch.setattr(processes, "added_up", lambda _: torch.stack(parts).sum(dim=0))
    assert_same(validate(plan, network, held_out), whole)
