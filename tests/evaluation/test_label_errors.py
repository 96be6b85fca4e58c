"""Wrong labels, planted among answers and embeddings whose classes are known."""

import importlib

import numpy as np
import pytest

from retinula.errors import InputError
from retinula.evaluation.label_errors import find_label_errors, out_of_fold

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
    with pytest.raises(InputError, match="at least 5 of each class"):
        out_of_fold(features[:8], labels[:8], 4)


def test_without_cleanlab_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(InputError, match="pip install 'retinula"):
        find_label_errors(np.full((4, 4), 0.25), np.arange(4), CLASSES)
