"""What a report says of a training: the facts of it, its curves, and its figures beside the published ones.

Knows the run's folder only; needs neither model nor pictures.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from retinula.evaluation.intervals import wilson_interval
from retinula.evaluation.text import AVERAGED_OVER
from retinula.recipe.recipe import Recipe
from retinula.recipe.sections import Augmentation
from retinula.report.charts import Chart, line_chart, thinned
from retinula.reproduction.finished import Finished
from retinula.reproduction.table import Row, head_for, make_rows
from retinula.runs.files import StepRow, ended_early
from retinula.runs.run import Run
from retinula.text.words import duration, plural
from retinula.training.loss_words import compared, in_training, only_in_training
from retinula.training.plan import batches_of
from retinula.training.ranking import best_epoch

OBJECTIVES = {  # what a loss is, by the name in the recipe
    "cross_entropy": "cross entropy",
    "bce": "binary cross entropy",
    "mse": "mean squared error",
    "log_mse": "logarithm of the mean squared error",
}
FEW_STEPS = 30  # so many, or fewer, say no more than the epochs
GAP = 0.1  # between the shares of right answers, from which on learning by heart is worth a word
SMOOTHED = 120  # means of steps that a line of losses has, at most; single batches scatter too much to be read

Metrics = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class TrainingPart:
    """What was trained on what, and how it went.

    Attributes:
        report: as in `report.json`.
        about: what the recipe says of itself.
        facts: name and value, in the order to be shown.
        charts: curves.
        finding: the curves in a sentence.
        claims: published figures beside measured ones.
        claims_head: what their columns are called.
        claims_source: where they were published, or who set them.
        measurements: of the run that were made so far: what, and the result in words.
        num_trained: of the network's weights, where the others stayed as a model that it began from had them.
        began_from: name of the model that it began from, or nothing.
    """

    report: dict[str, Any]
    about: str
    facts: tuple[tuple[str, str], ...]
    charts: tuple[Chart, ...]
    finding: str
    claims: tuple[Row, ...]
    claims_head: tuple[str, ...]
    claims_source: str
    measurements: tuple[tuple[str, str], ...]
    num_trained: int | None
    began_from: str


def training_part(run: Run, num_trained: int | None = None) -> TrainingPart:
    """Gather it from a finished run's folder.

    Args:
        run: a finished one.
        num_trained: how many weights of its network were trained; None for all.

    Raises:
        InputError: the run is not finished, or a file of it cannot be read or is not whole.
    """
    report, recipe, metrics = run.report(), run.recipe(), run.metrics()
    whole = _is_whole(metrics, recipe, report["data"].get("num_images"))
    return TrainingPart(
        report=report,
        about=recipe.about,
        facts=tuple(_facts(run, report, num_trained, whole=whole)),
        charts=tuple(_charts(metrics, run.steps(), recipe)),
        finding=_finding(metrics, recipe, report["data"].get("num_validation_images"), whole=whole),
        claims=tuple(make_rows(recipe, [Finished(run, recipe, report)])),
        claims_head=head_for(recipe),
        claims_source=recipe.source,
        measurements=tuple(_measurements(report)),
        num_trained=num_trained,
        began_from=_name_of(report.get("source")),
    )


def _facts(run: Run, report: dict[str, Any], num_trained: int | None, *, whole: bool) -> list[tuple[str, str]]:
    data, training = report["data"], report["training"]
    sessions = [report, *(report.get("went_on") or ())]
    versions = [each.get("versions") or {} for each in sessions]
    kept = {"last": "the last weights", "best": "the best weights by the validation pictures"}
    facts: list[tuple[str, Any]] = [
        ("Pictures", data.get("name")),
        ("to learn from", _count(data.get("num_images"))),
        ("set apart to choose by", _count(data.get("num_validation_images")) or "none"),
        ("left out", _count(data.get("num_skipped"))),
        ("Classes", data.get("num_classes")),
        ("Copy", ", ".join(str(data[key]) for key in ("copy", "source") if data.get(key))),
        ("Licence", data.get("licence")),
        ("To be cited", data.get("citation")),
        ("Network", report.get("network")),
        ("Weights", _weights(report.get("parameters"), num_trained)),
        ("Began from", _source(report.get("source"))),
        ("Recipe", f"{report.get('recipe')} (digest {report.get('digest')}, seed {report.get('seed')})"),
        ("Epochs", _epochs(training.get("epochs"), whole=whole)),
        ("Steps", _count(training.get("steps"))),
        ("Not trained to its end", ended_early(report)),
        ("Kept", f"{kept.get(training.get('kept'), training.get('kept'))}, of step {training.get('kept_step'):,}"),
        ("Time of training", duration(training["seconds"]) if training.get("seconds") else None),
        ("Computer", _in_turn(", ".join(_machine(each.get("machine") or {})) for each in sessions)),
        ("Programs", _in_turn(", ".join(f"{name} {version}" for name, version in each.items()) for each in versions)),
        ("Finished", str(report.get("finished", "")).replace("T", " ")[:16]),
        ("Folder", run.path.resolve()),
    ]
    return [(name, str(value)) for name, value in facts if value not in (None, "")]


def _in_turn(told: Iterable[str]) -> str:
    return "; then ".join(each for each, _ in itertools.groupby(told))


def _machine(machine: dict[str, Any]) -> list[str]:
    parts = [str(machine["processor"])] if machine.get("processor") else []
    if machine.get("cores"):
        parts.append(plural(int(machine["cores"]), "core"))
    if machine.get("memory_gib"):
        parts.append(f"{machine['memory_gib']} GiB of memory")
    if machine.get("accelerator"):
        parts.append(str(machine["accelerator"]))
    return parts


def _weights(number: Any, num_trained: int | None) -> str:
    return _count(number) + ("" if num_trained is None else f", of which {num_trained:,} were trained")


def _name_of(source: Any) -> str:
    return str(source.get("name") or "") if isinstance(source, dict) else ""


def _source(source: Any) -> str:
    """Write which model it was, and which recipe made it, as far as that is known."""
    if not _name_of(source):
        return ""
    made = source.get("provenance")
    known = made if isinstance(made, dict) else {}
    told = [f"{key} {known[key]}" for key in ("recipe", "seed") if known.get(key) is not None]
    maker = f" ({', '.join(told)})" if told else ""
    return f"{_name_of(source)}{maker}, SHA-256 {str(source.get('sha256'))[:12]}"


def _count(number: Any) -> str:
    return f"{number:,}" if isinstance(number, int) and number else ""


def _charts(metrics: Metrics, steps: Sequence[StepRow], recipe: Recipe) -> list[Chart]:
    charts = []
    objective = OBJECTIVES[recipe.objective.name]
    counted = in_training(only_in_training(recipe))
    losses = [(counted, _column(metrics, "loss")), ("validation", _column(metrics, "val_loss"))]
    losses = [(words, points) for words, points in losses if points]
    if losses:
        charts.append(line_chart(f"Loss ({objective})", "epoch", "loss", losses, logarithmic=_spreads(losses)))
    shares = [("training", _column(metrics, "accuracy", 100)), ("validation", _column(metrics, "val_accuracy", 100))]
    shares = [(words, points) for words, points in shares if points]
    if shares:
        charts.append(line_chart("Right answers", "epoch", "right (%)", shares, most=100))
    finite = [(row["step"], row["loss"]) for row in steps if math.isfinite(row["loss"])]
    if len(finite) > FEW_STEPS:
        words = "mean of neighbouring batches" if len(finite) > SMOOTHED else "batch"
        points = [(words, thinned(finite, SMOOTHED))]
        charts.append(line_chart(f"Loss by step ({objective})", "step", "loss", points, logarithmic=_spreads(points)))
    rates = [(row["step"], row["learning_rate"]) for row in steps if row["learning_rate"] > 0]
    if len(rates) > FEW_STEPS and len({rate for _, rate in rates}) > 1:
        charts.append(line_chart("Learning rate", "step", "rate", [("learning rate", rates)]))
    return charts


def _column(metrics: Metrics, key: str, times: float = 1) -> list[tuple[float, float]]:
    values = [(row["epoch"], row.get(key)) for row in metrics]
    return [(epoch, times * value) for epoch, value in values if value is not None and math.isfinite(value)]


def _spreads(series: Sequence[tuple[str, list[tuple[float, float]]]]) -> bool:
    """Whether losses are all above 0 and so far apart that only a logarithmic axis shows the small ones."""
    values = [value for _, points in series for _, value in points]
    return min(values) > 0 and max(values) > 10 * min(values)


def _finding(metrics: Metrics, recipe: Recipe, num_validation: int | None, *, whole: bool) -> str:
    if not metrics:
        return ""
    last, only_there = metrics[-1], only_in_training(recipe)
    loss = ", with ".join(filter(None, (OBJECTIVES[recipe.objective.name], only_there)))
    seen = "the training pictures" if recipe.augment == Augmentation() else "the training pictures as it was given them"
    # The mean of the steps, during which the network changed; nothing was measured at the end.
    words = [f"During {_last_epoch(metrics, whole=whole)} the mean loss ({loss}) on {seen} was {last['loss']:.4g}"]
    if last.get("accuracy") is not None:
        words.append(f", with {100 * last['accuracy']:.1f} % of them right")
    losses = _column(metrics, "val_loss")
    if last.get("val_accuracy") is not None:
        words += _finding_of_accuracy(metrics, num_validation or 0)
    elif losses:
        words += _finding_of_loss(losses, last["epoch"])
    else:
        words.append(". No pictures were set apart, so there is no curve of pictures it did not learn from")
    told = "".join(words) + "."
    return f"{told} {compared('validation', only_there)}" if losses and only_there else told


def _last_epoch(metrics: Metrics, *, whole: bool) -> str:
    number, step = metrics[-1]["epoch"], metrics[-1]["step"]
    name = "the only epoch" if number == 1 else f"the last of {number:,} epochs"
    return name if whole else f"{name}, cut short at step {step:,},"


def _finding_of_accuracy(metrics: Metrics, num_validation: int) -> list[str]:
    last, best = metrics[-1], metrics[best_epoch(metrics, "val_accuracy")]
    words = [f". Of the validation pictures, {100 * last['val_accuracy']:.1f} % are right at the end"]
    if best["epoch"] != last["epoch"] and best["val_accuracy"] > last["val_accuracy"]:
        words.append(f"; the best was epoch {best['epoch']} with {100 * best['val_accuracy']:.1f} %")
    if last.get("accuracy") is not None and _is_less(last["val_accuracy"], num_validation, last["accuracy"]):
        words.append(
            ". It does much better on pictures it has learned from: more pictures or stronger augmentation may help"
        )
    return words


def _is_less(accuracy: float, number: int, other: float) -> bool:
    """Tell whether an accuracy is less than another by more than so many pictures, or 0, could leave to chance."""
    _, high = wilson_interval(round(accuracy * number), number) if number else (0.0, 1.0)
    return other > max(high, accuracy + GAP)


def _finding_of_loss(losses: Sequence[tuple[float, float]], end: int) -> list[str]:
    (last_epoch, last), (best_epoch, lowest) = losses[-1], min(losses, key=itemgetter(1))
    when = "at the end" if last_epoch == end else f"in epoch {last_epoch}, the last in which it is finite"
    words = [f". On the validation pictures it is {last:.4g} {when}"]
    return [*words, f"; the lowest was {lowest:.4g} in epoch {best_epoch}"] if lowest < last else words


def _epochs(number: int | None, *, whole: bool) -> str | int | None:
    if number is None or whole:
        return number
    return f"{number}, {'the last ' if number > 1 else ''}cut short"


def _is_whole(metrics: Metrics, recipe: Recipe, num_images: int | None) -> bool:
    """Tell whether the last epoch, if there is one, was not cut short by the number of steps."""
    if not metrics:
        return True
    # The first epoch may be the one that was cut; where nobody wrote down how many pictures there were, it must do.
    of_an_epoch = batches_of(recipe, num_images).steps_per_epoch if num_images else int(metrics[0]["step"])
    return int(metrics[-1]["step"]) == int(metrics[-1]["epoch"]) * of_an_epoch


def _measurements(report: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    for name, each in sorted(report["evaluations"].items()):
        if None not in (each.get("num_correct"), each.get("accuracy")) and each.get("num_images"):
            low, high = _interval(each)
            share, bounds = f"{100 * each['accuracy']:.2f} %", f"{100 * low:.1f} to {100 * high:.1f} %"
            averaged = AVERAGED_OVER.get(str(each.get("tta", "none")), "several views")
            words = f"{share} of {each['num_images']:,} right ({bounds})"
            words += averaged and f", answers averaged over {averaged}"
        elif None not in (each.get("psnr"), each.get("ssim"), each.get("num_images")):
            words = f"PSNR {each['psnr']:.2f} dB, SSIM {each['ssim']:.4f} over {each['num_images']:,} pictures"
        else:
            continue
        found.append((name, words))
    photos = report.get("photos") or {}
    if photos.get("correct") is not None and photos.get("total"):
        low, high = wilson_interval(photos["correct"], photos["total"])
        which = f" of {photos['folder']}" if photos.get("folder") else ""
        share = f"{100 * photos['correct'] / photos['total']:.1f} %"
        words = f"{photos['correct']} of {photos['total']}{which} right, {share} "
        ways = ", ".join(str(photos[key]) for key in ("resize", "views", "resample") if photos.get(key))
        found.append(("photos", words + f"({100 * low:.1f} to {100 * high:.1f} %)" + (ways and f", seen by {ways}")))
    return found


def _interval(measured: dict[str, Any]) -> tuple[float, float]:
    """Return the interval as it was measured; of what an earlier version has measured, that of so many pictures."""
    low, high = measured.get("accuracy_low"), measured.get("accuracy_high")
    if isinstance(low, float) and isinstance(high, float):
        return low, high
    return wilson_interval(measured["num_correct"], measured["num_images"])
