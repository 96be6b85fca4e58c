"""`retinula export`."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retinula.cli.terminal import AsJson, counting, remark, say, say_json
from retinula.cli.trained import RunOrModel, called, found_model, with_result
from retinula.errors import InputError
from retinula.extras import load, need
from retinula.files.durable import check_destination, check_folder
from retinula.text.words import plural, share

if TYPE_CHECKING:
    from retinula.datasets.reading import Progress, SplitName
    from retinula.export.files import Exported
    from retinula.export.parity import Photo
    from retinula.images import ImageSet
    from retinula.prediction.references import Reference
    from retinula.trained.finding import Found
    from retinula.trained.model_file import Model


class Format(StrEnum):
    """What to write."""

    ONNX = "onnx"
    TORCH = "torch"
    NPZ = "npz"
    WEB = "web"


ENDINGS = {Format.ONNX: ".onnx", Format.TORCH: ".pt2", Format.NPZ: ".npz"}


def export(
    run: RunOrModel,
    kind: Annotated[
        Format,
        typer.Option(
            "--format",
            help="ONNX, a program of torch (.pt2), weights by name (.npz), or a page that answers in a browser (web).",
        ),
    ] = Format.ONNX,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE|FOLDER", help="Write there; beside the model unless given.")
    ] = None,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="Compute with 8-bit whole numbers: smaller, and faster on many processors. Needs a run, not a model "
            "file, for the pictures that it was trained on.",
        ),
    ] = False,
    max_loss: Annotated[
        float,
        typer.Option(metavar="POINTS", help="Percentage points of accuracy that --int8 may lose.", min=0, max=100),
    ] = 0.5,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FOLDER|FILE",
            help="Prove it on these pictures, not on the run's own; also an archive, a table, or a .npz file.",
            show_default=False,
        ),
    ] = None,
    photos: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Prove it on these photos too, not on made ones.", show_default=False),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE|FOLDER",
            help="Take ONNX Runtime for --format web from this copy of the npm package onnxruntime-web, not from npm.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a model for other programs, proved to say the same.

    The proof is on 500 pictures and, but for torch and npz, 20 photos; where it fails nothing is written.
    """
    need("export", "retinula export")
    for module in ("onnx", "onnxruntime"):
        load("export", "retinula export", module)
    _check_options(kind, int8, out, source, photos)
    found = found_model(run)  # before torch is loaded
    if int8 and found.run is None:
        raise InputError(f"--int8 takes the ranges of values from the training pictures: name the run that {run} is of")
    from retinula.evaluation.run_data import other_pictures
    from retinula.export.browser_runtime import browser_runtime
    from retinula.export.files import export_int8, export_npz, export_onnx, export_torch
    from retinula.export.parity import proof_of
    from retinula.export.web import check_free, check_task, export_web
    from retinula.trained.model_file import Model

    model = Model.load(found.file)
    model = with_result(model, found.run) if found.run else model
    path = out or found.file.parent / _usual_name(kind, int8)
    (check_destination if kind in ENDINGS else check_folder)(path)
    with counting() as progress:
        runtime = None
        if kind is Format.WEB:
            check_task(model.task, _name_of(found, model))
            check_free(path)
            runtime = browser_runtime(source, progress)
        splits = _splits(found, int8, progress) if data is None or int8 else {}
        given = None if data is None else other_pictures(data, model, "test", progress)
        pictures = given or _first_of(splits, "test", "validation", "train")
        proof = proof_of(pictures, _photos(photos) if photos else None, photos or "")

        def write(file: Path) -> "Exported":
            if int8:
                return export_int8(
                    model,
                    proof,
                    file,
                    calibration=splits["train"].images,
                    held_out=_first_of(splits, "validation", "test"),
                    split="validation" if "validation" in splits else "test",
                    max_loss=max_loss,
                )
            return {Format.TORCH: export_torch, Format.NPZ: export_npz}.get(kind, export_onnx)(model, proof, file)

        exported = export_web(path, write, runtime, _name_of(found, model)) if runtime else write(path)
    if kind in (Format.ONNX, Format.TORCH) and model.preprocess.views.number > 1:
        remark(
            f"what is written looks at one view of a photo; retinula predict and serve average over "
            f"{model.preprocess.views.number}: {model.preprocess.views}"
        )
    if kind is not Format.NPZ:
        _remark_on_averaging(model.provenance.get("result", {}))
    _tell(exported, as_json)


def _check_options(kind: Format, int8: bool, out: Path | None, source: Path | None, photos: str | None) -> None:
    if photos and kind in (Format.TORCH, Format.NPZ):
        raise InputError(f"--format {kind.value} takes pictures of the model's size only: leave --photos out")
    if int8 and kind not in (Format.ONNX, Format.WEB):
        raise InputError("--int8 belongs to --format onnx or web")
    if source is not None and kind is not Format.WEB:
        raise InputError("--from belongs to --format web")
    if out is not None and kind in ENDINGS and out.suffix.lower() != ENDINGS[kind]:
        raise InputError(f"{out}: a file of --format {kind.value} is called *{ENDINGS[kind]}")


