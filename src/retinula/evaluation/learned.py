"""What a model has learned, along all trainings that led to it: digests of the pictures, which a run keeps.

A run takes over those of the model that it begins from, so that one file tells all. Runs of earlier versions, and model
files alone, tell nothing of pictures.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from retinula.errors import InputError, RetinulaError
from retinula.evaluation.recognised import Learned
from retinula.files.durable import reading
from retinula.files.tensor_file import load_tensors, save_tensors
from retinula.images import ImageSet
from retinula.pictures.equal import Digests, digests_of
from retinula.recipe.recipe import Recipe
from retinula.runs.run import Run
from retinula.text.names import printable
from retinula.transfer import Source, run_of

_UNTOLD = "untold"  # in the header of the file


@dataclass(frozen=True, eq=False)
class LearnedPictures:
    """Which pictures a model has learned.

    Attributes:
        by_form: of each form of pictures their digests, sorted, each once.
        untold: the models along the way that tell nothing of theirs.
    """

    by_form: Mapping[str, NDArray[np.int64]]
    untold: tuple[str, ...] = ()

    @classmethod
    def read(cls, run: Run) -> "LearnedPictures | None":
        """Read what a run keeps; None where it keeps nothing, as those of earlier versions.

        Raises:
            InputError: the file cannot be read, or is damaged.
        """
        file = run.learned_file
        with reading(file):
            if not file.exists():
                return None
            is_odd = not file.is_file()
        if is_odd:
            raise InputError(f"{file}: not an ordinary file")
        tensors, header = load_tensors(file)
        try:
            return cls({form: values.numpy() for form, values in tensors.items()}, tuple(map(str, header[_UNTOLD])))
        except (LookupError, TypeError) as error:
            raise InputError(f"{file} is damaged") from error

    def write(self, run: Run) -> None:
        """Keep it with a run.

        Raises:
            RetinulaError: the disk refuses.
        """
        tensors = {form: torch.from_numpy(values) for form, values in self.by_form.items()}
        save_tensors(run.learned_file, tensors, {_UNTOLD: list(self.untold)})

    def has(self, asked: Digests) -> NDArray[np.bool_]:
        """Say of each picture whether one that is equal to it in every pixel was learned: bool `[N]`."""
        return np.isin(asked.values, self.by_form.get(asked.form, ()))

    def of(self, asked: Digests) -> Learned:
        """Return what the model has learned of some pictures."""
        each, at_least = self.has(asked), bool(self.untold or self.by_form.keys() - {asked.form})
        return Learned(bool(each.all()), None if at_least and not each.any() else each, at_least)

    def also(self, other: "LearnedPictures") -> "LearnedPictures":
        """Return what both have learned."""
        forms = {*self.by_form, *other.by_form}
        parts = {form: [each.by_form[form] for each in (self, other) if form in each.by_form] for form in forms}
        joined = {form: reduce(np.union1d, values) for form, values in parts.items()}
        return LearnedPictures(joined, tuple(dict.fromkeys((*self.untold, *other.untold))))


class Learning(NamedTuple):
    """What a training learns, and what the model had learned that it begins from.

    Attributes:
        own: the pictures to train on.
        before: those of the model; none where it begins from none.
        model: what that is called.
        hint: how to have other validation pictures, the end of a message.
        damage: why what it had learned cannot be told, where that was kept once.
    """

    own: LearnedPictures
    before: LearnedPictures
    model: str
    hint: str
    damage: str = ""

    @property
    def whole(self) -> LearnedPictures:
        """What the model that comes of it will have learned."""
        return self.before.also(self.own)

    def told(self, validation: Digests | None, test: Digests | None) -> list[str]:
        """Say which pictures that are kept apart are no test of anything but memory, one string a line.

        Args:
            validation: those to choose by.
            test: those to measure on.
        """
        asked = {"validation": validation, "test": test}
        apart = {split: digests for split, digests in asked.items() if digests is not None and len(digests.values)}
        counted = [line for split, digests in apart.items() if (line := self._counted(split, digests))]
        return counted + (self._unknown({digests.form for digests in apart.values()}) if apart else [])

    def _counted(self, split: str, digests: Digests) -> str:
        by_own, by_before = self.own.has(digests), self.before.has(digests)
        number = int((by_own | by_before).sum())
        if not number:
            return ""
        those = ["pictures to train on"] if by_own.any() else []
        those += [f"pictures that {self.model}, which it begins from, has learned"] if by_before.any() else []
        what, hint = ("what is chosen by them", self.hint) if split == "validation" else ("an accuracy on them", "")
        return (
            f"{number:,} of the {len(digests.values):,} {split} pictures {'is' if number == 1 else 'are'} equal, pixel "
            f"by pixel, to {' or '.join(those)}: {what} will flatter{hint if by_before.any() else ''}"
        )

    def _unknown(self, forms: set[str]) -> list[str]:
        among = "validation and test pictures may be among them"
        reasons = {name: f"which pictures {name} has learned is kept nowhere" for name in self.before.untold}
        if self.damage:
            reasons[self.model] = self.damage
        lines = [f"{reason}: {among}" for reason in reasons.values()]
        if others := sorted(self.before.by_form.keys() - forms):
            lines.append(
                f"{self.model} has learned pictures of {' and '.join(others)}, which cannot be compared with those of "
                f"{' and '.join(sorted(forms))}: {among}"
            )
        return lines


def begin_learning(recipe: Recipe, source: Source | None, train_set: ImageSet) -> Learning:
    """Look what a training will learn, and what the model has learned that it begins from.

    Args:
        recipe: as it is to run, with the file of that model, if there is one.
        source: that model; None where there is none, or its file is needed no more.
        train_set: the pictures to train on.
    """
    form, values = digests_of(train_set.images)
    own = LearnedPictures({form: np.unique(values)})
    if recipe.model.weights is None:
        return Learning(own, LearnedPictures({}), "", "")
    file = Path(recipe.model.weights)
    run = run_of(file)
    name = printable(file.name if run is None else run.name)
    before, damage = None, ""
    try:
        before = None if run is None else LearnedPictures.read(run)
    except InputError as error:
        damage = f"{error}: {_lost(name)}"
    if before is None:
        # What a model file does tell: whether these very pictures are all that it was trained on.
        told = {} if source is None else source.model.provenance
        same = "source" not in told and told.get("fingerprint") == train_set.fingerprint()
        before, damage = (own, "") if same else (LearnedPictures({}, (name,)), damage)
    return Learning(own, before, name, "" if run is None else _hint(recipe, run, name), damage)


def learned_by(
    run: Run, train_set: ImageSet | None, remark: Callable[[str], None] | None = None
) -> LearnedPictures | None:
    """Return what a run's model has learned; None where nobody knows.

    Args:
        run: a run that has begun.
        train_set: its very training pictures, where they are at hand; they tell what a run of an earlier version did
            not keep, and what cannot be read.
        remark: told where what it kept cannot be read.
    """
    kept, damage = None, ""
    try:
        kept = LearnedPictures.read(run)
    except InputError as error:
        damage = str(error)
    if kept is not None:
        return kept
    name, weights = printable(run.name), None if train_set is None else run.recipe().model.weights
    if damage and remark is not None:
        left = f"of the pictures that {name} has learned only those to train on can be told"
        whole = f"the pictures to train on tell what {name} has learned"
        remark(f"{damage}: {_lost(name) if train_set is None else left if weights else whole}")
    if train_set is None:
        return None
    form, values = digests_of(train_set.images)
    return LearnedPictures({form: np.unique(values)}, () if weights is None else (weights,))


def _lost(name: str) -> str:
    return f"which pictures {name} has learned cannot be told"


def _hint(recipe: Recipe, run: Run, name: str) -> str:
    """Say by which seed the validation pictures are those of the run that is begun from, where another is why not."""
    try:
        other = run.recipe()
    except RetinulaError:
        return ""
    if other.data != recipe.data or other.seed == recipe.seed:
        return ""
    return f"; with seed={other.seed} they are those that {name} was chosen by"
