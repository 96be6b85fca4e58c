"""Beginning from a trained model: which file it is, and what of it a recipe takes over.

The network, its arguments and all that turns pictures into inputs come from the model file; the training then gives
the network a new head. Knows nothing of pictures, and trains nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retinula.errors import InputError, nearest
from retinula.files.durable import reading, sha256_of
from retinula.models.catalog import NETWORKS, build_outline
from retinula.models.elsewhere import known_elsewhere
from retinula.models.head import head_of
from retinula.models.timm_networks import is_of_timm
from retinula.recipe.differences import changed_from_shipped
from retinula.recipe.recipe import Recipe
from retinula.recipe.sections import Inputs
from retinula.runs.run import RUNS, Run, list_runs
from retinula.trained.finding import find_trained
from retinula.trained.model_file import Model
from retinula.trained.pretrained import pretrained_file
from retinula.transforms.preprocess import Preprocess

NEWEST_OF = "recipe:"  # before a recipe's name: the newest finished run of it, as it is shipped if there is one


@dataclass(frozen=True, eq=False)
class Source:
    """A trained model that another training begins from.

    Attributes:
        model: in evaluation mode.
        name: of the run it lies in, or of its file.
        sha256: of the file.
        changed: settings in which the run differs from the shipped recipe that was asked for, as `key=value`.
    """

    model: Model
    name: str
    sha256: str
    changed: tuple[str, ...] = ()

    def __str__(self) -> str:
        licence = self.model.weights_licence
        under = f", licence {licence}" if licence else ""
        told = f"{self.model.network_name}, {len(self.model.classes)} classes{under}, SHA-256 {self.sha256[:12]}"
        return f"{self.name} ({told})"

    def to_dict(self) -> dict[str, Any]:
        """Return what reports and model files record: name, digest, and the model's own provenance."""
        return {"name": self.name, "sha256": self.sha256, "provenance": dict(self.model.provenance)}


def begin_from(
    recipe: Recipe, root: Path = RUNS, tell: Callable[[str], None] = lambda _: None
) -> tuple[Recipe, Source]:
    """Read the model that a recipe begins from, and write into the recipe what comes from it.

    The recipe returned says all by itself: network, arguments, inputs, the file in full and its SHA-256. Where the
    recipe has settings of its own, they have to leave the layers as they are.

    Args:
        recipe: with `model.weights`: what `find_weights` takes.
        root: the folder of the runs.
        tell: as of `find_finished`.

    Raises:
        InputError: there is no such model, it is not for classes, or the recipe contradicts it.
    """
    path = find_weights(recipe.model.weights or "", root, tell).resolve()
    model = Model.load(path)
    sha256 = sha256_of(path)
    if recipe.model.weights_sha256 not in (None, sha256):
        raise InputError(
            f"{path} is not the file that model.weights_sha256 names, or has changed since; "
            "leave model.weights_sha256 out to begin from it as it is"
        )
    if not model.classifies:
        raise InputError(f"{path}: {model.network_name} reconstructs pictures; begin from a model that tells classes")
    if recipe.model.name not in ("", model.network_name):
        raise InputError(
            f"{path} has weights of {model.network_name}, but model.name is {recipe.model.name!r}: "
            "leave model.name or model.weights out"
        )
    preprocess = _preprocess(recipe.inputs, model.preprocess, path)
    arguments = {**model.arguments, **recipe.model.arguments}
    _check_layers(model, arguments, preprocess, path)
    choice = {"name": model.network_name, "arguments": arguments, "weights": str(path), "weights_sha256": sha256}
    inputs = {
        name: getattr(preprocess, name) for name in ("size", "channels", "resize", "crop", "mean", "std", "resample")
    }
    views = {} if recipe.prediction.model_fields_set else vars(model.preprocess.views)
    settled = recipe.changed(model=choice, inputs=inputs, prediction=views)
    run = run_of(path)
    by_recipe = (recipe.model.weights or "").startswith(NEWEST_OF)
    changed = _changed(run) if run is not None and by_recipe else ()
    return settled, Source(model, path.name if run is None else run.name, sha256, changed)


def run_of(path: Path) -> Run | None:
    """Return the run whose model a file is; None of a model file alone."""
    run = Run(path.parent)
    return run if run.recipe_file.is_file() and run.model_file == path else None


