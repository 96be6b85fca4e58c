"""`retinula explain`."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retinula.cli.terminal import AsJson, counting, remark, say, say_json
from retinula.cli.trained import RunOrModel, found_model, without_pictures
from retinula.errors import InputError, nearest
from retinula.files.durable import check_folder

if TYPE_CHECKING:
    from retinula.depiction import NamedPicture
    from retinula.images import ImageSet
    from retinula.trained.finding import Found
    from retinula.trained.model_file import Model


class Method(StrEnum):
    """What to look at."""

    HIRESCAM = "hirescam"
    GRADCAM = "gradcam"
    SALIENCY = "saliency"
    INTEGRATED_GRADIENTS = "integrated-gradients"
    OCCLUSION = "occlusion"
    FEATURES = "features"
    FILTERS = "filters"
    EXCITING = "exciting"


WITHOUT_PICTURE = (Method.FILTERS, Method.EXCITING)
OF_LAYERS = (Method.FEATURES, *WITHOUT_PICTURE)


def explain(
    run: RunOrModel,
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE...", help="Pictures, folders or patterns; filters take none.", show_default=False
        ),
    ] = None,
    method: Annotated[
        Method,
        typer.Option(
            help="Where the model found what speaks for a class: hirescam, gradcam, saliency, integrated-gradients or "
            "occlusion. Or what convolutions make of a picture (features), their weights (filters), or which pictures "
            "of a set they answer to most (exciting)."
        ),
    ] = Method.HIRESCAM,
    classes: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", help="Classes to ask about; the likeliest unless given.", show_default=False),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(metavar="N", help="How many of the likeliest classes; 3 unless given.", min=1, max=10),
    ] = None,
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this convolution; every one unless given.")
    ] = None,
    channel: Annotated[
        int | None, typer.Option(metavar="N", help="Which input channel of the filters; 0 unless given.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FOLDER|FILE",
            help="Pictures for exciting, also an archive, table or .npz file; the run's test pictures unless given.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the figures go; into the run unless given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look inside a model: what made it decide, and what it sees.

    Draws where what speaks for a class lies, what convolutions make of pictures, or their weights.
    """
    _check_options(images, method, classes, top, layer, channel, data)
    found = found_model(run)  # before torch is loaded
    from retinula import depiction
    from retinula.explanation.attribution import ATTRIBUTIONS
    from retinula.plots.figure import save
    from retinula.trained.model_file import Model

    model = Model.load(found.file)
    folder = out or (found.run.figures if found.run else Path("figures"))
    check_folder(folder)
    if method is Method.FILTERS:
        drawing = depiction.depict_filters(model, layer, channel or 0, remark)
    elif method is Method.EXCITING:
        depiction.depicted_layers(model, layer)  # a wrong one is refused before pictures are loaded
        drawing = depiction.depict_exciting(model, _set_for(found, model, data), layer)
    elif method is Method.FEATURES:
        drawing = depiction.depict_features(model, _pictures(images or []), layer)
    else:
        kind = next(each for each in ATTRIBUTIONS if each == method.value)
        asked = _asked(classes, model)
        likeliest = top or depiction.LIKELIEST
        drawing = depiction.depict_attribution(model, _pictures(images or []), kind, classes=asked, top=likeliest)
    files = []
    with counting() as progress:
        for number, (name, figure) in enumerate(drawing.figures, start=1):
            files += [str(path) for path in save(figure, folder, name)]
            progress("drawing", number, drawing.number)
    if as_json:
        say_json({"method": method.value, "files": files})
        return
    for file in files:
        say(file)


def _check_options(
    images: list[str] | None,
    method: Method,
    classes: str | None,
    top: int | None,
    layer: str | None,
    channel: int | None,
    data: str | None,
) -> None:
    if images and method in WITHOUT_PICTURE:
        raise InputError(
            f"{method.value} are the same for every picture: leave {images[0]} out, or choose another --method"
        )
    if not images and method not in WITHOUT_PICTURE:
        raise InputError(f"{method.value} is about a picture: name one after the run, or choose --method filters")
    about_classes = "a method that is about classes, such as hirescam"
    belongs = (
        ("--classes", classes, method not in OF_LAYERS, about_classes),
        ("--top", top, method not in OF_LAYERS, about_classes),
        ("--layer", layer, method in OF_LAYERS, "--method features, filters or exciting"),
        ("--channel", channel, method is Method.FILTERS, "--method filters"),
        ("--data", data, method is Method.EXCITING, "--method exciting"),
    )
    for option, value, fits, where in belongs:
        if value is not None and not fits:
            raise InputError(f"{option} belongs to {where}, not to {method.value}")
    if classes is not None and top is not None:
        raise InputError("--top counts the likeliest classes, --classes names others: leave one of them out")


def _asked(classes: str | None, model: "Model") -> list[int] | None:
    """Return the numbers of the classes asked about, None for the likeliest.

    A class may have a comma in its name: all of it is taken for one class first.
    """
    from retinula.text.names import class_number

    if classes is None:
        return None
    whole = class_number(classes.strip(), model.classes)
    if whole is not None:
        return [whole]
    asked = []
    for name in (part.strip() for part in classes.split(",")):
        number = class_number(name, model.classes)
        if number is None:
            raise InputError(f"--classes: there is no class {name!r}{nearest(name, model.classes)}")
        asked.append(number)
    return list(dict.fromkeys(asked))


def _pictures(sources: list[str]) -> "Iterator[NamedPicture]":
    """Read pictures one by one; what cannot be read is said and left out."""
    from retinula.pictures.decoding import UnreadablePicture, decode
    from retinula.prediction.references import find_pictures

    num_read, refused = 0, ""
    for reference in find_pictures(sources):
        try:
            if reference.refused:
                raise UnreadablePicture(reference.refused)
            picture = decode(reference.content)
        except UnreadablePicture as error:
            refused = f"{reference.src}: {error.reason}"
            remark(f"skipped {refused}")
            continue
        num_read += 1
        yield "picture" if reference.src == "-" else Path(reference.src).name, picture
    if not num_read:
        raise InputError(f"no picture could be read; the last was {refused}")


def _set_for(found: "Found", model: "Model", data: str | None) -> "ImageSet":
    from retinula.evaluation.run_data import other_pictures, own_pictures

    if data is not None:
        return other_pictures(data, model, "test")
    if found.run is None:
        raise without_pictures(found.file)
    from retinula.runs.own_there import check_own_there

    check_own_there(found.run, ", or name others with --data")
    return own_pictures(found.run, "test")
