"""Which pictures a recipe trains on, which a run did train on, and others in the form that its model takes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from retinula.datasets.load import load
from retinula.datasets.reading import Dataset, Progress, Skipped, SplitName, pictures_of
from retinula.errors import InputError
from retinula.images import ImageSet
from retinula.model_file import Model
from retinula.recipe import Recipe
from retinula.run import Run
from retinula.shares import percent
from retinula.transforms.batches import seed_for


class Sets(NamedTuple):
    """The pictures of an experiment, apart from those to measure on; and what could not be read."""

    train: ImageSet
    validation: ImageSet | None
    skipped: tuple[Skipped, ...]

    def described(self) -> dict[str, Any]:
        """Say which they are, so that others can be told from them; as reports hold it."""
        return {
            "name": self.train.name,
            "num_images": len(self.train),
            "num_validation_images": 0 if self.validation is None else len(self.validation),
            "num_skipped": len(self.skipped),
            "num_classes": len(self.train.classes),
            "fingerprint": self.train.fingerprint(),
            "validation_fingerprint": None if self.validation is None else self.validation.fingerprint(),
            **self.train.provenance,
        }


def load_dataset(recipe: Recipe, progress: Progress | None = None) -> Dataset:
    """Load the recipe's pictures, all splits of them, in the form and with the classes that it asks for.

    Args:
        recipe: names the data set.
        progress: told how far a download or the preparation is.
    """
    inputs = recipe.inputs
    dataset = load(
        recipe.data.name,
        size=inputs.size,
        channels=inputs.channels,
        resize=inputs.resize,
        resample=inputs.resample,
        labels=recipe.data.labels,
        fold=recipe.data.fold,
        more=recipe.data.more,
        progress=progress,
    )
    if not recipe.data.classes:
        return dataset
    splits = {split: image_set.subset(recipe.data.classes) for split, image_set in dataset.splits.items()}
    return Dataset(dataset.name, splits, dataset.skipped)


def training_sets(recipe: Recipe, dataset: Dataset) -> Sets:
    """Set the validation pictures apart from those to train on. The test pictures are not even looked at.

    Raises:
        InputError: there is nothing to train on, or nothing would be left.
    """
    train_set = dataset.train
    if train_set is None:
        raise InputError(f"{dataset.name} has no pictures to train on")
    share = recipe.data.validation
    if not share:
        return Sets(train_set, None, dataset.skipped)
    if dataset.validation is not None and len(dataset.validation):
        return Sets(train_set, dataset.validation, dataset.skipped)
    if recipe.data.validation_part == "last":
        border = len(train_set) - round(len(train_set) * share)
        rest, apart = train_set.take(np.arange(border)), train_set.take(np.arange(border, len(train_set)))
    else:
        rest, apart = train_set.split(share, seed_for(recipe.seed, "validation") % 2**32)
    if not len(rest) or not len(apart):
        raise InputError(
            f"{train_set.name}: {len(train_set)} pictures are too few to set {percent(share, 0)} apart; "
            "add pictures, or train with validation=0"
        )
    return Sets(rest, apart, dataset.skipped)


def own_pictures(run: Run, split: SplitName, progress: Progress | None = None) -> ImageSet:
    """Return the very pictures that a run's training used or kept away from, by split.

    Raises:
        InputError: there are none of that split; or the training pictures are no longer those it was trained on, so
            that nobody can say which pictures the model has not seen.
    """
    return pictures_of(own_splits(run, progress), split, run.recipe().data.name)


def own_splits(run: Run, progress: Progress | None = None) -> Mapping[SplitName, ImageSet]:
    """Return the very pictures that a run's training used or kept away from, those splits of them that there are.

    Raises:
        InputError: the training pictures are no longer those it was trained on.
    """
    recipe = run.recipe()
    dataset = load_dataset(recipe, progress)
    sets = training_sets(recipe, dataset)
    check_same_pictures(run, sets.described(), "measure on pictures of your choice with --data")
    splits: dict[SplitName, ImageSet | None] = {"train": sets.train, "validation": sets.validation}
    splits["test"] = dataset.test
    return {split: image_set for split, image_set in splits.items() if image_set is not None and len(image_set)}


def learned_from(run: Run, image_set: ImageSet, split: SplitName) -> bool:
    """Tell whether a run's training used these very pictures: its own, or the same set under another name.

    Args:
        run: a run.
        image_set: pictures that it is asked about.
        split: which part of a data set they are.
    """
    if split != "train":
        return False
    known: str | None = run.environment().get("data", {}).get("fingerprint")
    if image_set.fingerprint() == known:
        return True
    try:  # a whole training set, of which the run has set some pictures apart
        sets = training_sets(run.recipe(), Dataset(image_set.name, {"train": image_set}))
    except InputError:  # too few to be that
        return False
    return bool(sets.train.fingerprint() == known)


def other_pictures(data: str, model: Model, split: SplitName, progress: Progress | None = None) -> ImageSet:
    """Return pictures of another data set, brought to the form that a model takes.

    Raises:
        InputError: there are none of that split.
    """
    form = model.preprocess
    dataset = load(
        data, size=form.size, channels=form.channels, resize=form.resize, resample=form.resample, progress=progress
    )
    if split not in dataset.splits:
        raise InputError(f"{data} has no {split} pictures; it has {', '.join(dataset.splits)}")
    return dataset.splits[split]


def check_same_pictures(run: Run, data: Mapping[str, Any], remedy: str) -> None:
    """See that a run's training has these very pictures.

    Args:
        run: a run that has begun.
        data: from `Sets.described`.
        remedy: what to do where it has not, the end of the message.

    Raises:
        InputError: it has others.
    """
    before = run.environment().get("data", {})
    for key, what in (("fingerprint", "training"), ("validation_fingerprint", "validation")):
        if before.get(key) != data[key]:
            raise InputError(f"{run.path}: the {what} pictures have changed since it began; {remedy}")
