"""`retinula predict`."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retinula.cli.loading import loading
from retinula.cli.terminal import AsJson, counting, remark, say, say_json
from retinula.cli.trained import RunOrAnyModel, is_onnx, trained_model
from retinula.errors import InputError
from retinula.files.durable import check_destination, check_folder
from retinula.text.words import share, sureness
from retinula.training.lines import Lines

if TYPE_CHECKING:
    from retinula.prediction.predict import Prediction
    from retinula.prediction.references import Reference
    from retinula.prediction.scoring import Score
    from retinula.trained.model_file import Model
    from retinula.trained.onnx_model import OnnxModel


class Way(StrEnum):
    """How a photo is made small: the whole of it by a rule, or it and several crops, averaged."""

    SQUASH = "squash"
    CROP = "crop"
    PAD = "pad"
    CROPS = "crops"


class Filter(StrEnum):
    """By which filter; each with antialiasing."""

    BOX = "box"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    LANCZOS = "lanczos"


def predict(
    run: RunOrAnyModel,
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE...", help="Pictures, folders, patterns, or - for standard input.")
    ],
    top: Annotated[int, typer.Option(metavar="N", help="How many classes to name for each picture.", min=1)] = 5,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="TABLE.csv", help="The right answers: file,label. Prints the accuracy of every --resize."),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT.csv",
            help="Write the first answer to each picture: file,label,answer,right,probability,unfamiliar. "
            "label is the true class of --labels, and right whether the answer is it.",
        ),
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="In the table of --csv also one column a class: its probability.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Draw each picture beside its answers as bars.")
    ] = None,
    resize: Annotated[
        Way | None,
        typer.Option(help="How photos are made small (crops: several, averaged); as its recipe says unless given."),
    ] = None,
    resample: Annotated[Filter | None, typer.Option(help="By which filter photos are made small; likewise.")] = None,
    crops: Annotated[
        int | None,
        typer.Option(metavar="N", help="Average over so many parts with the model's proportions: 0, 1, 3 or 5.", min=0),
    ] = None,
    scale: Annotated[
        list[float] | None,
        typer.Option(metavar="SHARE", help="Share of the longest side that crops have; may be repeated."),
    ] = None,
    zoom: Annotated[
        list[float] | None,
        typer.Option(metavar="SHARE", help="Average over a middle part with these shares of the sides; likewise."),
    ] = None,
    mirror: Annotated[
        bool | None, typer.Option("--mirror/--no-mirror", help="Average over mirrored photos too.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is on pictures.

    Files that are no pictures are named and skipped.
    """
    if probabilities and not csv:
        raise InputError("--probabilities are columns of a table: give --csv OUT.csv as well")
    _check_places(csv, plot)
    with loading():
        from retinula.prediction.predict import predict_files
        from retinula.prediction.references import find_pictures

        loaded = _load(run)
    given = {"crops": crops, "scales": tuple(scale or ()), "zooms": tuple(zoom or ()), "mirror": mirror}
    given = {name: value for name, value in given.items() if value not in (None, ())}
    model = _looking(loaded, resize, resample, given)
    references = find_pictures(sources, progress=Lines(remark))
    answers: dict[str, str] = {}
    left_over: list[str] = []
    if labels:
        from retinula.prediction.labels import match_labels, read_labels

        matched = match_labels(references, read_labels(labels), model.classes)
        answers, left_over = matched.labels, [matched.left_over(labels), matched.left_outside()]
    predictions, answered, judged, is_read = [], 0, 0, True
    for prediction in predict_files(model, references):
        answered += not prediction.skipped
        judged += prediction.unfamiliar is not None
        if csv or plot or labels:
            predictions.append(prediction)
        label = answers.get(prediction.src)
        is_read = is_read and _is_read(prediction, top, label, as_json, goes_on=bool(csv or plot))
    if not answered:
        raise InputError("no picture could be read")
    if not judged and not as_json:  # there every answer says so itself
        remark(
            "this model cannot tell what is unlike anything it was trained on: it names a class whatever it is shown"
        )
    if csv:
        from retinula.prediction.scoring import write_table

        write_table(csv, predictions, answers, classes=model.classes if probabilities else ())
        remark(f"written {csv}")
    if plot:
        _draw(model, references, predictions, answers, plot, top)
        remark(f"drawn into {plot}")
    if labels and is_read:
        from retinula.prediction.scoring import score

        for line in filter(None, left_over):
            remark(line)
        result = score(predictions, answers)
        line = (
            f"accuracy {share(result.accuracy)}: {result.correct} of {result.total} right "
            f"(95 % interval {share(result.low, 1)} to {share(result.high, 1)})"
        )
        tell = remark if as_json else say
        tell(line)
        labelled = [reference for reference in references if reference.src in answers]
        _tell_ways(model, result, labelled, answers, tell)


def _check_places(csv: Path | None, plot: Path | None) -> None:
    if csv:
        check_destination(csv)
    if plot:
        check_folder(plot)