def _usual_name(kind: Format, int8: bool) -> str:
    if kind is Format.WEB:
        return "web-int8" if int8 else "web"
    return "model-int8.onnx" if int8 else f"model{ENDINGS[kind]}"


def _tell(exported: "Exported", as_json: bool) -> None:
    parity, int8 = exported.parity, exported.int8
    if as_json:
        say_json(
            {
                "file": str(exported.path),
                "bytes": exported.num_bytes,
                "parity": parity.to_dict(),
                "int8": None if int8 is None else int8.to_dict(),
            }
        )
        return
    on = f"{parity.num_images} pictures of {parity.source}"
    if parity.num_photos:
        on += f" and {parity.num_photos} photos ({parity.photos_source})"
    what = "values" if parity.same_top_class is None else "the likeliest class is the same on all, probabilities"
    before = "in float32: " if int8 else ""
    remark(f"proved {before}on {on}: {what} within {parity.largest_difference:.1g}")
    if (told := parity.unfamiliar) is not None:
        near = told.num_pictures - told.same
        but = f" but for {plural(near, 'picture')} at a limit" if near else ""
        remark(
            f"what is unlike anything it was trained on is the same{but}: {told.num_unfamiliar} of "
            f"{told.num_pictures} pictures, with noise, flat ones and text among them"
        )
    if int8 is not None:
        remark(
            f"accuracy on {int8.num_images:,} {int8.split} pictures: {share(int8.accuracy)} in float32, "
            f"{share(int8.accuracy_int8)} in int8"
        )
        if int8.unfamiliar is not None and int8.unfamiliar_int8 is not None and int8.same_unfamiliar is not None:
            remark(
                f"of these {share(int8.unfamiliar)} are unlike anything it was trained on in float32, "
                f"{share(int8.unfamiliar_int8)} in int8; both say the same of {share(int8.same_unfamiliar)}"
            )
    say(f"{exported.path}  ({exported.num_bytes / 1024**2:.1f} MiB)")


def _remark_on_averaging(result: "Mapping[str, Any]") -> None:
    if result.get("tta", "none") != "none" and "plain_accuracy" in result:
        remark(
            f"what is written answers by one look at a picture: {share(result['plain_accuracy'])} right on "
            f"{result['num_images']:,} {result['split']} pictures; the run's {share(result['accuracy'])} is by the "
            f"mean of several ({result['tta']})"
        )


def _name_of(found: "Found", model: "Model") -> str:
    """Return what a page calls the model, as that of `retinula serve` does."""
    return found.run.name if found.run else called(found.file, model.provenance)


def _photos(folder: str) -> "Iterator[Photo]":
    """Find photos that are spread over a folder, whose classes may lie in folders of their own."""
    from retinula.export.parity import NUM_PHOTOS
    from retinula.images import evenly_spread
    from retinula.prediction.references import find_pictures

    references = [reference for reference in find_pictures([folder]) if not reference.refused]
    # The others stand in for those that cannot be read.
    order = dict.fromkeys([*evenly_spread(len(references), NUM_PHOTOS).tolist(), *range(len(references))])
    return _decoded([references[place] for place in order], NUM_PHOTOS, folder)


def _decoded(references: "Sequence[Reference]", number: int, folder: str) -> "Iterator[Photo]":
    """Decode one photo at a time, as many as asked for: large ones would fill memory together."""
    from retinula.export.parity import as_photo
    from retinula.pictures.decoding import UnreadablePicture, decode

    found = 0
    for reference in references:
        if found == number:
            return
        try:
            photo = as_photo(decode(reference.content))
        except UnreadablePicture as error:
            remark(f"skipped {reference.src}: {error.reason}")
            continue
        found += 1
        yield photo
    if not found:
        raise InputError(f"no picture of {folder} could be read")


def _splits(found: "Found", int8: bool, progress: "Progress") -> "Mapping[SplitName, ImageSet]":
    from retinula.evaluation.run_data import find_own

    if found.run is None:
        raise InputError(
            f"nobody knows which pictures {found.file} has seen: name its run, or other pictures with --data"
        )
    others = "" if int8 else "prove it on pictures of your choice with --data"
    from retinula.runs.own_there import check_own_there

    check_own_there(found.run, others and f", or {others}")
    own = find_own(found.run, progress)
    if own.changed:
        raise InputError(f"{own.first_change}{others and f'; {others}'}")
    return own.splits


def _first_of(splits: "Mapping[SplitName, ImageSet]", *wanted: "SplitName") -> "ImageSet":
    for split in wanted:
        if split in splits:
            return splits[split]
    raise InputError(f"the run's data set has no {' or '.join(wanted)} pictures")
