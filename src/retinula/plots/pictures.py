"""Figures that show pictures: what is in a set, what a model says of them, what it makes of them.

Knows nothing of files; pictures come as arrays, answers as names and probabilities.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from retinula.errors import InputError
from retinula.images import Images, ImageSet
from retinula.pictures.by_class import SHEET_CLASSES, chosen_by_class
from retinula.pictures.decoding import as_picture, flatten
from retinula.pictures.form import Form
from retinula.pictures.levels import to_bytes
from retinula.plots.figure import (
    BLUE,
    INK,
    LINE,
    MARGIN,
    POINTS,
    RIGHT,
    SKY,
    TEXT,
    VERMILLION,
    WRONG,
    bare,
    by_class_name,
    class_names,
    new_figure,
    of_boxes,
    styled,
    widest,
    wrap,
)
from retinula.plots.tiles import tiled, upright
from retinula.text.words import plural, sureness
from retinula.trained.answers import Answer

if TYPE_CHECKING:  # figures of what a model in ONNX says are drawn without torch
    from torch import Tensor

SHEET_SIDE = 64  # pixels of the longer side, on a sheet; larger pictures are made smaller
PHOTO_SIDE = 640  # pixels of the longer side of a photo in a figure

SIDE = 1.6  # inches of a picture that has captions

Pictures: TypeAlias = "NDArray[np.uint8] | Tensor"


class _Caption(NamedTuple):
    """The lines above and below a picture, and whether it is right."""

    above: list[str]
    below: list[str]
    right: bool


@styled
def answered_examples(
    image_set: ImageSet, probabilities: "NDArray[np.float32] | Tensor", *, number: int = 16, seed: int = 0
) -> Figure:
    """Draw pictures taken at random, with their true names above and the answers below; wrong ones are framed.

    Args:
        image_set: `N` pictures, at least one; without labels only the answers are shown.
        probabilities: float `[N, K]`, for each picture how likely each of the set's classes is.
        number: how many pictures.
        seed: the same seed takes the same pictures.
    """
    chosen = np.random.default_rng(seed).permutation(len(image_set))[:number]
    names = class_names(image_set.classes)
    rows = np.asarray(probabilities)[chosen]
    answers = rows.argmax(axis=1).tolist()
    truths = [None] * len(chosen) if image_set.labels is None else image_set.labels[chosen].tolist()
    captions = []
    for truth, answer, sure in zip(truths, answers, rows.max(axis=1).tolist(), strict=True):
        mark = "" if truth is None else f"{RIGHT if answer == truth else WRONG} "
        captions.append(
            _Caption(
                above=wrap("" if truth is None else names[truth], (SIDE - 0.05) * POINTS, TEXT),
                below=wrap(f"{mark}{names[answer]} ({sureness(sure)})", (SIDE - 0.05) * POINTS, TEXT, bold=True),
                right=truth is None or answer == truth,
            )
        )
    if image_set.labels is None:
        title, remark = f"{plural(len(chosen), 'picture')} drawn at random, with the answers", "Below each picture"
    else:
        title = f"{sum(each.right for each in captions)} of {plural(len(chosen), 'picture')} drawn at random are right"
        remark = "Above each picture its true class, below it"
    named = [image_set.classes[number] for number in {*answers, *truths} if number is not None]
    remark += f" the answer and how sure it is.{of_boxes(named)}"
    return _captioned([image_set.images[index] for index in chosen], captions, title, remark)


@styled
def prediction(
    picture: Image.Image | NDArray[np.uint8],
    seen: Images,
    answers: Sequence[Answer],
    *,
    name: str,
    classes: Sequence[str],
    correct: str | None = None,
    unfamiliar: bool | None = None,
    top: int = 10,
) -> Figure:
    """Draw a picture as it was given, as the network saw it, and bars of the likeliest classes beside it.

    Args:
        picture: of any size; an array is `[H, W]` or `[H, W, 3]`.
        seen: uint8 `[C, h, w]`, the input of the network before it was normalised.
        answers: classes and probabilities, likeliest first, at least one.
        name: of the picture, for the title.
        classes: all names, in the order of their numbers.
        correct: the true class, where it is known; it gets a bar even when it is not among the likeliest.
        unfamiliar: whether the picture is unlike anything the model was trained on; None where it cannot tell.
        top: how many classes.
    """
    shown = list(answers[:top])
    if correct is not None and correct not in [answer.label for answer in shown]:
        shown += [answer for answer in answers[top:] if answer.label == correct]
    names = by_class_name(classes)
    best = answers[0]
    mark = "" if correct is None else f"{RIGHT if best.label == correct else WRONG} "
    reserve = "unlike anything it was trained on; if it must say: " if unfamiliar else ""
    title = f"{name}: {reserve}{mark}{names[best.label]}, {sureness(best.probability)} sure"
    if correct not in (None, best.label):
        title += f"; it is {names.get(correct, correct)}"
    labels = [f"{RIGHT} " * (answer.label == correct) + names[answer.label] for answer in shown]
    wrapped = ["\n".join(wrap(label, 160, TEXT)) for label in labels]
    lines = sum(1 + label.count("\n") for label in wrapped)
    remark = "" if correct is None else f"{RIGHT} marks the true class."
    remark += of_boxes([name, correct or "", *(answer.label for answer in shown)])
    figure = new_figure(11, max(2.9, 0.3 * lines + 0.75), title, remark)
    given, small, bars = figure.subplots(1, 3, width_ratios=[1, 1, 1.7])
    photo = _small_photo(picture)
    given.imshow(np.asarray(photo.convert("RGB")), interpolation="antialiased")
    given.set_title(f"as given, {_pixels(picture)}", loc="center")
    small.imshow(upright(seen), interpolation="nearest")
    small.set_title(f"as the network saw it, {seen.shape[2]} x {seen.shape[1]}", loc="center")
    for axes in (given, small):
        bare(axes)
        axes.set_anchor("N")
    _draw_bars(bars, wrapped, [answer.probability for answer in shown])
    return figure


@styled
def contact_sheet(image_set: ImageSet, *, per_class: int = 10, seed: int = 0) -> Figure:
    """Draw pictures of every class, taken at random, a row a class with its name and its number of pictures.

    Of more than 120 classes, the first of those that have pictures.

    Args:
        image_set: at least one picture; without labels the rows have no names.
        per_class: how many of each class at most.
        seed: the same seed takes the same pictures.

    Raises:
        InputError: the set is empty.
    """
    if not len(image_set):
        raise InputError(f"{image_set.name} has no pictures to show")
    rows, labels, named = _sheet_rows(image_set, per_class, np.random.default_rng(seed))
    _, height, width = image_set.shape
    scale = min(1.0, SHEET_SIDE / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    across = max(len(row) for row in rows)
    cell = 0.62 if len(rows) <= 12 else 0.46
    cell_width = cell * min(3.0, max(1 / 3, size[1] / size[0]))
    label_width = widest(labels, TEXT) + 0.25
    column_width = across * cell_width + label_width
    columns = _columns(len(rows), column_width, cell)
    depth = math.ceil(len(rows) / columns)
    columns = math.ceil(len(rows) / depth)
    classes = len(image_set.classes)
    title = f"{image_set.name}: {plural(len(image_set), 'picture')}"
    if image_set.labels is not None:
        title += f" of {plural(classes, 'class', 'classes')}"
    remark = f"{width} x {height} pixels. "
    if image_set.labels is None:
        remark += f"{plural(sum(map(len, rows)), 'picture')} drawn at random."
    else:
        remark += "Drawn at random; beside each class, its number of pictures."
        if len(rows) < classes:
            first = "first " if len(rows) == SHEET_CLASSES else ""
            remark += f" Of {classes:,} classes, the {first}{len(rows)} that have pictures are shown."
        remark += of_boxes(named)
    figure = new_figure(max(6.0, columns * (column_width + 0.25)), depth * cell + 0.1, title, remark)
    for number, axes in enumerate(figure.subplots(1, columns, squeeze=False)[0]):
        own = slice(number * depth, (number + 1) * depth)
        _draw_montage(axes, [_sized(image_set.images[row], size) for row in rows[own]], labels[own], (depth, across))
    return figure


@styled
def reconstructions(rows: Mapping[str, Pictures], *, title: str, remark: str = "") -> Figure:
    """Draw the same pictures one below the other, a row each for what they were and what became of them.

    Args:
        rows: by the words beside each row, uint8 or float in 0..1 `[n, C, H, W]`, all of one shape.
        title: what was found.
        remark: what one has to know to read it.
    """
    pictures = [_bytes(row) for row in rows.values()]
    if len({row.shape for row in pictures}) != 1:
        raise ValueError(f"the rows must have one shape, not {[row.shape for row in pictures]}")
    number, _, height, width = pictures[0].shape
    labels = ["\n".join(wrap(label, 110, TEXT)) for label in rows]
    cell = 1.05
    figure = new_figure(max(6.0, number * cell * width / height + 1.4), len(pictures) * cell + 0.1, title, remark)
    _draw_montage(figure.subplots(), pictures, labels, (len(pictures), number))
    return figure


def captioned(pictures: Sequence[Images], captions: Sequence[tuple[str, str, bool]], title: str, remark: str) -> Figure:
    """Draw up to six pictures a row, each between two captions and framed where it is not right.

    Args:
        pictures: uint8 `[C, H, W]`, at least one.
        captions: for each what stands above it, what stands below, and whether it is right.
        title: what the figure shows.
        remark: how to read it.
    """
    room = (SIDE - 0.05) * POINTS
    wrapped = [
        _Caption(wrap(above, room, TEXT), wrap(below, room, TEXT, bold=True), right) for above, below, right in captions
    ]
    return _captioned(pictures, wrapped, title, remark, columns=6)


def _captioned(
    pictures: Sequence[Images], captions: Sequence[_Caption], title: str, remark: str, columns: int = 4
) -> Figure:
    """Draw up to so many pictures a row, each between its captions; what is not right gets a frame.

    Placed by hand: every size is known, and the layout engine misjudges captions of pictures that keep their shape.
    """
    columns = min(columns, len(pictures))
    line = TEXT * LINE / POINTS
    rows = [captions[start : start + columns] for start in range(0, len(captions), columns)]
    above = [line * max(len(each.above) for each in row) for row in rows]
    below = [line * max(len(each.below) for each in row) for row in rows]
    step = SIDE + 2 * MARGIN
    depth = SIDE * min(1.0, max(picture.shape[1] / picture.shape[2] for picture in pictures))
    height = sum(above) + sum(below) + len(rows) * (depth + 0.3) + MARGIN
    figure = new_figure(max(4.0, columns * step), height, title, remark)
    figure.set_layout_engine("none")
    width, whole = figure.get_size_inches()
    top = height - MARGIN
    for number, row in enumerate(rows):
        bottom = top - above[number] - depth
        for column, (picture, caption) in enumerate(zip(pictures[number * columns :], row, strict=False)):
            left = MARGIN + column * step
            axes = figure.add_axes((left / width, bottom / whole, SIDE / width, depth / whole))
            bare(axes)
            axes.imshow(upright(picture), interpolation="nearest")
            axes.set_title("\n".join(caption.above), loc="center", linespacing=LINE - 0.1)
            axes.set_xlabel(
                "\n".join(caption.below),
                weight="bold",
                color=BLUE if caption.right else VERMILLION,
                linespacing=LINE - 0.1,
            )
            if not caption.right:
                _frame(axes)
        top = bottom - below[number] - 0.3
    return figure


def _draw_bars(axes: Axes, labels: Sequence[str], probabilities: Sequence[float]) -> None:
    places = range(len(labels))
    values = [100 * probability for probability in probabilities]
    colours = [BLUE] + [SKY] * (len(labels) - 1)
    axes.barh(places, values, color=colours, height=0.7)
    for place, value in zip(places, values, strict=True):
        axes.text(value + 1, place, sureness(value / 100).removesuffix(" %"), va="center", color=INK)
    axes.set_yticks(places, labels)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    # Room for the words behind a bar that is as long as can be.
    axes.set(xlabel="probability (%)", xlim=(0, 145), xticks=[0, 25, 50, 75, 100])


def _draw_montage(axes: Axes, rows: Sequence[Images], labels: Sequence[str], places: tuple[int, int]) -> None:
    """Draw all pictures as one, white between them and in `places` that are left: many axes would take minutes."""
    bare(axes)
    depth, across = places
    height, width = rows[0].shape[2:]
    gap = max(1, round(max(height, width) / 16))
    white = np.full((height, width, 3), 255, dtype=np.uint8)
    tiles = [tile for row in rows for tile in (*map(upright, row), *[white] * (across - len(row)))]
    sheet = tiled(tiles + [white] * (depth * across - len(tiles)), across, gap=gap)
    axes.imshow(sheet[gap:-gap, gap:-gap], interpolation="nearest")
    axes.set_anchor("NW")
    axes.set_yticks([down * (height + gap) + (height - 1) / 2 for down in range(len(rows))], labels)
    axes.tick_params(axis="y", length=0)


def _sheet_rows(
    image_set: ImageSet, per_class: int, generator: np.random.Generator
) -> tuple[list[NDArray[np.int64]], list[str], list[str]]:
    """Return the pictures of each row, what is written beside it, and the class as it is called."""
    if image_set.labels is None:
        some = np.sort(generator.permutation(len(image_set))[: per_class**2])
        rows = [some[start : start + per_class] for start in range(0, len(some), per_class)]
        return rows, ["" for _ in rows], []
    names = class_names(image_set.classes)
    chosen = chosen_by_class(image_set, per_class, SHEET_CLASSES, generator)
    labels = ["\n".join(wrap(f"{names[each.number]} ({each.num_images:,})", 170, TEXT)) for each in chosen]
    return [each.places for each in chosen], labels, [image_set.classes[each.number] for each in chosen]


def _columns(rows: int, width: float, height: float) -> int:
    """Return into how many columns to break the rows so that the sheet is about as wide as it is high."""
    return min(range(1, 7), key=lambda columns: abs(math.log(columns * width / (rows / columns * height * 1.2))))


def _sized(images: Images, size: tuple[int, int]) -> Images:
    if images.shape[2:] == size or not len(images):
        return images
    form = Form(images.shape[1], size)
    return np.stack([form.shrink(as_picture(image)) for image in images])


def _bytes(pictures: Pictures) -> Images:
    values = np.asarray(pictures)
    if values.dtype == np.uint8:
        return values
    return to_bytes(values)


def _small_photo(picture: Image.Image | NDArray[np.uint8]) -> Image.Image:
    photo = flatten(picture if isinstance(picture, Image.Image) else Image.fromarray(picture))
    scale = PHOTO_SIDE / max(photo.size)
    if scale >= 1:
        return photo
    return photo.resize((max(1, round(photo.width * scale)), max(1, round(photo.height * scale))))


def _pixels(picture: Image.Image | NDArray[np.uint8]) -> str:
    if isinstance(picture, Image.Image):
        return f"{picture.width:,} x {picture.height:,}"
    return f"{picture.shape[1]:,} x {picture.shape[0]:,}"


def _frame(axes: Axes) -> None:
    for spine in axes.spines.values():
        spine.set(visible=True, color=VERMILLION, linewidth=4)
