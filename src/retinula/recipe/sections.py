"""The sections of a recipe: each setting, and what it may be.

Knows the names of things but imports none of them: reading a recipe never loads torch.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from retinula.errors import InputError, nearest
from retinula.forms import (
    LARGEST_SIDE,
    MOST_PARTS,
    Averaging,
    Flip,
    LabelKind,
    Precision,
    Resample,
    Resize,
    Sampling,
)

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Range = Annotated[tuple[NotNegative, NotNegative], Field(description="low, high")]
Share = Annotated[float, Field(gt=0, le=1)]
ValidationMetric = Literal["val_loss", "val_accuracy"]


def _square(value: Any) -> Any:
    """Take one whole number for the side of a square; a list becomes a tuple, as strict checking wants it here."""
    if type(value) is int:
        return value, value
    return tuple(value) if isinstance(value, list) else value


Side = Annotated[int, Field(ge=1, le=LARGEST_SIDE)]
Size = Annotated[tuple[Side, Side], BeforeValidator(_square), Field(description="height, width")]


if TYPE_CHECKING:  # so that arguments are checked by the fields
    from pydantic._internal._model_construction import ModelMetaclass as _InOneLine
else:

    class _InOneLine(type(BaseModel)):
        """Of sections, which Python makes or is told in one line why not; files are `recipe.files`' to explain."""

        def __call__(cls, *values: Any, **named: Any) -> Any:
            if values:
                raise InputError(f"{cls.__name__}: give its parts by name, such as {next(iter(cls.model_fields))}=...")
            try:
                return super().__call__(**named)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                key = ".".join(map(str, first["loc"]))
                message = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
                if first["type"] == "extra_forbidden":
                    message = f"there is no such part{_home(_part(cls, first['loc'][:-1]), str(first['loc'][-1]))}"
                elif key and first["type"] != "missing":
                    message = f"{message}, not {repr(first['input'])[:80]}"
                raise InputError(f"{cls.__name__}: {f'{key}: ' if key else ''}{message}") from error


def _part(model: Any, place: Sequence[str | int]) -> Any:
    """Return which section lies at a place within another, such as `("model", "arguments")`."""
    for name in place:
        field = getattr(model, "model_fields", {}).get(name)
        model = None if field is None else field.annotation
    return model


def _home(model: Any, key: str) -> str:
    """Say where a key belongs that a section does not have, as the end of a message."""
    sections = {name: field.annotation for name, field in getattr(model, "model_fields", {}).items()}
    for name, section in sections.items():
        if key in getattr(section, "model_fields", ()):
            return f"; give {name}=retinula.recipe.sections.{section.__name__}({key}=...)"
    return nearest(key, sections) if sections else ""