def find_weights(weights: str, root: Path = RUNS, tell: Callable[[str], None] = lambda _: None) -> Path:
    """Return the model file that `weights` means.

    Args:
        weights: what `find_trained` takes; `recipe:NAME`; or `timm/NAME`, unless it is a file, whose weights are
            fetched where they are not at hand.
        root: the folder of the runs.
        tell: as of `find_finished`.

    Raises:
        InputError: there is none, or the run has no model yet.
        RetinulaError: weights cannot be fetched.
    """
    if weights.startswith(NEWEST_OF):
        return _newest(weights.removeprefix(NEWEST_OF), root).model_file
    with reading(weights):
        published = is_of_timm(weights) and not Path(weights).is_file()
        is_there = weights == "last" or any(place.exists() for place in (Path(weights), root / weights))
    if published:
        return pretrained_file(weights)
    if not is_there:
        known = {*NETWORKS, *(run.name for run in list_runs(root))}
        hint = known_elsewhere(weights) or nearest(weights, known)
        raise InputError(f"there is no network {weights!r}, nor a run or model file{hint}")
    return find_trained(weights, root, tell).file


def _changed(run: Run) -> tuple[str, ...]:
    """Return in which settings a run differs from what is shipped; none where its recipe cannot be read."""
    try:
        return (*(changed_from_shipped(run.recipe()) or ()), *filter(None, [run.ended_early()]))
    except InputError:
        return ()  # its model is whole all the same


def _newest(recipe: str, root: Path) -> Run:
    """Return the newest finished run of a recipe as shipped; only where there is none, one with other settings."""
    newest: Run | None = None
    for run in reversed(list_runs(root)):
        try:
            if run.finished and run.report().get("recipe") == recipe:
                newest = newest or run
                if changed_from_shipped(run.recipe()) == [] and not run.ended_early():
                    return run
        except InputError:
            continue  # one broken folder does not hide the others
    if newest is not None:
        return newest
    raise InputError(
        f"there is no finished run of {recipe} in {root.resolve()} to begin from: "
        f"train it first with: retinula train {recipe}"
    )


def _preprocess(inputs: Inputs, trained: Preprocess, path: Path) -> Preprocess:
    """Return the trained model's own preprocessing, with the size, crop, rule and filter that the recipe gives."""
    given = [name for name in ("mean", "std") if getattr(inputs, name) not in (None, getattr(trained, name))]
    if "normalise" in inputs.model_fields_set and inputs.mean is None:
        given.append("normalise")
    if given:
        keys = " and ".join(f"inputs.{name}" for name in given)
        raise InputError(f"{path} brings the normalisation it was trained with: leave {keys} out")
    if inputs.channels not in (None, trained.channels):
        raise InputError(f"{path} takes pictures of {trained.channels} channels: leave inputs.channels out")
    size = inputs.size or trained.size
    crop = inputs.crop or (trained.crop if size == trained.size else None)
    resize = inputs.resize if "resize" in inputs.model_fields_set else trained.resize
    resample = inputs.resample if "resample" in inputs.model_fields_set else trained.resample
    return Preprocess(trained.channels, size, trained.mean, trained.std, resize=resize, crop=crop, resample=resample)


def _check_layers(model: Model, arguments: dict[str, Any], preprocess: Preprocess, path: Path) -> None:
    """Make sure that the trained weights fit the network as the recipe wants it, and that it has a head."""
    head = model.network.get_submodule(head_of(model.network))
    if head.out_features != len(model.classes):
        raise InputError(f"{path}: {model.network_name} does not end in a linear layer, so it has no head to replace")
    size = preprocess.input_shape[1:]
    network = build_outline(
        model.network_name, num_classes=len(model.classes), channels=preprocess.channels, size=size, **arguments
    )
    shapes, trained = (
        {name: values.shape for name, values in each.state_dict().items()} for each in (network, model.network)
    )
    if shapes != trained:
        before, now = ("x".join(map(str, sides)) for sides in (model.preprocess.input_shape[1:], size))
        raise InputError(
            f"{path} was trained on inputs of {before} with arguments {model.arguments}; with {now} and "
            f"{arguments} {model.network_name} has other layers: leave inputs.size, inputs.crop and model.arguments out"
        )