def _tell_ways(
    model: "Model | OnnxModel",
    used: "Score",
    references: "list[Reference]",
    answers: dict[str, str],
    tell: Callable[[str], None],
) -> None:
    """Say how often each way of making photos small is right, all by the model's filter; first the one that was used.

    Args:
        model: as it was asked.
        used: how often it was right.
        references: the labelled pictures.
        answers: their labels.
        tell: prints a line.
    """
    from retinula.prediction.predict import predict_files
    from retinula.prediction.scoring import score

    form = model.form
    ways = {way: _looking(model, way) for way in Way}
    same = next((way for way, it in ways.items() if it.form == form), None)
    others = {way.value: score(predict_files(it, references), answers) for way, it in ways.items() if way != same}
    found = {same.value if same else "used": used, **others}
    for number, (name, result) in enumerate(found.items()):
        note = f"; used: {form.resize}, {form.views}, {form.resample}" if number == 0 else ""
        tell(f"  {name:6} {share(result.accuracy):>7}: {result.correct} of {result.total}{note}")


def _load(run: str) -> "Model | OnnxModel":
    if is_onnx(run):
        from retinula.trained.onnx_model import OnnxModel

        exported = OnnxModel.load(run)
        if not exported.classes:
            raise InputError(f"{run}: {exported.metadata['network']} gives pictures back; it knows no classes")
        return exported
    return trained_model(run)


def _looking(
    model: "Model | OnnxModel",
    way: Way | None = None,
    resample: Filter | None = None,
    given: Mapping[str, Any] = MappingProxyType({}),
) -> "Model | OnnxModel":
    """Return the model with photos made small as told, and as its recipe says where nothing is.

    Args:
        model: the model.
        way: replaces both its rule and what is averaged.
        resample: the filter.
        given: attributes of `Views` that replace its own.
    """
    from dataclasses import replace

    from retinula.pictures.views import Views
    from retinula.trained.onnx_model import OnnxModel

    views = model.form.views
    changes: dict[str, Any] = {}
    if way is not None:
        views = Views(crops=3) if way is Way.CROPS else Views()
        # Crops have the model's proportions already; beside them the whole picture is squashed.
        changes["resize"] = "squash" if way is Way.CROPS else way.value
    if given:
        views = Views(**{**vars(views), **given})
        if not views.crops:
            if "scales" in given:
                raise InputError("--scale is how long the sides of crops are: give --crops 1, 3 or 5")
            views = replace(views, scales=Views().scales)
    changes["views"] = views
    if resample is not None:
        changes["resample"] = resample.value
    if isinstance(model, OnnxModel):
        return replace(model, form=replace(model.form, **changes))
    return replace(model, preprocess=replace(model.preprocess, **changes))


def _is_read(prediction: "Prediction", top: int, label: str | None, as_json: bool, *, goes_on: bool) -> bool:
    """Say an answer, and whether anybody reads them; what goes to files is finished though nobody does."""
    try:
        _tell(prediction, top, label, as_json)
    except BrokenPipeError:
        if not goes_on:
            raise
        return False
    return True


def _tell(prediction: "Prediction", top: int, label: str | None, as_json: bool) -> None:
    if as_json:
        say_json(_as_json(prediction, top))
    elif not prediction.skipped:
        _say_answers(prediction, top, label)
    if prediction.skipped:
        remark(f"skipped {prediction.src}: {prediction.skipped}")


def _as_json(prediction: "Prediction", top: int) -> dict[str, object]:
    if prediction.skipped:
        return {"src": prediction.src, "skipped": prediction.skipped}
    best = prediction.best
    return {
        "src": prediction.src,
        "label": best.label,
        "probability": best.probability,
        "unfamiliar": prediction.unfamiliar,
        "top": [answer._asdict() for answer in prediction.answers[:top]],
    }


def _say_answers(prediction: "Prediction", top: int, label: str | None) -> None:
    named = ", ".join(f"{answer.label} {sureness(answer.probability)}" for answer in prediction.answers[:top])
    if prediction.unfamiliar:
        named = f"unlike anything it was trained on; if it must say: {named}"
    verdict = "" if label is None else "  (right)" if label == prediction.best.label else f"  (wrong: {label})"
    say(f"{prediction.src}: {named}{verdict}")


def _draw(
    model: "Model | OnnxModel",
    references: "list[Reference]",
    predictions: "list[Prediction]",
    answers: dict[str, str],
    folder: Path,
    top: int,
) -> None:
    from retinula.datasets.unpack import safe_names
    from retinula.pictures.decoding import decode
    from retinula.plots import pictures
    from retinula.plots.figure import save

    shown = [(r, p) for r, p in zip(references, predictions, strict=True) if not p.skipped]
    names = safe_names(Path(reference.src).stem for reference, _ in shown)
    with counting() as progress:
        for number, (name, (reference, prediction)) in enumerate(zip(names, shown, strict=True), start=1):
            picture = decode(reference.content)
            figure = pictures.prediction(
                picture,
                model.form.centre(model.shrink(picture)),
                prediction.answers,
                name=reference.src,
                classes=model.classes,
                correct=answers.get(prediction.src),
                unfamiliar=prediction.unfamiliar,
                top=top,
            )
            save(figure, folder, name)
            progress("drawing", number, len(shown))
