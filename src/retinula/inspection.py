"""A closer look at a finished run: what costs it accuracy, which labels are wrong, which pictures come twice.

Brings the rooms together for the command line and for Python; knows nothing of the terminal.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from retinula.datasets.reading import Progress, SplitName
from retinula.durable import explained, reading, write_json
from retinula.errors import InputError
from retinula.evaluation.duplicates import NearDuplicate, find_near_duplicates
from retinula.evaluation.embedding import MAPPED, EmbeddingMap, map_embedding
from retinula.evaluation.fitting import labels_for
from retinula.evaluation.label_errors import LabelErrors, find_label_errors, out_of_fold
from retinula.evaluation.robustness import SAMPLE, Robustness, measure_robustness
from retinula.evaluation.text import SUREST_NAMED, picture_named
from retinula.forms import Averaging
from retinula.images import ImageSet, drawn
from retinula.model_file import Model
from retinula.plots import examination
from retinula.plots.figure import save
from retinula.run import Run
from retinula.run_data import OwnPictures, find_own, learned_from, other_pictures, pictures_to_measure
from retinula.words import percent, plural, sureness


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was looked for and found; None where it was not asked for.

    Attributes:
        robustness: accuracy under corruptions.
        label_errors: labels that are likely wrong.
        duplicates: near-duplicates, by the names of the two sets between which they are.
        embedding: the map of the pictures.
    """

    robustness: Robustness | None = None
    label_errors: LabelErrors | None = None
    duplicates: dict[str, tuple[NearDuplicate, ...]] | None = None
    embedding: EmbeddingMap | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what was looked for as values that JSON can hold."""
        found: dict[str, Any] = {}
        if self.robustness is not None:
            found["robustness"] = self.robustness.to_dict()
        if self.label_errors is not None:
            found["label_errors"] = self.label_errors.to_dict()
        if self.duplicates is not None:
            found["near_duplicates"] = {
                name: [pair.to_dict() for pair in pairs] for name, pairs in self.duplicates.items()
            }
        if self.embedding is not None:
            found["embedding"] = self.embedding.to_dict()
        return found

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Inspection":
        """Build from the value of `to_dict`; others raise `LookupError`, `TypeError`, `ValueError`, `OverflowError`."""
        spoilt, labels, pairs, placed = (
            values.get(key) for key in ("robustness", "label_errors", "near_duplicates", "embedding")
        )
        return cls(
            robustness=None if spoilt is None else Robustness.from_dict(spoilt),
            label_errors=None if labels is None else LabelErrors.from_dict(labels),
            duplicates=None
            if pairs is None
            else {str(name): tuple(map(NearDuplicate.from_dict, each)) for name, each in pairs.items()},
            embedding=None if placed is None else EmbeddingMap.from_dict(placed),
        )

    def lines(self) -> list[str]:
        """Say what was found, one string a line; of labels and pairs the first are named with their files."""
        said = []
        if self.robustness is not None:
            spoilt = self.robustness
            worst = min(spoilt.accuracy, key=lambda kind: sum(spoilt.accuracy[kind]))
            of = "" if spoilt.num_images == spoilt.num_available else f" drawn from {spoilt.num_available:,}"
            looks = "single looks" if spoilt.tta == "none" else f"averaged ({spoilt.tta})"
            said.append(
                f"Spoilt pictures ({len(spoilt.accuracy)} corruptions, 5 strengths, {spoilt.num_images:,}{of}; "
                f"{looks}): {percent(spoilt.mean)} right on average, {percent(spoilt.clean)} unspoilt; "
                f"{worst} costs most."
            )
        if self.label_errors is not None:
            count = len(self.label_errors.errors)
            said.append(
                f"Labels likely wrong: {count:,} of {self.label_errors.num_images:,} ({self.label_errors.method})."
            )
            said += [
                f"  {picture_named(each.index, each.source)}: called {each.label}, likely {each.suggestion} "
                f"({sureness(each.probability)})"
                for each in self.label_errors.errors[:SUREST_NAMED]
            ]
        for name, pairs in (self.duplicates or {}).items():
            exact = sum(pair.exact for pair in pairs)
            if name.startswith("within"):
                pictures = len({place for pair in pairs for place in (pair.index, pair.other)})
            else:
                pictures = len({pair.index for pair in pairs})
            said.append(
                f"Near-duplicates {name}: of {plural(pictures, 'picture')}; {plural(len(pairs), 'pair')}, "
                f"{exact:,} equal in every pixel."
            )
            said += [
                f"  {picture_named(pair.index, pair.source)} and {picture_named(pair.other, pair.other_source)}: "
                f"{'equal' if pair.exact else f'agree by {pair.correlation:.3f}'}"
                for pair in pairs[:SUREST_NAMED]
            ]
        return said


@dataclass(frozen=True, eq=False)
class Inspected:
    """What was found earlier, and on which pictures.

    Attributes:
        dataset: their name.
        split: which part of the data set they are.
        fingerprint: of them; empty where an earlier version has written it.
        found: what was found.
    """

    dataset: str
    split: str
    fingerprint: str
    found: Inspection


def read_inspection(file: Path, split: SplitName) -> Inspected | None:
    """Read from its file what was found earlier among the pictures of a split; None where nobody has looked.

    Raises:
        InputError: the file cannot be read, or is not whole.
    """
    values = _read(file).get(split)
    if values is None:
        return None
    with _whole(file):
        return Inspected(values["dataset"], split, values.get("fingerprint", ""), Inspection.from_dict(values))


def _read(file: Path) -> dict[str, Any]:
    """Return what was found by split, as the file holds it; earlier versions wrote that of one split alone."""
    with _whole(file):
        if not file.exists():
            return {}
        values = json.loads(file.read_text(encoding="utf-8"))
        if "dataset" in values:
            return {values["split"]: values}
        return dict(values.items())


@contextmanager
def _whole(file: Path) -> Iterator[None]:
    """Say in one line why the file of what was found cannot be used."""
    with reading(file):
        try:
            yield
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            raise InputError(f"{file} is not whole; look again with: retinula evaluate {file.parent} --deep") from error


def inspect_run(
    run: Run,
    *,
    data: str | None = None,
    split: SplitName = "test",
    folder: Path | None = None,
    corruptions: bool = False,
    labels: bool = False,
    duplicates: bool = False,
    embedding: bool = False,
    num_images: int = SAMPLE,
    tta: Averaging = "none",
    progress: Progress | None = None,
) -> Inspection:
    """Look closer at a finished classifier's pictures, draw what is found, and add it to what was found before.

    Args:
        run: a finished run.
        data: another data set with the same classes; the run's own where None.
        split: which pictures.
        folder: where what is found and its figures go; where None as of `evaluate_run`.
        corruptions: measure robustness.
        labels: look for wrong labels.
        duplicates: look for near-duplicates within the split, and between it and the training pictures.
        embedding: map the pictures.
        num_images: how many pictures are corrupted at most; 0 for all.
        tta: averaging at test time, under corruptions.
        progress: told how far it is.

    Raises:
        InputError: the model is no classifier, or the pictures do not fit it.
    """
    model = Model.load(run.path)
    if not model.classifies:
        raise InputError(
            f"{run.path}: {model.network_name} reconstructs pictures; only classifiers are looked at closer"
        )
    if data:
        own, image_set = None, other_pictures(data, model, split, progress)
    else:
        own = find_own(run, progress)
        image_set = pictures_to_measure(own, split)
    learned = learned_from(run, image_set, split)
    train_set = _train_set(run, own, progress) if duplicates and not learned else None
    truth = labels_for(model, image_set)
    figures: dict[str, Any] = {}
    logits = features = torch.empty(0)
    if labels or duplicates or embedding:
        logits, features = model.outputs_and_features(image_set.images)
    robustness = found = placed = None
    pairs: dict[str, tuple[NearDuplicate, ...]] = {}
    if corruptions:
        told = partial(progress, "corrupting") if progress else None
        robustness = measure_robustness(model, image_set, num_images=num_images, tta=tta, progress=told)
        figures["robustness"] = examination.robustness(robustness)
    if labels:
        answers = (
            out_of_fold(features.numpy(), truth.numpy(), len(model.classes))
            if learned
            else model.calibrated(logits).numpy()
        )
        method = "5-fold linear head on the embeddings" if learned else "held out"
        found = find_label_errors(answers, truth.numpy(), model.classes, method=method, sources=image_set.sources)
        if found.errors:
            figures["label-errors"] = examination.label_errors(image_set, found.errors)
    if duplicates:
        for other in (image_set, train_set):
            if other is not None:
                _compare(model, image_set, other, features, pairs, figures)
    if embedding:
        indices = drawn(len(image_set), MAPPED)
        placed = map_embedding(features.numpy()[indices], indices)
        figures["embedding"] = examination.embedding(placed, truth.numpy()[indices], model.classes)
    inspection = Inspection(robustness, found, pairs if duplicates else None, placed)
    where = folder or run.measured_in(data)
    for name, figure in figures.items():
        save(figure, where / run.figures.name, f"{split}-{name}")
    about = {"dataset": image_set.name, "split": split, "fingerprint": image_set.fingerprint()}
    with explained(where):
        where.mkdir(parents=True, exist_ok=True)  # where no figure was drawn, nothing has made it yet
    file = where / run.inspection_file.name
    write_json(file, _with_earlier(file, about | inspection.to_dict()))
    return inspection


def _train_set(run: Run, own: OwnPictures | None, progress: Progress | None) -> ImageSet:
    try:
        return (own or find_own(run, progress)).of("train")
    except InputError as error:
        raise InputError(
            f"near-duplicates are looked for among the training pictures too, but {error}; leave --duplicates out "
            "(--corruptions, --labels and --map are the rest of --deep)"
        ) from error


def _with_earlier(file: Path, found: dict[str, Any]) -> dict[str, Any]:
    """Return what was found by split, with what was found before, so that one look does not forget another.

    Forgotten is what was found among other pictures of the same split, and what cannot be read.
    """
    split = found["split"]
    try:
        before, same = _read(file), read_inspection(file, split)
    except InputError:
        return {split: found}
    if same is not None and (same.dataset, same.fingerprint) == (found["dataset"], found["fingerprint"]):
        found = same.found.to_dict() | found
    return before | {split: found}


def _compare(
    model: Model,
    image_set: ImageSet,
    other: ImageSet,
    features: torch.Tensor,
    pairs: dict[str, tuple[NearDuplicate, ...]],
    figures: dict[str, Any],
) -> None:
    within = other is image_set
    name = f"within {image_set.name}" if within else f"between {image_set.name} and {other.name}"
    others = None if within else other.images
    other_features = None if within else model.features(other.images)
    pairs[name] = find_near_duplicates(
        image_set.images,
        others,
        features=features,
        other_features=other_features,
        sources=image_set.sources,
        other_sources=other.sources,
    )
    if pairs[name]:
        key = "duplicates" if within else "duplicates-in-train"
        figures[key] = examination.near_duplicates(image_set, other, pairs[name])
