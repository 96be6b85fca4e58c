"""What is found inside a model, as figures: what speaks for a class, feature maps, filters, and what excites them.

Brings together what is computed and what is drawn. Saves nothing, and knows nothing of where pictures come from.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Final, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from retinula.datasets.unpack import safe_names
from retinula.errors import InputError
from retinula.evaluation.fitting import check_pictures
from retinula.explanation.attribution import (
    SIGNED,
    USUAL,
    Attribution,
    attribute,
    check_explainable,
    gradcam_layer,
    plain_colour,
)
from retinula.explanation.exciting import exciting_pictures
from retinula.explanation.features import feature_maps, seen_picture
from retinula.explanation.filters import filters, shaped_convolutions
from retinula.explanation.layers import convolution_named, convolutions
from retinula.images import ImageSet
from retinula.plots.attribution import attribution, exciting_sheet
from retinula.plots.figure import class_names, of_boxes
from retinula.plots.layers import filter_sheet, map_overview, map_sheet
from retinula.text.words import sureness
from retinula.trained.answers import judged
from retinula.trained.model_file import Model

COLOURS: Final = ("red", "green", "blue")
OF_VIEWS: Final = " The map is of the whole picture, the percentage of all views of it."
_REMARKS: Final[dict[Attribution, str]] = {
    "hirescam": "Warm is where maps of the layer {layer} speak for the class (HiResCAM).",
    "gradcam": "Warm is where maps of the layer {layer}, each weighted whole, speak for the class (Grad-CAM).",
    "saliency": "Warm pixels are those on which the class depends most, whichever way (saliency).",
    "integrated-gradients": "Red pixels speak for the class, blue ones against it, compared with a picture of {colour} "
    "(integrated gradients).",
    "occlusion": "Red is where the class loses when a patch of {colour} covers it, blue where it gains (occlusion).",
}
_UNITS: Final[dict[Attribution, str]] = {
    "hirescam": "share of the logit",
    "gradcam": "share of the logit",
    "saliency": "slope of the logit",
    "integrated-gradients": "share of the logit",
    "occlusion": "change of the logit",
}
LIKELIEST: Final = 3  # classes asked about unless others are named

NamedPicture = tuple[str, Image.Image]
"""What a picture is called, such as its file, and the picture as `pictures.decode` gives it, of any size."""


class Drawing(NamedTuple):
    """Figures, each drawn when it is asked for.

    Attributes:
        figures: names for their files, without an ending and each once, with the figures; for `plots.figure.save`.
        number: how many figures there are.
    """

    figures: Iterator[tuple[str, Figure]]
    number: int


def depict_attribution(
    model: Model,
    pictures: Iterable[NamedPicture],
    method: Attribution = USUAL,
    *,
    classes: Sequence[int] | None = None,
    top: int = LIKELIEST,
) -> Drawing:
    """Draw of each picture what speaks for classes and where, one figure a picture.

    Args:
        model: a classifier; it is not changed.
        pictures: taken one by one, at once, and kept small.
        method: one of `attribution.ATTRIBUTIONS`.
        classes: numbers of those asked about; the likeliest of each picture where None.
        top: how many of the likeliest.

    Raises:
        InputError: captum is missing, no class is asked about, or the model reconstructs; for `gradcam` and `hirescam`
            also a network without convolutions. When they are drawn, a class or a method that there is not.
    """
    check_explainable(model)
    if top < 1 if classes is None else not classes:
        raise InputError("ask about one class at least")
    layer = gradcam_layer(model) if method in ("hirescam", "gradcam") else ""
    colour = plain_colour(model)
    looked_at = [(name, model.look_at(picture)) for name, picture in pictures]
    stems = _stems(name for name, _ in looked_at)
    names = class_names(model.classes)

    def figures() -> Iterator[tuple[str, Figure]]:
        for stem, (name, views) in zip(stems, looked_at, strict=True):
            ((probabilities, _),) = judged(model, [views])  # as `predict` answers
            chosen = np.argsort(-probabilities, kind="stable")[:top] if classes is None else np.array(classes)
            seen = seen_picture(model, views[0])
            maps = attribute(model, np.repeat(seen[None], len(chosen), axis=0), chosen, method)
            captions = [f"{names[number]}, {sureness(float(probabilities[number]))}" for number in chosen]
            remark = _REMARKS[method].format(layer=layer, colour=colour) + (OF_VIEWS if len(views) > 1 else "")
            remark += of_boxes(model.classes[number] for number in chosen)
            unit, signed = _UNITS[method], method in SIGNED
            figure = attribution(seen, maps, captions, name=name, signed=signed, unit=unit, remark=remark)
            yield f"{method}-{stem}", figure

    return Drawing(figures(), len(looked_at))


def depict_features(model: Model, pictures: Iterable[NamedPicture], layer: str | None = None) -> Drawing:
    """Draw of each picture what every convolution makes of it: all of them in one figure, then one figure each.

    Args:
        model: any; it is not changed.
        pictures: taken one by one, at once, and kept small.
        layer: the only convolution to draw, without the figure of all.

    Raises:
        InputError: there is no such convolution, or none at all.
    """
    layers = depicted_layers(model, layer)
    small = [(name, model.shrink(picture)) for name, picture in pictures]
    stems = _stems(name for name, _ in small)

    def figures() -> Iterator[tuple[str, Figure]]:
        for stem, (name, picture) in zip(stems, small, strict=True):
            maps, seen = feature_maps(model, picture), seen_picture(model, picture)
            if layer is None:
                yield f"features-{stem}", map_overview(maps, seen=seen, name=name)
            for each in (each for each in maps if each in layers):
                yield f"features-{stem}-{each}", map_sheet(maps[each], layer=each, seen=seen, name=name)

    return Drawing(figures(), len(small) * (len(layers) + (layer is None)))


def depict_filters(
    model: Model, layer: str | None = None, channel: int = 0, tell: Callable[[str], None] = lambda _: None
) -> Drawing:
    """Draw the weights of convolutions for one of their input channels, one figure a convolution.

    Args:
        model: any.
        layer: the only convolution to draw; every one larger than 1x1 that has the channel where None.
        channel: counted from 0, as `filters` counts it.
        tell: told which convolutions are left out because their filters see no such channel.

    Raises:
        InputError: there is no such convolution or channel, or all convolutions are 1x1.
    """
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
            tell(f"left out, as their filters see no channel {channel}: {', '.join(lacking)}")
    weights = {name: filters(model, name, channel) for name in chosen}

    def figures() -> Iterator[tuple[str, Figure]]:
        for name, each in weights.items():
            colour = f" ({COLOURS[channel]})" if name == first and model.preprocess.channels == len(COLOURS) else ""
            source = f"input channel {channel}{colour}"
            yield f"filters-{name}-channel-{channel}", filter_sheet(each, layer=name, source=source)

    return Drawing(figures(), len(weights))


def depict_exciting(model: Model, image_set: ImageSet, layer: str | None = None) -> Drawing:
    """Draw the pictures of a set that excite each channel of convolutions most, one figure a convolution.

    Args:
        model: any; it is not changed.
        image_set: of the model's channels and size, at least one picture.
        layer: the only convolution to draw; every one where None.

    Raises:
        InputError: there is no such convolution, or none at all; the pictures are of another form.
    """
    layers = depicted_layers(model, layer)
    check_pictures(model, image_set)
    names = class_names(image_set.classes)

    def captions(places: list[int]) -> str:
        if image_set.labels is None:
            return ""
        return ", ".join(dict.fromkeys(names[image_set.labels[place]] for place in places))

    def figures() -> Iterator[tuple[str, Figure]]:
        for name in layers:
            found = exciting_pictures(model, image_set.images, name)
            yield (
                f"exciting-{name}",
                exciting_sheet(
                    [image_set.images[places] for places in found.pictures],
                    found.outputs,
                    [captions(places) for places in found.pictures.tolist()],
                    layer=name,
                    source=f"the {len(image_set):,} pictures of {image_set.name}",
                    remark=of_boxes(image_set.classes),
                ),
            )

    return Drawing(figures(), len(layers))


def depicted_layers(model: Model, layer: str | None = None) -> list[str]:
    """Return the names of a model's convolutions, or of the one that is asked for.

    Raises:
        InputError: there is no such convolution, or none at all.
    """
    if layer is not None:
        convolution_named(model.network, layer)
        return [layer]
    layers = list(convolutions(model.network))
    if not layers:
        raise InputError(f"{model.network_name} has no convolution to look at")
    return layers


def _stems(names: Iterable[str]) -> list[str]:
    return safe_names(PurePath(name).stem for name in names)
