"""`retinula explain`."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retinula.cli.terminal import AsJson, counting, remark, say, say_json
from retinula.cli.trained import RunOrModel, trained_model
from retinula.durable import check_folder
from retinula.errors import InputError, nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from retinula.images import Images, ImageSet
    from retinula.model_file import Model

    Drawing = tuple[Iterator[tuple[str, Figure]], int]
    """Figures to draw, each with its file's name, and how many there are."""

    Pictures = list[tuple[str, Images]]
    """Pictures with their names, of each all views uint8 `[V, C, H, W]` of the size that the model takes."""

COLOURS = ("red", "green", "blue")


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
REMARKS = {
    Method.HIRESCAM: "Warm is where maps of the layer {layer} speak for the class (HiResCAM).",
    Method.GRADCAM: "Warm is where maps of the layer {layer}, each weighted whole, speak for the class (Grad-CAM).",
    Method.SALIENCY: "Warm pixels are those on which the class depends most, whichever way (saliency).",
    Method.INTEGRATED_GRADIENTS: "Red pixels speak for the class, blue ones against it, compared with a picture of the "
    "mean colour (integrated gradients).",
    Method.OCCLUSION: "Red is where the class loses when a patch of the mean colour covers it, blue where it gains "
    "(occlusion).",
}

OF_VIEWS = " The map is of the whole picture, the percentage of all views of it."


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
    top: Annotated[int, typer.Option(metavar="N", help="How many of the likeliest classes.", min=1, max=10)] = 3,
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
    from retinula.plots.figure import save
    from retinula.run import find_run

    _check_options(images, method, classes, layer, channel, data)
    model = trained_model(run)
    folder = out or (Path("figures") if Path(run).is_file() else find_run(run).figures)
    check_folder(folder)
    if method is Method.FILTERS:
        figures, total = _filters(model, layer, channel or 0)
    elif method is Method.EXCITING:
        figures, total = _exciting(model, run, data, layer)
    elif method is Method.FEATURES:
        figures, total = _features(model, images or [], layer)
    else:
        figures, total = _attributions(model, images or [], method, _asked(classes, model), top)
    files = []
    with counting() as progress:
        for number, (name, figure) in enumerate(figures, start=1):
            files += [str(path) for path in save(figure, folder, name)]
            progress("drawing", number, total)
    if as_json:
        say_json({"method": method.value, "files": files})
        return
    for file in files:
        say(file)


