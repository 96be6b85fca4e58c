"""Going on from a checkpoint: what it has to fit, and what the beginning has settled for good."""

from collections.abc import Callable
from typing import Any

from retinula.errors import InputError, first_line
from retinula.files.durable import read_text, write_json
from retinula.files.strict_json import read_json
from retinula.images import ImageSet
from retinula.recipe.recipe import Recipe
from retinula.runs.run import Run
from retinula.training import processes
from retinula.training.checkpoint import load_checkpoint
from retinula.training.hardware import Hardware, shared_hardware
from retinula.training.reporting import Reporter
from retinula.transfer import Source


def newest_checkpoint(run: Run, tell: Callable[[str], None]) -> dict[str, Any] | None:
    """Return what the newest whole checkpoint of a run holds; None where a training begins.

    Args:
        run: as its folder is now.
        tell: told about each checkpoint that cannot be read.

    Raises:
        InputError: there are steps in the log, but no checkpoint.
        RetinulaError: there are checkpoints, but none of them is whole.
    """
    saved = load_checkpoint(run, tell)
    if saved is None and run.steps():
        raise InputError(f"{run.path} has steps in its log but no checkpoint, so it cannot go on; begin a new run")
    return saved


def fingerprints(recipe: Recipe, train_set: ImageSet, validation_set: ImageSet | None) -> dict[str, str | None]:
    """Return of recipe and pictures what has to be the same wherever and whenever a training goes on."""
    return {
        "recipe": recipe.digest(),
        "data": train_set.fingerprint(),
        "validation": None if validation_set is None else validation_set.fingerprint(),
    }


def check_fit(saved: dict[str, str | None], now: dict[str, str | None], run: Run) -> None:
    """See that a checkpoint belongs to the recipe and the pictures of now, by `fingerprints` of then and now.

    Raises:
        InputError: it belongs to another recipe, or to other pictures.
    """
    if saved["recipe"] != now["recipe"]:
        raise InputError(f"{run.path}: its checkpoint belongs to another recipe; begin a new run for this one")
    for key, what in (("data", "training"), ("validation", "validation")):
        if saved.get(key) != now[key]:
            raise InputError(f"{run.path}: the {what} pictures have changed since its checkpoint; begin a new run")


def check_logs(run: Run, step: int, steps_per_epoch: int, num_steps: int) -> None:
    """See that the logs hold what a checkpoint comes from: without it no report can be made at the end.

    Args:
        run: as its folder is now.
        step: how many steps the checkpoint has.
        steps_per_epoch: of the training.
        num_steps: of the whole training, which end its last epoch.

    Raises:
        InputError: epochs or steps are missing.
    """
    ends = {*range(steps_per_epoch, step + 1, steps_per_epoch), *([step] if step == num_steps else [])}
    for file, wanted, rows in (
        (run.metrics_file, ends, [row["step"] for row in run.metrics()]),
        (run.steps_file, {*range(1, step + 1)}, [row["step"] for row in run.steps()]),
    ):
        if missing := wanted.difference(rows):
            raise InputError(
                f"{file}: {len(missing):,} of {len(wanted):,} rows are missing that were there when the checkpoint at "
                f"step {step} was made; put the file back, or begin a new run"
            )


def saved_hardware(saved: dict[str, Any], run: Run) -> Hardware:
    """Return what a training was begun with, by which alone it goes on bit for bit.

    Raises:
        InputError: this machine has not got it.
    """
    try:
        return Hardware.from_dict(saved)
    except InputError as error:
        raise InputError(f"{run.path}: {error}") from error


def first_hardware(run: Run) -> Hardware | None:
    """Return what a training that ended before its first checkpoint was to compute with; None where it was not chosen.

    Raises:
        InputError: it is damaged, or another version's.
    """
    if not run.hardware_file.exists():
        return None
    text = read_text(run.hardware_file)
    try:
        return Hardware.from_dict(read_json(text))
    except InputError as error:
        raise InputError(
            f"{run.hardware_file} was written by another version of Retinula; go on with that one, "
            "or remove it to begin anew"
        ) from error
    except (LookupError, TypeError, ValueError) as error:
        reason = f"cannot be read ({first_line(error)}); remove it to begin anew"
        raise InputError(f"{run.hardware_file} {reason}") from error


def settled_hardware(
    run: Run,
    saved: dict[str, Any] | None,
    given: Hardware | None,
    choose: Callable[..., Hardware],
    num_images: int,
    reporter: Reporter,
) -> Hardware:
    """Return what to train with: that of the checkpoint, what is given, what was chosen already, or measured now.

    Args:
        run: keeps what is chosen until a checkpoint does, because measuring again could choose another.
        saved: the checkpoint, if there is one.
        given: by a caller, or None.
        choose: as for `shared_hardware`, and so the rest.
        num_images: pictures in a batch.
        reporter: told where it is measured.

    Raises:
        InputError: this machine has not got it, or what was chosen cannot be read.
    """
    if saved is not None:
        return shared_hardware(saved_hardware(saved["hardware"], run), choose, num_images)
    given = given or processes.by_first(lambda: first_hardware(run))
    if given is None:
        reporter.loading("measuring what computes fastest here", 0, None)
    hardware = shared_hardware(given, choose, num_images)
    if processes.is_first():
        write_json(run.hardware_file, hardware.to_dict())
    return hardware


def origin_of(recipe: Recipe, source: Source | None, saved: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what the model says of itself that a training begins from, or began from.

    Args:
        recipe: that is trained.
        source: the model that it begins from, where there is one.
        saved: the checkpoint that it goes on from, where there is one: this knows the model already.

    Raises:
        InputError: the recipe names a model, but nobody has read it.
    """
    origin = saved.get("source") if saved is not None else None if source is None else source.to_dict()
    if recipe.model.weights is not None and origin is None:
        raise InputError(f"{recipe.name} begins from {recipe.model.weights}: read it with retinula.transfer.begin_from")
    return origin
