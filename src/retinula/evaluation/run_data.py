"""Which pictures a recipe trains on, which a run did train on, and others in the form that its model takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from retinula.datasets.load import load
from retinula.datasets.reading import Dataset, Progress, Skipped, SplitName, pictures_of
from retinula.errors import InputError
from retinula.evaluation.learned import learned_by
from retinula.evaluation.recognised import NOTHING_KNOWN, Learned
from retinula.images import ImageSet
from retinula.pictures.equal import Digests, digests_of
from retinula.recipe.recipe import Recipe
from retinula.runs.own_there import check_own_there
from retinula.runs.run import RUNS, Run, find_run
from retinula.text.words import percent
from retinula.trained.model_file import Model
from retinula.transforms.batches import seed_for

SKIPPED_NAMED: Final = 100  # pictures that could not be read, in a report; the log names all
OTHERS: Final = "; measure on pictures of your choice with --data"
_LEARNED_FROM: Final[tuple[tuple[SplitName, str, str], ...]] = (
    ("train", "fingerprint", "training"),
    ("validation", "validation_fingerprint", "validation"),
)


class Sets(NamedTuple):
    """The pictures of an experiment, and what could not be read; of those to measure on, what tells them from others.

    And whether all were given from Python, so that the recipe does not name them.
    """

    train: ImageSet
    validation: ImageSet | None
    skipped: tuple[Skipped, ...]
    test_fingerprint: str | None = None
    test_digests: Digests | None = None
    given: bool = False

    def described(self) -> dict[str, Any]:
        """Say which they are, so that others can be told from them; as reports hold it."""
        return {
            "name": self.train.name,
            "num_images": len(self.train),
            "num_validation_images": 0 if self.validation is None else len(self.validation),
            "num_skipped": len(self.skipped),
            "skipped": [one._asdict() for one in self.skipped[:SKIPPED_NAMED]],
            "num_classes": len(self.train.classes),
            "fingerprint": self.train.fingerprint(),
            "validation_fingerprint": None if self.validation is None else self.validation.fingerprint(),
            "test_fingerprint": self.test_fingerprint,
            "given": self.given,
            **self.train.provenance,
        }


@dataclass(frozen=True)
class OwnPictures:
    """A run's own pictures, as they are found now.

    Attributes:
        dataset: what its recipe calls them.
        splits: the very ones that its training used or kept away from.
        changed: of splits that are there and are no longer these, why not.
    """

    dataset: str
    splits: Mapping[SplitName, ImageSet]
    changed: Mapping[SplitName, str]

    @property
    def first_change(self) -> str:
        """What has changed, in words; nothing where all is as it was."""
        return next(iter(self.changed.values()), "")

    def of(self, split: SplitName) -> ImageSet:
        """Return those of a split.

        Raises:
            InputError: there are none, or they have changed; without a remedy, which the command knows.
        """
        if split in self.changed:
            raise InputError(self.changed[split])
        return pictures_of(self.splits, split, self.dataset)


def load_dataset(
    recipe: Recipe,
    progress: Progress | None = None,
    on_damage: Callable[[str], None] | None = None,
    on_doubt: Callable[[str], None] | None = None,
) -> Dataset:
    """Load the recipe's pictures, all splits of them, in the form and with the classes that it asks for.

    Args:
        recipe: names the data set.
        progress: told how far a download or the preparation is.
        on_damage: as for `load`: where given, every picture is compared with what was prepared.
        on_doubt: as for `load`: where a training begins, a table that is hardly meant so is an error.
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
        root=recipe.data.root,
        progress=progress,
        on_damage=on_damage,
        on_doubt=on_doubt,
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


def load_run_pictures(run: Run | str | Path, *, root: str | Path = RUNS, progress: Progress | None = None) -> Dataset:
    """Load the very pictures that a run was trained on, chose by and kept away from: `train`, `validation`, `test`.

    Args:
        run: it, its folder, its name, or `last`; finished or not.
        root: the folder of the runs.
        progress: told how far a download or the preparation is.

    Raises:
        InputError: there is no such run, or its pictures were given from Python or are no longer those of then.
    """
    own = find_own(run if isinstance(run, Run) else find_run(run, Path(root)), progress)
    if own.changed:
        raise InputError(own.first_change)
    return Dataset(own.dataset, own.splits)


def own_pictures(run: Run, split: SplitName, progress: Progress | None = None) -> ImageSet:
    """Return the very pictures of a split that a run's training used or kept away from.

    Args:
        run: a run that has begun.
        split: which of them.
        progress: told how far a download or the preparation is.

    Raises:
        InputError: there are none of that split, or they are no longer those of then.
    """
    return pictures_to_measure(find_own(run, progress), split)


def pictures_to_measure(
    own: OwnPictures, split: SplitName, remedy: str = OTHERS, remark: Callable[[str], None] | None = None
) -> ImageSet:
    """Return those of a split among a run's own pictures.

    Args:
        own: the run's.
        split: which of them.
        remedy: what to do where they have changed, the end of the message.
        remark: told where others of its pictures have changed, but not these.

    Raises:
        InputError: there are none of that split, or they are no longer those of then.
    """
    if split in own.changed:
        raise InputError(f"{own.changed[split]}{remedy}")
    if own.changed and remark is not None:
        remark(f"{own.first_change}; the {split} pictures are those of then")
    return own.of(split)


