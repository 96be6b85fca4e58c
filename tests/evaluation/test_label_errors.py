"""Wrong labels, planted among answers and embeddings whose classes are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from retinula import extras
from retinula.datasets import shapes
from retinula.errors import InputError
from retinula.evaluation.label_errors import LabelError, LabelErrors, find_label_errors, out_of_fold

CLASSES = ("ant", "bee", "cat", "dog")


def planted(number: int = 1000, share: float = 0.03) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings around a centre a class, labels of which a share is wrong, and which."""
    generator = np.random.default_rng(0)
    truth = np.arange(number) % len(CLASSES)
    features = generator.normal(0, 1, (number, 12)) + 5 * np.eye(len(CLASSES), 12)[truth]
    wrong = generator.permutation(number)[: round(share * number)]
    labels = truth.copy()
    labels[wrong] = (truth[wrong] + generator.integers(1, len(CLASSES), len(wrong))) % len(CLASSES)
    return features, labels, wrong


def learned(images: torch.Tensor, labels: torch.Tensor) -> nn.Module:
    """Train a small network for a few seconds."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for before, after in ((3, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.AdaptiveMaxPool2d(1)]
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64, 8))
    steps = 8 * (len(images) // 64)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=steps + 1)
    for _ in range(steps):
        batch = torch.randint(len(images), (64,))
        optimizer.zero_grad()
        torch.autograd.backward(F.cross_entropy(network(images[batch]), labels[batch]))
        optimizer.step()
        schedule.step()
    return network.eval()


def test_planted_labels_are_found_by_answers_that_did_not_know_them() -> None:
    features, labels, wrong = planted()
    files = [f"{number}.png" for number in range(len(labels))]
    result = find_label_errors(out_of_fold(features, labels, 4), labels, CLASSES, sources=files)
    found = {each.index for each in result.errors}
    assert len(found & set(wrong.tolist())) >= 0.8 * len(wrong)
    assert len(found & set(wrong.tolist())) >= 0.8 * len(found)
    for each in result.errors:
        assert each.source == f"{each.index}.png"
        assert each.label == CLASSES[labels[each.index]]
        assert each.suggestion != each.label
    assert result.to_dict()["num_errors"] == len(found)
    assert find_label_errors(out_of_fold(features, labels, 4), labels, CLASSES, sources=files) == result


def test_of_planted_labels_of_shapes_a_network_trained_on_the_other_half_finds_most() -> None:
    chunks = list(shapes.read(num_train=3000, num_test=0).splits["train"]())
    images = torch.from_numpy(np.concatenate([chunk.images for chunk in chunks])).float() / 255 - 0.5
    truth = np.concatenate([chunk.labels for chunk in chunks])
    generator = np.random.default_rng(0)
    wrong = generator.permutation(len(truth))[:90]
    labels = truth.copy()
    labels[wrong] = (truth[wrong] + generator.integers(1, 8, len(wrong))) % 8
    even = np.arange(len(truth)) % 2 == 0
    answers = learned(images[even], torch.from_numpy(labels[even]))(images[~even]).softmax(dim=1)
    result = find_label_errors(answers.detach().numpy(), labels[~even], [str(number) for number in range(8)])
    found = {each.index for each in result.errors}
    planted_here = set(np.flatnonzero(np.isin(np.flatnonzero(~even), wrong)).tolist())
    assert len(found & planted_here) >= 0.8 * len(planted_here)
    assert len(found & planted_here) >= 0.8 * len(found)


def test_answers_do_not_know_the_label_they_are_compared_with() -> None:
    # Labels by a coin: nothing can be learned, so no answer can agree with them more often than half the time.
    generator = np.random.default_rng(0)
    features, labels = generator.normal(size=(400, 50)), generator.integers(0, 2, 400)
    answers = out_of_fold(features, labels, 2)
    assert (answers.argmax(axis=1) == labels).mean() < 0.6


def test_classes_that_do_not_occur_and_sets_of_one_class() -> None:
    features, labels, _ = planted()
    two = labels < 2
    result = find_label_errors(np.eye(4)[labels[two]] * 0.9 + 0.025, labels[two], CLASSES)
    assert result.errors == ()
    assert find_label_errors(np.full((5, 4), 0.25), np.zeros(5, dtype=np.int64), CLASSES).errors == ()
    with pytest.raises(InputError, match="needs a class of at least 5 of them"):
        out_of_fold(features[:8], labels[:8], 4)


def test_classes_of_few_pictures_are_left_out_and_the_others_looked_at() -> None:
    features, labels, wrong = planted()
    kept = np.flatnonzero((labels != 1) | (np.cumsum(labels == 1) <= 4))  # four of class 1
    answers = out_of_fold(features[kept], labels[kept], 4)
    rare = labels[kept] == 1
    assert (answers[rare] == 0).all()
    assert answers[~rare].sum(axis=1) == pytest.approx(1)
    assert (answers[~rare][:, 1] == 0).all()
    files = [f"{number}.png" for number in kept]
    result = find_label_errors(answers, labels[kept], CLASSES, sources=files)
    assert (result.num_images, result.num_rare) == (len(kept) - 4, 4)
    found = {int(kept[each.index]) for each in result.errors}
    there = set(wrong.tolist()) & set(kept[~rare].tolist())
    assert len(found & there) >= 0.6 * len(there)
    assert all(each.label == CLASSES[labels[kept[each.index]]] for each in result.errors)
    assert all(each.source == f"{kept[each.index]}.png" for each in result.errors)
    assert LabelErrors.from_dict(result.to_dict()) == result
    earlier = result.to_dict()
    del earlier["num_rare"]
    assert LabelErrors.from_dict(earlier).num_rare == 0
    few = np.array([0] * 6 + [1, 2])  # one class alone is common
    assert out_of_fold(features[:8], few, 4).tolist() == np.eye(4)[[0] * 8].tolist()[:6] + [[0] * 4] * 2


def test_features_and_answers_that_are_no_numbers_say_nothing_of_labels() -> None:
    features, labels, _ = planted(40)
    features[3, 2] = np.nan
    with pytest.raises(InputError, match="features are no finite numbers"):
        out_of_fold(features, labels, 4)
    with pytest.raises(InputError, match="answers are no finite numbers"):
        find_label_errors(np.full((40, 4), np.nan), labels, CLASSES)


def test_probabilities_are_those_of_the_answers_also_where_a_class_does_not_occur() -> None:
    labels = np.arange(60) % 3
    answers = np.full((60, 4), 0.1) + 0.6 * np.eye(4)[labels]
    answers[4] = (0.46, 0.02, 0.04, 0.48)  # called bee; ant among the classes that occur, dog among all
    answers[7] = (0.6, 0.02, 0.08, 0.3)
    found = {each.index: each for each in find_label_errors(answers, labels, CLASSES).errors}
    assert found.keys() == {4, 7}
    assert (found[4].label, found[4].suggestion, found[7].suggestion) == ("bee", "dog", "ant")
    assert (found[4].label_probability, found[4].probability) == (0.02, 0.48)
    assert (found[7].label_probability, found[7].probability) == (0.02, 0.6)


def test_a_label_that_one_picture_has_is_neither_doubted_nor_complained_of() -> None:
    labels = np.array([0, 1] * 20 + [2])
    answers = np.full((41, 4), 0.1) + 0.6 * np.eye(4)[[0, 1] * 20 + [0]]
    assert find_label_errors(answers, labels, CLASSES).errors == ()


def test_pictures_are_numbered_from_0() -> None:
    result = LabelErrors(5, "held out", (LabelError(0, None, "ant", "bee", 0.1, 0.9),))
    assert LabelErrors.from_dict(result.to_dict()) == result
    before = replace(result, errors=(replace(result.errors[0], index=-1),))
    with pytest.raises(ValueError, match="pictures are numbered from 0"):
        LabelErrors.from_dict(before.to_dict())


def test_labels_of_one_class_are_as_likely_as_can_be() -> None:
    features, _, _ = planted()
    one = np.full(20, 2)
    answers = out_of_fold(features[:20], one, 4)
    assert answers.tolist() == np.eye(4)[one].tolist()
    assert find_label_errors(answers, one, CLASSES).errors == ()
    with pytest.raises(InputError, match="needs a class of at least 5 of them"):
        out_of_fold(features[:4], one[:4], 4)


def test_without_cleanlab_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"wrong labels needs cleanlab.*pip install 'retinula\[labels\]'"):
        find_label_errors(np.full((4, 4), 0.25), np.arange(4), CLASSES)