def _check_options(
    images: list[str] | None,
    method: Method,
    classes: str | None,
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
    belongs = (
        ("--classes", classes, method not in OF_LAYERS, "a method that is about classes, such as hirescam"),
        ("--layer", layer, method in OF_LAYERS, "--method features, filters or exciting"),
        ("--channel", channel, method is Method.FILTERS, "--method filters"),
        ("--data", data, method is Method.EXCITING, "--method exciting"),
    )
    for option, value, fits, where in belongs:
        if value is not None and not fits:
            raise InputError(f"{option} belongs to {where}, not to {method.value}")


def _asked(classes: str | None, model: "Model") -> list[int] | None:
    """Return the numbers of the classes asked about, None for the likeliest.

    A class may have a comma in its name: all of it is taken for one class first.
    """
    from retinula.prediction import class_number

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


def _pictures(model: "Model", sources: list[str]) -> "Pictures":
    """Read pictures and make them small; what cannot be read is said and left out."""
    from retinula.pictures import UnreadablePicture, decode
    from retinula.prediction import find_pictures

    found, refused = [], ""
    for reference in find_pictures(sources):
        name = "picture" if reference.src == "-" else Path(reference.src).name
        try:
            if reference.refused:
                raise UnreadablePicture(reference.refused)
            found.append((name, model.look_at(decode(reference.content))))
        except UnreadablePicture as error:
            refused = f"{reference.src}: {error.reason}"
            remark(f"skipped {refused}")
    if not found:
        raise InputError(f"no picture could be read; the last was {refused}")
    return found


def _attributions(model: "Model", sources: list[str], method: Method, asked: list[int] | None, top: int) -> "Drawing":
    import numpy as np

    from retinula.answers import judged
    from retinula.datasets.unpack import safe_names
    from retinula.explanation.attribution import ATTRIBUTIONS, SIGNED, attribute, check_explainable, gradcam_layer
    from retinula.explanation.features import seen_picture
    from retinula.plots.attribution import attribution
    from retinula.plots.figure import class_names
    from retinula.words import sureness

    kind = next(each for each in ATTRIBUTIONS if each == method.value)
    check_explainable(model)
    pictures = _pictures(model, sources)
    layer = gradcam_layer(model) if method in (Method.HIRESCAM, Method.GRADCAM) else ""
    stems = safe_names(Path(name).stem for name, _ in pictures)
    names = class_names(model.classes)

    def figures() -> "Iterator[tuple[str, Figure]]":
        for stem, (name, views) in zip(stems, pictures, strict=True):
            probabilities = next(judged(model, [views]))[0]  # as `predict` answers
            chosen = asked if asked is not None else np.argsort(-probabilities, kind="stable")[:top].tolist()
            seen = seen_picture(model, views[0])
            maps = attribute(model, np.repeat(seen[None], len(chosen), axis=0), np.array(chosen), kind)
            captions = [f"{names[number]}, {sureness(float(probabilities[number]))}" for number in chosen]
            yield (
                f"{method.value}-{stem}",
                attribution(
                    seen,
                    maps,
                    captions,
                    name=name,
                    signed=kind in SIGNED,
                    remark=REMARKS[method].format(layer=layer) + (OF_VIEWS if len(views) > 1 else ""),
                ),
            )

    return figures(), len(pictures)


def _exciting(model: "Model", run: str, data: str | None, layer: str | None) -> "Drawing":
    from retinula.explanation.exciting import exciting_pictures
    from retinula.explanation.layers import convolution_named, convolutions
    from retinula.plots.attribution import exciting_sheet
    from retinula.plots.figure import class_names

    if layer is not None:
        convolution_named(model.network, layer)
    chosen = [layer] if layer is not None else list(convolutions(model.network))
    if not chosen:
        raise InputError(f"{model.network_name} has no convolution that pictures could excite")
    image_set = _set_for(run, model, data)
    names = class_names(image_set.classes)

    def captions(places: list[int]) -> str:
        if image_set.labels is None:
            return ""
        return ", ".join(dict.fromkeys(names[image_set.labels[place]] for place in places))

    def figures() -> "Iterator[tuple[str, Figure]]":
        for name in chosen:
            found = exciting_pictures(model, image_set.images, name)
            yield (
                f"exciting-{name}",
                exciting_sheet(
                    [image_set.images[places] for places in found.pictures],
                    found.outputs,
                    [captions(places) for places in found.pictures.tolist()],
                    layer=name,
                    source=f"the {len(image_set):,} pictures of {image_set.name}",
                ),
            )

    return figures(), len(chosen)


def _set_for(run: str, model: "Model", data: str | None) -> "ImageSet":
    from retinula.run import find_run
    from retinula.run_data import other_pictures, own_pictures

    if data is not None:
        return other_pictures(data, model, "test")
    if Path(run).is_file():
        raise InputError(f"{run} is a model without pictures of its own: name some with --data")
    return own_pictures(find_run(run), "test")


def _filters(model: "Model", layer: str | None, channel: int) -> "Drawing":
    from retinula.explanation.filters import filters, shaped_convolutions
    from retinula.explanation.layers import convolutions
    from retinula.plots.layers import filter_sheet

    known = convolutions(model.network)
    first = next(iter(known), None)
    if layer is not None:
        chosen = [layer]
    else:
        seen = {name: known[name].in_channels // known[name].groups for name in shaped_convolutions(model)}
        chosen = [name for name, channels in seen.items() if channel < channels]
        if not chosen:
            filters(model, max(seen, key=seen.__getitem__), channel)  # refuses, and says which channels there are
        if lacking := [name for name in seen if name not in chosen]:
            remark(f"left out, as their filters see no channel {channel}: {', '.join(lacking)}")
    weights = {name: filters(model, name, channel) for name in chosen}

    def figures() -> "Iterator[tuple[str, Figure]]":
        for name, each in weights.items():
            colour = f" ({COLOURS[channel]})" if name == first and model.preprocess.channels == len(COLOURS) else ""
            source = f"input channel {channel}{colour}"
            yield f"filters-{name}-channel-{channel}", filter_sheet(each, layer=name, source=source)

    return figures(), len(weights)


def _features(model: "Model", sources: list[str], layer: str | None) -> "Drawing":
    from retinula.datasets.unpack import safe_names
    from retinula.explanation.features import feature_maps, seen_picture
    from retinula.explanation.layers import convolution_named, convolutions
    from retinula.plots.layers import map_overview, map_sheet

    if layer is not None:
        convolution_named(model.network, layer)
    pictures = _pictures(model, sources)
    stems = safe_names(Path(name).stem for name, _ in pictures)
    chosen = list(convolutions(model.network)) if layer is None else [layer]

    def figures() -> "Iterator[tuple[str, Figure]]":
        for stem, (name, views) in zip(stems, pictures, strict=True):
            maps, seen = feature_maps(model, views[0]), seen_picture(model, views[0])
            if layer is None:
                yield f"features-{stem}", map_overview(maps, seen=seen, name=name)
            for each in (each for each in maps if layer in (None, each)):
                yield f"features-{stem}-{each}", map_sheet(maps[each], layer=each, seen=seen, name=name)

    return figures(), len(pictures) * (len(chosen) + (layer is None))