def find_own(run: Run, progress: Progress | None = None, remark: Callable[[str], None] | None = None) -> OwnPictures:
    """Look which of a run's own pictures are still those that its training used or kept away from.

    Test pictures may always be others, as long as what was learned from is the same. Where that is not, pictures may
    have gone from the one to the other, and nobody can tell without the fingerprint of then.

    Args:
        run: a run that has begun.
        progress: told how far a download or the preparation is.
        remark: told where prepared pictures were damaged.

    Raises:
        InputError: they cannot be found at all.
    """
    recipe = run.recipe()
    check_own_there(run)
    # All are looked at here, so that damage is not taken for a change.
    told = remark or (lambda _: None)
    dataset = load_dataset(recipe, progress, told, told)
    sets = training_sets(recipe, dataset)
    found: dict[SplitName, ImageSet | None] = {"train": sets.train, "validation": sets.validation, "test": dataset.test}
    changed = _changed(run, sets.described())
    if changed and dataset.test is not None:
        kept, (what, *_) = run.environment()["data"].get("test_fingerprint"), changed.values()
        if kept is None:  # a run of an earlier version
            changed["test"] = f"{what}, perhaps the test pictures, too"
        elif kept != dataset.test.fingerprint():
            changed["test"] = f"{what}, and the test pictures, too"
    splits = {
        split: image_set
        for split, image_set in found.items()
        if split not in changed and image_set is not None and len(image_set)
    }
    return OwnPictures(recipe.data.name, splits, changed)


def learned_of(
    run: Run | None,
    model: Model,
    image_set: ImageSet,
    split: str,
    own: OwnPictures | None = None,
    remark: Callable[[str], None] | None = None,
) -> Learned:
    """Look what a model has learned of pictures that it is asked about.

    Args:
        run: the model's; None of a model file alone, which only says what its training pictures were as a whole.
        model: what is asked.
        image_set: about these pictures.
        split: which part of a data set they are.
        own: the run's own pictures, where they are at hand; they tell what a run of an earlier version did not keep.
        remark: told where what the run kept of them cannot be read.
    """
    if run is None:
        return Learned(model.provenance.get("fingerprint") == image_set.fingerprint())
    whole = learned_by(run, None if own is None else own.splits.get("train"), remark)
    learned = NOTHING_KNOWN if whole is None else whole.of(digests_of(image_set.images))
    return replace(learned, from_these=learned.from_these or _learned_from(run, image_set, split))


def learned_of_validation(run: Run, sets: Sets, remark: Callable[[str], None]) -> Learned:
    """Look which of the pictures to choose by a run's model has learned all the same, here or in what it began from.

    Args:
        run: it.
        sets: its pictures.
        remark: told where what the run kept of them cannot be read.
    """
    whole = None if sets.validation is None else learned_by(run, sets.train, remark)
    if whole is None or sets.validation is None:
        return NOTHING_KNOWN
    return whole.of(digests_of(sets.validation.images))


def _learned_from(run: Run, image_set: ImageSet, split: str) -> bool:
    """Tell by fingerprints whether a run's training used these very pictures."""
    known: str | None = run.environment()["data"].get("fingerprint")
    if image_set.fingerprint() == known:
        return True
    if split != "train":
        return False
    try:  # a whole training set, of which the run has set some pictures apart
        sets = training_sets(run.recipe(), Dataset(image_set.name, {"train": image_set}))
    except InputError:  # too few to be that
        return False
    return bool(sets.train.fingerprint() == known)


def other_pictures(
    data: str | Path,
    model: Model,
    split: SplitName,
    progress: Progress | None = None,
    remark: Callable[[str], None] | None = None,
) -> ImageSet:
    """Return pictures of another data set, brought to the form that a model takes.

    Args:
        data: the data set.
        model: that takes them.
        split: which of its pictures.
        progress: told how far loading is.
        remark: told how many of a user's own pictures these are, where they are not all.

    Raises:
        InputError: there are none of that split.
    """
    form = model.preprocess
    dataset = load(
        data, size=form.size, channels=form.channels, resize=form.resize, resample=form.resample, progress=progress
    )
    if split not in dataset.splits:
        raise InputError(f"{data} has no {split} pictures; it has {', '.join(dataset.splits)}")
    chosen, whole = dataset.splits[split], sum(map(len, dataset.splits.values()))
    if remark and len(chosen) < whole and Path(data).exists():  # of data sets by name their authors have said so
        remark(f"{data}: {len(chosen):,} of {whole:,} pictures are measured, its {split} pictures")
    return chosen


def check_same_pictures(run: Run, data: Mapping[str, Any], remedy: str) -> None:
    """See that a run's training has these very pictures.

    Args:
        run: a run that has begun.
        data: from `Sets.described`.
        remedy: what to do where it has not, the end of the message.

    Raises:
        InputError: it has others.
    """
    for change in _changed(run, data).values():
        raise InputError(f"{change}; {remedy}")


def _changed(run: Run, data: Mapping[str, Any]) -> dict[SplitName, str]:
    """Say which of the pictures that a run learns from or chooses by are no longer those of `Sets.described`."""
    before = run.environment()["data"]
    others = before.get("given") and not data["given"]  # those that the recipe names were never the run's
    happened = "were given from Python" if others else "have changed since it began"
    return {
        split: f"{run.path}: the {what} pictures {happened}"
        for split, key, what in _LEARNED_FROM
        if before.get(key) != data[key]
    }
