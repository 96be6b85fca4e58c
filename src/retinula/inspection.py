"""A closer look at a finished run: what costs it accuracy, which labels are wrong, which pictures come twice.

Brings the rooms together for the command line and for Python; knows nothing of the terminal.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial, reduce

import numpy as np
import torch
from matplotlib.figure import Figure

from retinula.datasets.reading import Progress
from retinula.errors import InputError
from retinula.evaluation.asked import Asked
from retinula.evaluation.caution import CountedAnswers
from retinula.evaluation.duplicates import find_near_duplicates
from retinula.evaluation.embedding import MAPPED, map_embedding
from retinula.evaluation.findings import Inspected, Inspection, add_inspection
from retinula.evaluation.fitting import labels_for
from retinula.evaluation.label_errors import (
    BY_HEAD,
    HELD_OUT,
    PERHAPS_HELD_OUT,
    LabelErrors,
    check_findable,
    find_label_errors,
    out_of_fold,
)
from retinula.evaluation.robustness import SAMPLE, measure_robustness
from retinula.evaluation.run_data import find_own
from retinula.forms import Averaging
from retinula.images import ImageSet, drawn
from retinula.plots import examination
from retinula.plots.figure import save
from retinula.runs.run import Run
from retinula.trained.model_file import Model

Figures = dict[str, Figure]  # by what follows the split in their names


def look_closer(
    asked: Asked,
    *,
    corruptions: bool = False,
    labels: bool = False,
    duplicates: bool = False,
    embedding: bool = False,
    num_images: int = SAMPLE,
    tta: Averaging = "none",
    progress: Progress | None = None,
) -> Inspection:
    """Look closer at a classifier's pictures, draw what is found, and add it to what was found before.

    It is added look by look, so that what ends one takes nothing away of those before. A look that these pictures or
    this model make impossible takes nothing away of the others: the result says why.

    Args:
        asked: the model and the pictures.
        corruptions: measure robustness.
        labels: look for wrong labels.
        duplicates: look for near-duplicates within the split, and between it and the training pictures.
        embedding: map the pictures.
        num_images: how many pictures are corrupted at most; 0 for all.
        tta: averaging at test time, under corruptions.
        progress: told how far it is.

    Raises:
        InputError: the model is no classifier, the pictures do not fit it, or cleanlab is missing or broken.
        RetinulaError: what is found cannot be written.
    """
    model, images = asked.model, asked.images
    check_classifies(model, asked.run)
    if labels:
        check_findable()
    told: Progress = progress or (lambda what, done, total: None)
    truth = labels_for(model, images)
    logits = features = torch.empty(0)
    if labels or duplicates or embedding:
        told("asking the model", 0, None)
        logits, features = model.outputs_and_features(images.images)
    # What takes longest comes last.
    looks: list[tuple[str, str, Callable[[], tuple[Inspection, Figures]]]] = []
    if labels:
        looks.append(("labels", "looking for wrong labels", lambda: _wrong_labels(asked, logits, features, truth)))
    if embedding:
        looks.append(("embedding", "mapping", lambda: _mapped(asked, features, truth)))
    if duplicates:
        looks.append(("duplicates", "looking for near-duplicates", lambda: _near_duplicates(asked, features, progress)))
    if corruptions:
        looks.append(("corruptions", "corrupting", lambda: _under_corruptions(asked, truth, num_images, tta, told)))
    fingerprint = images.fingerprint()
    found, impossible = Inspection(), {}
    for name, what, look in looks:
        told(what, 0, None)
        try:
            part, figures = look()
        except InputError as error:
            impossible[name] = str(error)
            continue
        impossible |= part.impossible
        part = replace(part, impossible={})  # a reason of today, which is not kept
        if asked.place is not None:
            place = Run(asked.place)
            for drawn_as, figure in figures.items():
                save(figure, place.figures, f"{asked.split}-{drawn_as}")
            add_inspection(place.inspection_file, Inspected(images.name, asked.split, fingerprint, part))
        found = found.joined(part)
    return replace(found, impossible=impossible)


def check_classifies(model: Model, run: Run | None) -> None:
    """See that a model is one whose pictures can be looked at closer.

    Args:
        model: any.
        run: that it is of, which the message names; None of a model file alone.

    Raises:
        InputError: it is no classifier.
    """
    if not model.classifies:
        named = "" if run is None else f"{run.path}: "
        raise InputError(f"{named}{model.network_name} reconstructs pictures; only classifiers are looked at closer")


def _training_pictures(asked: Asked, progress: Progress | None) -> ImageSet:
    if asked.run is None:
        raise InputError("a model file alone does not have these; name its run")
    return (asked.own or find_own(asked.run, progress)).of("train")


def _under_corruptions(
    asked: Asked, truth: torch.Tensor, num_images: int, tta: Averaging, progress: Progress
) -> tuple[Inspection, Figures]:
    told = partial(progress, "corrupting")
    found = measure_robustness(asked.model, asked.images, num_images=num_images, tta=tta, progress=told)
    labels = truth.numpy()[drawn(len(truth), found.num_images)]  # of the pictures that were spoilt
    answered = CountedAnswers(found.num_images, round(found.clean * found.num_images), int(np.bincount(labels).max()))
    return Inspection(robustness=found), {"robustness": examination.robustness(found, answered)}


def _wrong_labels(
    asked: Asked, logits: torch.Tensor, features: torch.Tensor, truth: torch.Tensor
) -> tuple[Inspection, Figures]:
    model, images, labels = asked.model, asked.images, truth.numpy()
    by_heart = asked.learned.by_heart(len(images))  # what the model answers to these says nothing of their labels
    find = partial(find_label_errors, labels=labels, classes=model.classes, sources=images.sources)
    answers = model.calibrated(logits).numpy()
    looks = []
    if not by_heart.all():
        method = HELD_OUT if asked.learned.is_all_known else PERHAPS_HELD_OUT
        looks.append(find(np.where(by_heart[:, None], 0, answers), method=method, only=~by_heart))
    if by_heart.any():
        by_head = out_of_fold(features.numpy(), labels, len(model.classes))
        looks.append(find(by_head, method=BY_HEAD, only=by_heart))
        answers = np.where(by_heart[:, None], by_head, answers)
    found = reduce(LabelErrors.joined, looks)
    if not found.errors:
        return Inspection(label_errors=found), {}
    looked = answers.any(axis=1)
    right = int((answers.argmax(axis=1) == labels)[looked].sum())
    answered = CountedAnswers(found.num_images, right, int(np.bincount(labels[looked]).max()))
    return Inspection(label_errors=found), {
        "label-errors": examination.label_errors(images, found.errors, answered, model.classes)
    }


def _near_duplicates(asked: Asked, features: torch.Tensor, progress: Progress | None) -> tuple[Inspection, Figures]:
    """Look within the pictures, and between them and the training pictures where they are none of these.

    Where these are not to be had, only the latter is impossible.
    """
    images = asked.images
    within = find_near_duplicates(
        images.images, None, features=features, sources=images.sources, other_sources=images.sources
    )
    pairs = {f"within {images.name}": within}
    figures = {"duplicates": examination.near_duplicates(images, images, within)} if within else {}
    impossible, others = {}, None
    try:
        others = None if asked.learned.from_these else _training_pictures(asked, progress)
    except InputError as error:
        impossible["between"] = str(error)
    if others is not None:
        between = find_near_duplicates(
            images.images,
            others.images,
            features=features,
            other_features=asked.model.features(others.images),
            sources=images.sources,
            other_sources=others.sources,
        )
        pairs[f"between {images.name} and {others.name}"] = between
        if between:
            figures["duplicates-in-train"] = examination.near_duplicates(images, others, between)
    return Inspection(duplicates=pairs, impossible=impossible), figures


def _mapped(asked: Asked, features: torch.Tensor, truth: torch.Tensor) -> tuple[Inspection, Figures]:
    indices = drawn(len(asked.images), MAPPED)
    placed = map_embedding(features.numpy()[indices], indices)
    model = asked.model
    figure = examination.embedding(placed, truth.numpy()[indices], model.classes, model.superclasses)
    return Inspection(embedding=placed), {"embedding": figure}