class Section(BaseModel, metaclass=_InOneLine):
    """What all parts of a recipe share: unknown keys are errors, values are never changed or guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Data(Section):
    """Which pictures: a name of the catalog, or a folder, archive, table or `.npz` file; and what is set apart.

    `validation` is the share that is set apart to choose by.

    `more` are further folders, archives, tables or `.npz` files of one's own, merged with the first. `root` is the
    folder that the paths of tables begin at, if it is not their own. `fold` is the number of a published
    split, where a data set has several; 0 is the usual one.
    """

    name: str = "digits"
    more: tuple[str, ...] = ()
    root: Annotated[str, Field(min_length=1)] | None = None
    labels: LabelKind = "fine"
    fold: Annotated[int, Field(ge=0, le=1000)] = 0
    classes: tuple[str | int, ...] = ()
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.1
    validation_part: Literal["stratified", "last"] = "stratified"


class ModelChoice(Section):
    """Which network, with arguments of its own; or a trained model to begin from, as `retinula.transfer` tells.

    Without `weights` the name left out is `residual`; with them it is the network they belong to.
    """

    name: str = ""
    arguments: dict[str, bool | int | float | str] = {}
    weights: Annotated[str, Field(min_length=1)] | None = None
    weights_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    freeze: bool = False

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: Any) -> Any:
        begins_anew = isinstance(values, dict) and values.get("weights") is None
        return {"name": "residual", **values} if begins_anew else values

    @model_validator(mode="after")
    def _frozen_as_trained(self) -> "ModelChoice":
        if self.weights is None and (self.freeze or self.weights_sha256):
            raise ValueError(
                f"{'freeze' if self.freeze else 'weights_sha256'} needs a trained model to begin from: "
                "give model.weights (--model RUN or --model FILE)"
            )
        return self


class Inputs(Section):
    """How pictures become inputs. `size` and `channels` left out: as the data set has them."""

    size: Size | None = None
    channels: Literal[1, 3] | None = None
    resize: Resize = "squash"
    resample: Resample = "bicubic"
    crop: Size | None = None
    normalise: Literal["unit", "dataset"] = "dataset"
    mean: tuple[float, ...] | None = None
    std: tuple[Positive, ...] | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> "Inputs":
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std belong together: give both or none")
        return self


class Augmentation(Section):
    """What is done to the pictures while training; the meaning of each is told with `transforms.augment`."""

    probability: Fraction = 1.0
    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0
    zoom: tuple[Positive, Positive] | None = None
    shear: Annotated[float, Field(ge=0, le=60)] = 0.0
    flip: Flip = "none"
    vertical_flip: bool = False
    crop_padding: Annotated[int, Field(ge=0, le=1024)] = 0
    random_crop: Size | None = None
    photo: Fraction = 0.0
    cutout: Annotated[int, Field(ge=0, le=LARGEST_SIDE)] = 0
    brightness: Fraction = 0.0
    contrast: Range | None = None
    saturation: Range | None = None
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    noise: tuple[Fraction, Fraction] | None = None
    mixup: NotNegative = 0.0
    cutmix: NotNegative = 0.0


class Objective(Section):
    """What is made small: for classes the cross entropy, for reconstruction `bce`, `mse` or `log_mse`."""

    name: Literal["cross_entropy", "bce", "mse", "log_mse"] = "cross_entropy"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_weights: Literal["none", "balanced"] = "none"

    @property
    def reconstructs(self) -> bool:
        """Whether a network learns to give pictures back; otherwise it learns to tell classes."""
        return self.name != "cross_entropy"


class Optimizer(Section):
    """How weights move.

    `momentum` and `nesterov` belong to SGD, SAM and Muon, `betas` to Adam and Muon, `eps` to Adam, `rho` to SAM.
    Muon's rate is the share of their norm by which a layer's weights move a step; the head, biases, normalisation and
    what begins at zero move by Adam, at `rest_rate` times that rate and without decay. `body_rate` multiplies the rate
    of all layers but the head, where training begins from a trained model.
    """

    name: Literal["sgd", "adam", "adamw", "sam", "muon"] = "adamw"
    lr: Positive = 1e-3
    weight_decay: NotNegative = 0.0
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    nesterov: bool = False
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.999)
    eps: Positive = 1e-8
    rho: Positive = 0.05
    rest_rate: Positive = 0.2
    clip_norm: NotNegative = 0.0
    body_rate: Annotated[float, Field(gt=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _fits_together(self) -> "Optimizer":
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs momentum above 0")
        if self.name == "muon" and self.body_rate != 1:
            raise ValueError("muon moves every layer in proportion to its weights: leave optimizer.body_rate out")
        return self


class Schedule(Section):
    """The learning rate against the fraction of the training that is done.

    `milestones` and `factor` belong to `step`, `points` (fraction done, multiple of the rate) to `piecewise`,
    `peak` (the fraction at which the rate is highest) to `one-cycle`, which has a warm-up of its own.
    """

    name: Literal["constant", "step", "cosine", "one-cycle", "piecewise"] = "constant"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    milestones: tuple[Fraction, ...] = ()
    factor: Positive = 0.1
    peak: Annotated[float, Field(gt=0, lt=1)] = 0.3
    points: tuple[tuple[Fraction, NotNegative], ...] = ()

    @model_validator(mode="after")
    def _has_its_places(self) -> "Schedule":
        if self.name == "step" and not self.milestones:
            raise ValueError("step needs milestones, the fractions of the training at which the rate changes")
        if self.warmup and self.name == "one-cycle":
            raise ValueError("one-cycle rises by itself until its peak, so it has no warmup: schedule.warmup=0")
        if self.warmup and self.name == "step" and self.warmup >= min(self.milestones):
            latest = min(self.milestones)
            raise ValueError(f"warmup must end before the first milestone, {latest:g}: give a shorter warmup, or 0")
        fractions = [fraction for fraction, _ in self.points]
        if self.name == "piecewise" and (len(fractions) < 2 or fractions != sorted(set(fractions))):
            raise ValueError("piecewise needs at least two points, their fractions rising")
        return self


class Training(Section):
    """How long and in which portions; what is kept.

    Exactly one of `epochs` and `steps` counts; where `epochs` are fewer than `least_steps` steps, more are made until
    there are so many, all of them whole. `sampling` is told with `transforms.batches.BatchPlan`. `keep` is
    `best` by `metric`, where there are validation pictures, or `last`. `early_stopping` is the number of epochs
    without a better value after which training ends; 0 never ends early. `average` is the decay of a running average
    of the weights that is kept instead of them. `sizes` are pairs of a fraction of the training done and the side of
    the inputs from there on, so that it can begin on small ones, which cost less. `snapshots` keeps the model after
    every epoch, so that a work's test curve can be drawn after the fact.
    """

    epochs: Annotated[int, Field(ge=1, le=100_000)] | None = None
    steps: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    least_steps: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 128
    drop_last: bool = False
    sampling: Sampling = "epoch"
    keep: Literal["best", "last"] = "best"
    metric: ValidationMetric = "val_accuracy"
    early_stopping: Annotated[int, Field(ge=0)] = 0
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0
    sizes: tuple[tuple[Fraction, Side], ...] = ()
    snapshots: bool = False
    precision: Precision = "auto"

    @model_validator(mode="after")
    def _one_length(self) -> "Training":
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either epochs or steps")
        if self.steps is not None and self.least_steps:
            raise ValueError("least_steps is the least that epochs come to: leave it out where steps are given")
        return self

    @model_validator(mode="after")
    def _sizes_in_order(self) -> "Training":
        fractions = [fraction for fraction, _ in self.sizes]
        if self.sizes and (fractions[0] != 0 or fractions != sorted(set(fractions))):
            raise ValueError("sizes need fractions that begin at 0 and rise")
        return self

    def num_steps(self, steps_per_epoch: int) -> int:
        """Return the steps of a whole training, were it not to stop early, where an epoch has so many."""
        if self.steps is not None:
            return self.steps
        epochs = max(self.epochs or 1, -(-self.least_steps // steps_per_epoch))
        return epochs * steps_per_epoch


class Evaluation(Section):
    """How the finished model is asked: `tta` averages over mirrored and shifted pictures."""

    tta: Averaging = "none"


class Prediction(Section):
    """Which parts of a photo are looked at beside the whole; the answer is the mean (see `views.Views`)."""

    crops: Literal[0, 1, 3, 5] = 0
    scales: Annotated[tuple[Share, ...], Field(min_length=1, max_length=MOST_PARTS)] = (1.0,)
    zooms: Annotated[tuple[Share, ...], Field(max_length=MOST_PARTS)] = ()
    mirror: bool = False

    @model_validator(mode="after")
    def _scales_of_crops(self) -> "Prediction":
        if not self.crops and self.scales != (1.0,):
            raise ValueError("scales are how long the sides of crops are: give prediction.crops above 0")
        return self


class Figures(Section):
    """What is drawn beyond the usual: it changes no result.

    `ranges` are stretches of steps (first, last) shown apart; `photos` is the name of a folder of photos, in one of
    the folders of `RETINULA_DATA`, that a reproduction asks the model about.
    """

    ranges: tuple[tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]], ...] = ()
    photos: str = ""

    @model_validator(mode="after")
    def _first_before_last(self) -> "Figures":
        if any(first >= last for first, last in self.ranges):
            raise ValueError("the first step of a range must come before its last")
        return self


Tracker = Literal["tensorboard", "csv"]
Metric = Literal[
    "accuracy",
    "plain_accuracy",
    "train_accuracy",
    "photos_accuracy",
    "loss",
    "psnr",
    "psnr_gain",
    "psnr_over_linear",
    "step_loss",
    "lowest_step_loss",
    "val_loss",
    "epoch_val_loss",
    "epochs",
    "seconds",
    "step_seconds",
]


class Claim(Section):
    """A figure that the recipe stands for, published or set as its aim.

    `metric` is told with `reproduction.measures`; `at` belongs to two of them: of `step_loss` it is the last of the
    steps that are averaged over, of `epoch_val_loss` the epoch. `tolerance` is how far a measurement may lie from
    `value` and still bear it out; where it is left out, the figure is only shown, as a time on another machine. With
    `at_least` being better is no deviation.
    `fault` says what is wrong with the figure in the work itself.
    """

    metric: Metric
    value: float
    tolerance: NotNegative | None = None
    at_least: bool = False
    at: Annotated[int, Field(ge=1)] | None = None
    fault: str = ""

    @model_validator(mode="after")
    def _time_where_it_counts(self) -> "Claim":
        if (self.metric in ("step_loss", "epoch_val_loss")) != (self.at is not None):
            raise ValueError(
                "at is the step of a step_loss or the epoch of an epoch_val_loss, and belongs to these alone"
            )
        return self
