"""`retinula predict`."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from retinula.cli.terminal import AsJson, counting, remark, say, say_json, share
from retinula.cli.trained import RunOrModel, is_onnx, trained_model
from retinula.errors import InputError

if TYPE_CHECKING:
    from retinula.model_file import Model
    from retinula.onnx_model import OnnxModel
    from retinula.prediction import Prediction, Reference


class Resize(StrEnum):
    """How a photo is made small."""

    SQUASH = "squash"
    CROP = "crop"
    PAD = "pad"
    CROPS = "crops"


def predict(
    run: RunOrModel,
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE...", help="Pictures, folders, patterns, or - for standard input.")
    ],
    top: Annotated[int, typer.Option(help="How many classes to name for each picture.", min=1)] = 5,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="TABLE.csv", help="The right answers: file,label. Prints the accuracy of every --resize."),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="OUT.csv", help="Write src,correct,model,correct answer,probability.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Draw each picture beside its answers as bars.")
    ] = None,
    resize: Annotated[
        Resize | None,
        typer.Option(help="How photos are made small (crops: several, averaged); as trained unless given."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is on pictures. Files that are no pictures are named and skipped."""
    from retinula.prediction import find_pictures, match_labels, predict_files, read_labels, score, write_table

    model = _load(run, resize)
    references = find_pictures(sources)
    answers = match_labels(references, read_labels(labels), model.classes) if labels else {}
    predictions = []
    with counting() as progress:
        for prediction in predict_files(model, references, crops=resize == Resize.CROPS):
            predictions.append(prediction)
            progress("predicting", len(predictions), len(references))
    skipped = [prediction for prediction in predictions if prediction.skipped]
    if as_json:
        for prediction in predictions:
            say_json(_as_json(prediction, top))
    else:
        for prediction in predictions:
            if not prediction.skipped:
                _say_answers(prediction, top, answers.get(prediction.src))
    for prediction in skipped:
        remark(f"skipped {prediction.src}: {prediction.skipped}")
    if len(skipped) == len(predictions):
        raise InputError("no picture could be read")
    if csv:
        write_table(csv, predictions, answers)
        remark(f"written {csv}")
    if plot:
        _draw(model, references, predictions, answers, plot, top)
        remark(f"drawn into {plot}")
    if labels:
        result = score(predictions, answers)
        line = (
            f"accuracy {share(result.accuracy)}: {result.correct} of {result.total} right "
            f"(95 % interval {share(result.low, 1)} to {share(result.high, 1)})"
        )
        tell = remark if as_json else say
        tell(line)
        _tell_ways(run, references, answers, tell)


def _tell_ways(run: str, references: "list[Reference]", answers: dict[str, str], tell: Callable[[str], None]) -> None:
    """Say how often each way of making photos small is right; the first is the model's own."""
    from retinula.prediction import predict_files, score

    own = _load(run, None).resize
    labelled = [reference for reference in references if reference.src in answers]
    for way in sorted(Resize, key=lambda each: each.value != own):
        predictions = list(predict_files(_load(run, way), labelled, crops=way == Resize.CROPS))
        result = score(predictions, answers)
        note = ", the model's own" if way.value == own else ""
        tell(f"  {way.value:6} {share(result.accuracy):>7}: {result.correct} of {result.total}{note}")


def _load(run: str, resize: Resize | None) -> "Model | OnnxModel":
    """Load the model of a run, or a model file; photos are made small as it was trained, or as told."""
    from dataclasses import replace

    # Several crops: each has the model's proportions already, and the whole picture is squashed.
    ways: dict[Resize, Literal["squash", "crop", "pad"]] = {Resize.CROP: "crop", Resize.PAD: "pad"}
    way = None if resize is None else ways.get(resize, "squash")
    if is_onnx(run):
        from retinula.onnx_model import OnnxModel

        exported = OnnxModel.load(run)
        if not exported.classes:
            raise InputError(f"{run}: {exported.metadata['network']} gives pictures back; it knows no classes")
        return exported if way is None else replace(exported, resize=way)
    model = trained_model(run)
    if way is not None:
        model = replace(model, preprocess=replace(model.preprocess, resize=way))
    return model


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
    named = ", ".join(f"{answer.label} {share(answer.probability, 1)}" for answer in prediction.answers[:top])
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
    from retinula.pictures import decode
    from retinula.plots import pictures
    from retinula.plots.figure import save

    shown = [(r, p) for r, p in zip(references, predictions, strict=True) if not p.skipped]
    names = safe_names(Path(reference.src).stem for reference, _ in shown)
    with counting() as progress:
        for number, (name, (reference, prediction)) in enumerate(zip(names, shown, strict=True), start=1):
            picture = decode(reference.content)
            figure = pictures.prediction(
                picture,
                model.shrink(picture),
                prediction.answers,
                name=reference.src,
                correct=answers.get(prediction.src),
                top=top,
            )
            save(figure, folder, name)
            progress("drawing", number, len(shown))
