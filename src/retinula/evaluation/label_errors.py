"""Labels that are likely wrong, found by confident learning (Northcutt et al. 2021, arXiv:1911.00068) with cleanlab.

A label is doubted where a model that never saw it says something else, more surely than it usually is of that class.
Pictures that a model has not learned have such answers at hand. Of those that it has, its answers say nothing, since
it knows them by heart: for those a linear head is trained anew on the embeddings, five times, each time without a
fifth of all pictures. The body below has still seen their labels, so fewer errors are found than by training
everything anew. Knows nothing of files.
"""

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from retinula.errors import InputError
from retinula.extras import load

FOLDS = 5
HELD_OUT = "held out"  # how answers were got: by the model itself, of pictures that it has not learned
PERHAPS_HELD_OUT = f"{HELD_OUT}, as far as is known"
BY_HEAD = f"{FOLDS}-fold linear head on the embeddings"

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class LabelError:
    """A label that is likely wrong.

    Attributes:
        index: of the picture in its set, from 0.
        source: the file it came from, or None.
        label: what it is labelled with.
        suggestion: what it likely is.
        label_probability: of the label, 0..1, by answers that did not know it.
        probability: of the suggestion, 0..1.
    """

    index: int
    source: str | None
    label: str
    suggestion: str
    label_probability: float
    probability: float


@dataclass(frozen=True)
class LabelErrors:
    """The labels of a set that are likely wrong, the likeliest first.

    Attributes:
        num_images: how many labels were looked at.
        method: how the answers were got: `HELD_OUT`, `PERHAPS_HELD_OUT`, `BY_HEAD`, or how many in which way.
        errors: what was found.
        num_rare: how many labels besides were not looked at, since too few pictures have the same.
    """

    num_images: int
    method: str
    errors: tuple[LabelError, ...]
    num_rare: int = 0

    def joined(self, other: "LabelErrors") -> "LabelErrors":
        """Return what was found among both, which are different pictures of one set, by answers got in two ways."""
        return LabelErrors(
            self.num_images + other.num_images,
            "; ".join(f"{each.method}: {each.num_images:,}" for each in (self, other)),
            tuple(sorted((*self.errors, *other.errors), key=lambda error: error.label_probability)),
            self.num_rare + other.num_rare,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as values that JSON can hold."""
        return {
            "num_images": self.num_images,
            "method": self.method,
            "num_rare": self.num_rare,
            "num_errors": len(self.errors),
            "errors": [asdict(each) for each in self.errors],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "LabelErrors":
        """Build from the value of `to_dict`; others raise `LookupError`, `TypeError`, `ValueError`."""
        errors = tuple(LabelError(**each) for each in values["errors"])
        for each in errors:
            numbers = (each.index, each.label_probability, each.probability)
            if not (all(isinstance(number, int | float) for number in numbers) and isinstance(each.index, int)):
                raise TypeError("a label error has a number for its picture and two probabilities")
            if each.index < 0:
                raise ValueError("pictures are numbered from 0")
        rare = int(values.get("num_rare", 0))  # earlier versions wrote none
        return cls(int(values["num_images"]), str(values["method"]), errors, rare)


def check_findable() -> None:
    """See that wrong labels can be looked for here, before other work.

    Raises:
        InputError: cleanlab is missing or broken.
    """
    _cleanlab()  # loaded, since one that is broken finds nothing either


def find_label_errors(
    probabilities: Floats,
    labels: NDArray[np.int64],
    classes: Sequence[str],
    *,
    method: str = HELD_OUT,
    sources: Sequence[str] | None = None,
    only: NDArray[np.bool_] | None = None,
) -> LabelErrors:
    """Find labels that answers which did not know them speak against.

    A picture of a class that no label names is not found by that: nothing tells how sure answers usually are of it. Nor
    is a label doubted that only one picture has.

    Args:
        probabilities: `[N, K]`, each row summing to 1, from a model that was not trained on these labels; a row of
            zeros where nobody was asked.
        labels: int64 `[N]`.
        classes: K names.
        method: how the answers were got, for the result.
        sources: for each picture its file.
        only: of each picture whether its label is looked at; the others but tell how sure answers usually are.

    Raises:
        InputError: cleanlab is not installed, or broken; or an answer is no number.
    """
    cleanlab = _cleanlab()
    if not np.isfinite(probabilities).all():
        raise InputError("the model's answers are no finite numbers: they say nothing of labels")
    only = np.ones(len(labels), np.bool_) if only is None else only
    answered = np.flatnonzero(probabilities.any(axis=1))
    num_images = int(only[answered].sum())
    num_rare = int(only.sum()) - num_images
    probabilities, labels = probabilities[answered], labels[answered]
    present = np.unique(labels)
    if len(present) < 2:
        return LabelErrors(num_images, method, (), num_rare)
    among = np.maximum(np.asarray(probabilities, dtype=np.float64)[:, present], 1e-12)
    among /= among.sum(axis=1, keepdims=True)  # cleanlab wants every class to occur; what is reported are the answers
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "May not flag all label issues in class")  # with one picture, said above
        found = cleanlab.find_label_issues(
            np.searchsorted(present, labels),
            among,
            filter_by="both",
            return_indices_ranked_by="self_confidence",
            n_jobs=1,
        )
    errors = []
    for place in np.asarray(found).tolist():
        answer, suggestion, index = probabilities[place], int(probabilities[place].argmax()), int(answered[place])
        if not only[index]:
            continue
        errors.append(
            LabelError(
                index=index,
                source=None if sources is None else sources[index],
                label=classes[labels[place]],
                suggestion=classes[suggestion],
                label_probability=float(answer[labels[place]]),
                probability=float(answer[suggestion]),
            )
        )
    return LabelErrors(num_images, method, tuple(errors), num_rare)


def out_of_fold(features: Floats, labels: NDArray[np.int64], num_classes: int, seed: int = 0) -> Floats:
    """Return for every picture the answer of a linear head that was trained without it: `[N, K]`.

    Pictures of a class that has fewer than there are folds are left out; their rows are zeros.

    Args:
        features: `[N, D]`, embeddings.
        labels: int64 `[N]`.
        num_classes: K.
        seed: of the folds.

    Raises:
        InputError: every class has fewer pictures than there are folds, or a feature is no number.
    """
    if not np.isfinite(features).all():
        raise InputError("the pictures' features are no finite numbers: they say nothing of labels")
    common = np.bincount(labels, minlength=num_classes) >= FOLDS
    if not common.any():
        raise InputError(f"finding wrong labels among training pictures needs a class of at least {FOLDS} of them")
    answers = np.zeros((len(labels), num_classes))
    looked = np.flatnonzero(common[labels])
    if common.sum() == 1:  # a head that knows one class says nothing else, and cannot be fitted
        answers[np.ix_(looked, common)] = 1
        return answers
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for known, asked in ((looked[a], looked[b]) for a, b in folds.split(looked, labels[looked])):
        scale = StandardScaler().fit(features[known])
        head = LogisticRegression(C=0.01, max_iter=200, tol=1e-3)
        head.fit(scale.transform(features[known]), labels[known])
        answers[np.ix_(asked, head.classes_)] = head.predict_proba(scale.transform(features[asked]))
    return answers


def _cleanlab() -> Any:
    return load("labels", "finding wrong labels", "cleanlab.filter")
