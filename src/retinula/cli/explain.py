"""`retinula explain`."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retinula.cli.terminal import AsJson, counting, say, say_json
from retinula.cli.trained import RunOrModel, trained_model
from retinula.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from retinula.model_file import Model

COLOURS = ("red", "green", "blue")


class Method(StrEnum):
    """What to look at."""

    FILTERS = "filters"
    FEATURES = "features"


def explain(
    run: RunOrModel,
    image: Annotated[
        Path | None,
        typer.Argument(metavar="IMAGE", help="A picture; filters take none.", show_default=False),
    ] = None,
    method: Annotated[
        Method, typer.Option(help="The weights of convolutions, or what they make of the picture.")
    ] = Method.FEATURES,
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this convolution; every one unless given.")
    ] = None,
    channel: Annotated[int | None, typer.Option(help="Which input channel of the filters; 0 unless given.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the figures go; into the run unless given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look inside a model: the filters of its convolutions, or what they make of a picture."""
    from retinula.plots.figure import save
    from retinula.run import find_run

    if method is Method.FEATURES and image is None:
        raise InputError("features are of a picture: name one after the run, or choose --method filters")
    if method is Method.FILTERS and image is not None:
        raise InputError(f"filters are the same for every picture: leave {image} out, or choose --method features")
    if method is Method.FEATURES and channel is not None:
        raise InputError("--channel belongs to --method filters: features show every channel")
    model = trained_model(run)
    if image is None:
        figures, total = _filters(model, layer, channel or 0)
    else:
        figures, total = _features(model, image, layer)
    folder = out or (Path("figures") if Path(run).is_file() else find_run(run).figures)
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


def _filters(model: "Model", layer: str | None, channel: int) -> "tuple[Iterator[tuple[str, Figure]], int]":
    """Return the figures to draw, each with its file's name, and how many there are."""
    from retinula.explanation.filters import filters, shaped_convolutions
    from retinula.explanation.layers import convolutions
    from retinula.plots.layers import filter_sheet

    first = next(iter(convolutions(model.network)), None)
    chosen = shaped_convolutions(model) if layer is None else [layer]
    weights = {name: filters(model, name, channel) for name in chosen}

    def figures() -> "Iterator[tuple[str, Figure]]":
        for name, each in weights.items():
            colour = f" ({COLOURS[channel]})" if name == first and model.preprocess.channels == len(COLOURS) else ""
            source = f"input channel {channel}{colour}"
            yield f"filters-{name}-channel-{channel}", filter_sheet(each, layer=name, source=source)

    return figures(), len(weights)


def _features(model: "Model", image: Path, layer: str | None) -> "tuple[Iterator[tuple[str, Figure]], int]":
    """Return the figures to draw, each with its file's name, and how many there are."""
    from retinula.datasets.unpack import safe_names
    from retinula.explanation.features import feature_maps, seen_picture
    from retinula.explanation.layers import convolution_named
    from retinula.pictures import decode
    from retinula.plots.layers import map_overview, map_sheet

    if layer is not None:
        convolution_named(model.network, layer)
    picture = model.preprocess.shrink(decode(image))
    maps, seen = feature_maps(model, picture), seen_picture(model, picture)
    (stem,) = safe_names([image.stem])
    chosen = list(maps) if layer is None else [layer]

    def figures() -> "Iterator[tuple[str, Figure]]":
        if layer is None:
            yield f"features-{stem}", map_overview(maps, seen=seen, name=image.name)
        for name in chosen:
            yield f"features-{stem}-{name}", map_sheet(maps[name], layer=name, seen=seen, name=image.name)

    return figures(), len(chosen) + (layer is None)
