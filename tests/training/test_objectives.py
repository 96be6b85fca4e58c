from collections.abc import Callable

import numpy as np
import pytest
import torch

from retinula.images import ImageSet
from retinula.recipe.sections import Objective
from retinula.training.objectives import balanced_weights, loss_function, mean_weights

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.5]])
LABELS = torch.tensor([0, 2])


def unbalanced(make_set: Callable[..., ImageSet]) -> ImageSet:
    full = make_set(12, num_classes=4)
    return ImageSet(full.images, np.array([0] * 6 + [1] * 3 + [2] * 3), full.classes, "unbalanced")


def test_cross_entropy_by_hand(make_set: Callable[..., ImageSet]) -> None:
    log_probs = LOGITS - LOGITS.exp().sum(dim=1, keepdim=True).log()
    plain = -(log_probs[0, 0] + log_probs[1, 2]) / 2
    assert torch.isclose(loss_function(Objective(), make_set())(LOGITS, LABELS), plain)
    smooth = 0.7 * plain - 0.3 * log_probs.mean()
    assert torch.isclose(loss_function(Objective(label_smoothing=0.3), make_set())(LOGITS, LABELS), smooth)
    targets = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    mixed = -(targets * log_probs).sum() / 2
    assert torch.isclose(loss_function(Objective(), make_set())(LOGITS, targets), mixed)


def test_balanced_weights_make_classes_count_the_same(make_set: Callable[..., ImageSet]) -> None:
    weights = balanced_weights(unbalanced(make_set))
    assert weights.tolist() == pytest.approx([12 / 18, 12 / 9, 12 / 9, 1])  # the last class has no pictures
    logits = torch.zeros(12, 4)
    logits[:6, 0] = 3  # right on the common class only
    labels = torch.tensor([0] * 6 + [1] * 3 + [2] * 3)
    balanced = loss_function(Objective(class_weights="balanced"), unbalanced(make_set))(logits, labels)
    plain = loss_function(Objective(), unbalanced(make_set))(logits, labels)
    per_class = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    by_hand = torch.stack([per_class[:6].mean(), per_class[6:9].mean(), per_class[9:].mean()]).mean()
    assert torch.isclose(balanced, by_hand)
    assert balanced > plain


@pytest.mark.parametrize("name", ["bce", "mse", "log_mse"])
def test_reconstruction_by_hand(name: str, make_set: Callable[..., ImageSet]) -> None:
    logits, images = torch.tensor([[0.0, 2.0], [1.0, -1.0]]), torch.tensor([[0.25, 1.0], [0.5, 0.25]])
    p = torch.sigmoid(logits)
    expected = {
        "bce": -(images * p.log() + (1 - images) * (1 - p).log()).mean(),
        "mse": ((p - images) ** 2).mean(),
        "log_mse": (((p - images) ** 2).mean(dim=1) + 1e-6).log().mean(),
    }[name]
    objective = Objective(name=name)  # type: ignore[arg-type]  # a parameter
    assert torch.isclose(loss_function(objective, make_set())(logits, images), expected)


def test_what_a_mean_is_taken_over(make_set: Callable[..., ImageSet]) -> None:
    """The loss of a batch is that of its parts, weighted by their shares."""
    full = unbalanced(make_set)
    labels = torch.tensor([0, 0, 0, 1, 2])
    logits = torch.linspace(-1, 1, 20).view(5, 4)
    one_hot = torch.nn.functional.one_hot(labels, 4).float()
    for objective in (Objective(), Objective(class_weights="balanced", label_smoothing=0.1)):
        loss = loss_function(objective, full)
        for targets, mixes in ((labels, False), (one_hot, True)):
            weights = mean_weights(objective, full, mixes=mixes)
            counted = torch.ones(5) if weights is None else weights[labels]
            shares = [counted[part].sum() / counted.sum() for part in (slice(0, 2), slice(2, 5))]
            parts = [loss(logits[part], targets[part]) for part in (slice(0, 2), slice(2, 5))]
            together = shares[0] * parts[0] + shares[1] * parts[1]
            assert torch.isclose(together, loss(logits, targets))
    assert mean_weights(Objective(name="mse"), full, mixes=False) is None
