"""Figures of a closer look at a measured set: mistakes, robustness, likely wrong labels, near-duplicates, a map."""

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from retinula.evaluation.caution import HowRight, caution, is_near_chance, is_too_few
from retinula.evaluation.duplicates import NearDuplicate
from retinula.evaluation.embedding import EmbeddingMap
from retinula.evaluation.label_errors import LabelError
from retinula.evaluation.results import Mistake
from retinula.evaluation.robustness import Robustness
from retinula.images import ImageSet
from retinula.plots.figure import (
    GREY,
    INK,
    SERIES,
    TEXT,
    bare,
    by_class_name,
    class_names,
    new_figure,
    of_boxes,
    styled,
    widest,
    wrap,
)
from retinula.plots.pictures import captioned
from retinula.text.names import shortened
from retinula.text.words import percent, plural, sureness

SHOWN = 24  # pictures or pairs in one figure
FILE_LETTERS = 28  # of a picture's file, in a caption
_COLOURS = (*SERIES, GREY)
_MARKS = "osD^vP*X"
_TOLD_APART = len(_COLOURS) * len(_MARKS)


@styled
def robustness(result: Robustness, answered: HowRight) -> Figure:
    """Draw the accuracy under every corruption at every strength, what costs most at the top; by name near chance.

    Args:
        result: what was measured.
        answered: how right the answers are about the same pictures as they are.
    """
    by_chance = is_near_chance(answered)
    kinds = result.kinds(worst_first=not by_chance)
    shares = 100 * np.array([result.accuracy[kind] for kind in kinds])
    pictures = plural(result.num_images, "picture")
    if result.num_images < result.num_available:
        pictures += f" drawn from {result.num_available:,}"
    looks = "single looks" if result.tta == "none" else f"averaged ({result.tta})"
    figure = new_figure(
        8.5,
        0.36 * len(kinds) + 1.0,
        f"{percent(result.clean)} right on clean pictures, {percent(result.mean)} on average on spoilt ones",
        f"{f'{caution(answered)} ' if by_chance else ''}Right answers in %, {looks}, on {pictures}, at strengths from "
        f"1 (mild) to 5 (hard){'' if by_chance else '; what costs most at the top'}. {result.remark}".rstrip(),
    )
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="cividis", vmin=0, vmax=100, aspect="auto")
    for (row, column), value in np.ndenumerate(shares):
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=INK if value > 55 else "white")
    axes.set_yticks(range(len(kinds)), [f"{kind} ({row.mean():.0f})" for kind, row in zip(kinds, shares, strict=True)])
    axes.set_xticks(range(shares.shape[1]), [str(strength + 1) for strength in range(shares.shape[1])])
    axes.set(xlabel="strength", ylabel="corruption (mean)")
    axes.tick_params(length=0)
    axes.grid(visible=False)
    figure.colorbar(image, label="right (%)").outline.set_visible(False)
    return figure


@styled
def surest_mistakes(image_set: ImageSet, mistakes: Sequence[Mistake], num_wrong: int, classes: Sequence[str]) -> Figure:
    """Draw wrong answers, the surest first: above each picture what it is, below it what was answered.

    Args:
        image_set: that the mistakes were made on.
        mistakes: at least one.
        num_wrong: how many there are in all.
        classes: names of the model's, in the order of their numbers.
    """
    names = by_class_name(classes)
    title = f"The {plural(len(mistakes), 'most confident mistake')} of {num_wrong:,}"
    if len(mistakes) == 1:
        title = f"The most confident mistake of {num_wrong:,}"
    remark = (
        f"Above each picture its label{_and_file(mistakes)}, which may be wrong itself; below it the answer and how "
        f"sure it is.{of_boxes(words for each in mistakes for words in (each.label, _file(each), each.answer))}"
    )
    return captioned(
        [image_set.images[each.index] for each in mistakes],
        [(_labelled(each, names), f"{names[each.answer]} ({sureness(each.probability)})", False) for each in mistakes],
        title,
        remark,
    )


@styled
def label_errors(
    image_set: ImageSet, errors: Sequence[LabelError], answered: HowRight, classes: Sequence[str]
) -> Figure:
    """Draw pictures whose labels are likely wrong: above each the label, below it what it likely is.

    Args:
        image_set: that they were found in.
        errors: at least one, the likeliest first; the first 24 are drawn.
        answered: how right the answers are that they were found by.
        classes: names of the model's, in the order of their numbers.
    """
    names = by_class_name(classes)
    shown = errors[:SHOWN]
    above = f"Above each picture its label{_and_file(shown)}, below it"
    if is_near_chance(answered):
        hardly = f"{'that may be ' if is_too_few(answered) else ''}hardly better than guesses"
        title = f"Answers {hardly} speak against {plural(len(errors), 'label')}; {len(shown)} of them"
        remark = f"{caution(answered)} {above} the answer."
    else:
        title = f"{plural(len(errors), 'label')} likely wrong; the {len(shown)} likeliest"
        remark = f"{above} what it likely is. {caution(answered)}"
    return captioned(
        [image_set.images[each.index] for each in shown],
        [(_labelled(each, names), f"{names[each.suggestion]} ({sureness(each.probability)})", False) for each in shown],
        title,
        remark + of_boxes(words for each in shown for words in (each.label, _file(each), each.suggestion)),
    )


