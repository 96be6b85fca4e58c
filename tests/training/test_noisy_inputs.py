"""Noise while training: on what the network sees, never on what it is compared with."""

from collections.abc import Callable

import torch
from torch import nn

from retinula.images import ImageSet
from retinula.recipe.files import load_recipe
from retinula.training.hardware import Hardware
from retinula.training.inputs import prepare
from retinula.training.plan import Plan, make_plan, make_preprocess
from retinula.training.validation import validate

MakeSet = Callable[..., ImageSet]
RECONSTRUCTION = ("model=cifar10-denoise", "objective=mse", "metric=val_loss", "normalise=unit", "crop_padding=0")


class Copy(nn.Module):
    """Gives the inputs back as logits."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.logit(inputs, eps=1e-6)


def planned(make_set: MakeSet, *settings: str) -> Plan:
    recipe = load_recipe("digits", ["batch_size=20", *settings])
    train_set = make_set(60)
    plain = Hardware("cpu", 1, False, "float32", "for the test")
    return make_plan(recipe, train_set, make_set(40, seed=3), make_preprocess(recipe, train_set), plain)


def first(plan: Plan) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Inputs and targets of the first step, and the pictures themselves in 0..1."""
    batch = next(plan.batches.batches(0, 1))
    prepared = prepare(plan, batch)
    return prepared.inputs, prepared.targets, torch.from_numpy(plan.train_set.images[batch.indices.numpy()]) / 255


def test_a_reconstruction_sees_noise_and_is_compared_with_the_clean_picture(make_set: MakeSet) -> None:
    plan = planned(make_set, *RECONSTRUCTION, "noise=[0.1,0.1]")
    inputs, targets, clean = first(plan)
    assert torch.allclose(targets, clean)
    inside = (clean > 0.35) & (clean < 0.65)
    assert 0.09 < (inputs - clean)[inside].std() < 0.11
    assert 0 <= inputs.min() <= inputs.max() <= 1
    assert torch.equal(first(plan)[0], inputs), "the same step gives the same noise"


def test_a_classifier_sees_it_too_and_keeps_its_labels(make_set: MakeSet) -> None:
    quiet, noisy = planned(make_set), planned(make_set, "noise=[0.1,0.2]")
    inputs, labels, _ = first(quiet)
    spoiled, same, _ = first(noisy)
    assert torch.equal(labels, same)
    assert inputs.shape == spoiled.shape
    assert not torch.allclose(inputs, spoiled, atol=0.1)


def test_a_denoiser_is_chosen_on_noise_that_stays_the_same(make_set: MakeSet) -> None:
    held_out = make_set(40, seed=3)
    noisy = planned(make_set, *RECONSTRUCTION, "noise=[0.1,0.1]")
    loss, accuracy = validate(noisy, Copy(), held_out)
    assert accuracy is None
    assert 0.005 < loss < 0.0101, "the identity is no good denoiser"
    assert validate(noisy, Copy(), held_out)[0] == loss
    assert validate(planned(make_set, *RECONSTRUCTION), Copy(), held_out)[0] < 1e-6
