"""Recipe: a whole experiment as one checked, comparable value."""

import hashlib
import json
from collections.abc import Iterable
from typing import Annotated, Any

import tomli_w
from pydantic import Field, field_validator, model_validator

from retinula.errors import InputError, nearest
from retinula.recipe.sections import (
    Augmentation,
    Claim,
    Data,
    Evaluation,
    Figures,
    Inputs,
    ModelChoice,
    Objective,
    Optimizer,
    Prediction,
    Schedule,
    Section,
    Tracker,
    Training,
)


class Recipe(Section):
    """A whole experiment: equal recipes on equal data give equal results, computed with equal hardware.

    `track`, further forms of its logs, and `better`, the shipped recipe that goes beyond its work, change no result.
    """

    name: Annotated[str, Field(pattern=r"^[\w][\w.-]{0,99}$")]
    about: str = ""
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    data: Data = Data()
    model: ModelChoice = ModelChoice()
    inputs: Inputs = Inputs()
    augment: Augmentation = Augmentation()
    objective: Objective = Objective()
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    training: Training = Training(epochs=10)
    evaluation: Evaluation = Evaluation()
    prediction: Prediction = Prediction()
    figures: Figures = Figures()
    track: tuple[Tracker, ...] = ()
    source: str = ""
    better: str = ""
    claims: tuple[Claim, ...] = ()

    @field_validator("track", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        words = [word.strip() for word in value.split(",")] if isinstance(value, str) else value
        return tuple(words) if isinstance(words, list) else words  # strict checking takes no list for a tuple here

    @model_validator(mode="after")
    def _fits_together(self) -> "Recipe":
        training, validation = self.training, self.data.validation
        if self.objective.reconstructs:
            if self.augment.mixup or self.augment.cutmix:
                raise ValueError("mixup and cutmix mix labels; a reconstruction has none")
            if training.sizes:
                raise ValueError("training.sizes would compare a small reconstruction with a large picture")
            if training.metric == "val_accuracy" and (training.keep == "best" or training.early_stopping):
                raise ValueError("a reconstruction has no accuracy: training.metric must be val_loss")
        if not validation and training.early_stopping:
            raise ValueError("early stopping needs validation pictures: data.validation must be above 0")
        return self

    @model_validator(mode="after")
    def _begins_from_classes(self) -> "Recipe":
        if self.model.weights is None:
            if self.optimizer.body_rate != 1:
                raise ValueError("optimizer.body_rate is for a trained model to begin from: give model.weights")
        elif self.objective.reconstructs:
            raise ValueError(f"model.weights begin a network for classes; objective {self.objective.name} has none")
        elif self.model.freeze and self.optimizer.body_rate != 1:
            raise ValueError("model.freeze leaves the body as it is, so leave optimizer.body_rate out")
        return self

    def changed(self, **changes: Any) -> "Recipe":
        """Return it with other values, which are not checked; those of a section as a dict.

        Raises:
            InputError: there is no such name.

        >>> Recipe(name="a").changed(seed=3, optimizer={"lr": 0.5}).optimizer.lr
        0.5
        """
        _check_names(changes, type(self), "a recipe")
        for name, values in changes.items():
            if isinstance(values, dict):
                section = getattr(self, name)
                if not isinstance(section, Section):
                    raise InputError(f"{name} is no section: give its value, not a dict")
                _check_names(values, type(section), name)
                changes[name] = section.model_copy(update=values)
        return self.model_copy(update=changes)

    def digest(self) -> str:
        """Return 12 hexadecimal digits that change with anything that can change the result.

        What stands at its default does not enter, so that the digest outlives settings that are added later.
        """
        beside = {"name", "about", "source", "better", "claims", "figures", "track"}
        # Before training is compared with its default: snapshots alone must not make it count.
        counted = self.changed(training={"snapshots": False})
        values = counted.model_dump(mode="json", exclude_defaults=True, exclude=beside)
        if self.model.weights_sha256:
            del values["model"]["weights"]  # what is in the file counts, not where it lies
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]

    def to_toml(self) -> str:
        """Return the recipe as TOML, every key written out, so that it says the same to any later version."""
        return tomli_w.dumps(_without_none(self.model_dump(mode="json")))


def _check_names(names: Iterable[str], section: type[Section], called: str) -> None:
    for name in names:
        if name not in section.model_fields:
            raise InputError(f"{called} has no {name!r}{nearest(name, section.model_fields)}")


def _without_none(value: Any) -> Any:
    """Leave out what TOML has no word for, at any depth."""
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value