@styled
def near_duplicates(one: ImageSet, other: ImageSet, pairs: Sequence[NearDuplicate]) -> Figure:
    """Draw pairs of pictures that are nearly the same, side by side.

    Args:
        one: the set with `index`.
        other: the set with `other`; the same set where pairs were found within it.
        pairs: at least one, the closest first; the first 24 are drawn.
    """
    shown = pairs[:SHOWN]
    among = f"within {one.name}" if one is other else f"between {one.name} and {other.name}"
    exact = sum(pair.exact for pair in pairs)
    drawn = "Each pair" if len(shown) == len(pairs) else f"Of them {len(shown)}, each"
    names = [(_called(pair.index, pair.source), _called(pair.other, pair.other_source)) for pair in shown]
    return captioned(
        [np.concatenate([one.images[pair.index], other.images[pair.other]], axis=2) for pair in shown],
        [(*both, True) for both in names],  # neither is a mistake
        f"{plural(len(pairs), 'pair')} nearly the same {among}",
        f"{drawn} side by side, the closest first; in all, {exact:,} equal in every pixel. Above each the name of the "
        f"left one, below it that of the right one.{of_boxes([one.name, other.name, *chain(*names)])}",
    )


def _labelled(found: Mistake | LabelError, names: Mapping[str, str]) -> str:
    return ": ".join(filter(None, (names[found.label], _file(found))))


def _file(found: Mistake | LabelError) -> str:
    return "" if found.source is None else shortened(found.source, FILE_LETTERS)


def _and_file(found: Sequence[Mistake | LabelError]) -> str:
    return "" if found[0].source is None else " and file"


def _called(index: int, source: str | None) -> str:
    return f"picture {index:,}" if source is None else shortened(source, FILE_LETTERS)


@styled
def embedding(
    placed: EmbeddingMap,
    labels: NDArray[np.int64] | None,
    classes: Sequence[str],
    superclasses: Sequence[str] | None = None,
) -> Figure:
    """Draw the map of a set: a mark a picture, its colour and form the class where they can be told apart.

    Args:
        placed: the map.
        labels: int64 `[n]`, of the mapped pictures, or None.
        classes: names.
        superclasses: for each class the name of its group, which colours the marks where there are too many classes.
    """
    groups = superclasses if len(set(superclasses or ())) <= _TOLD_APART < len(classes) else None
    if groups is not None:
        classes = sorted(set(groups))
        labels = None if labels is None else np.array([classes.index(group) for group in groups])[labels]
    names = class_names(classes)
    legend = labels is not None and len(names) <= _TOLD_APART
    room = 0.0
    if legend:
        wrapped = ["\n".join(wrap(name, 150, TEXT)) for name in names]
        room = (widest(wrapped, TEXT) + 0.5) * -(-len(names) // 22)
    remark = (
        f"{placed.method} of its features: near each other is alike to it. Distances between far groups mean nothing."
    )
    if placed.all_equal:
        remark = "Its features are the same for all of them, so that all lie at one place: it tells none from another."
    if groups is not None and legend:
        remark += " Colour and form tell the superclass."
    elif labels is not None and not legend:
        remark += f" So many classes ({len(names):,}) cannot be told apart by marks: all are grey."
    remark += of_boxes(classes) if legend else ""
    figure = new_figure(7.0 + room, 6.6, f"{plural(len(placed.points), 'picture')} as the network sees them", remark)
    axes = figure.subplots()
    bare(axes)
    if labels is None or not legend:
        axes.scatter(placed.points[:, 0], placed.points[:, 1], s=14, color=GREY, linewidths=0)
        return figure
    for number, name in enumerate(wrapped):
        own = placed.points[labels == number]
        axes.scatter(
            own[:, 0],
            own[:, 1],
            s=20,
            alpha=0.8,
            linewidths=0,
            color=_COLOURS[number % len(_COLOURS)],
            marker=_MARKS[number % len(_MARKS)],
            label=name,
        )
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), ncols=-(-len(names) // 22), markerscale=1.6)
    return figure
