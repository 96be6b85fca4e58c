"""What a report shows of the reasons for answers: maps of what spoke for a class, laid over the pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retinula.evaluation.results import ClassificationResult
from retinula.explanation.attribution import SIGNED, USUAL, Attribution, attribute, gradcam_layer, plain_colour
from retinula.explanation.layers import convolutions
from retinula.images import Images
from retinula.plots.attribution import full_colour, overlay
from retinula.report.sheet import Sheet
from retinula.trained.model_file import Model

MISTAKES = 24
EXAMPLES = 6
EXAMPLE_METHODS: tuple[Attribution, ...] = ("hirescam", "gradcam", "saliency", "integrated-gradients", "occlusion")
WORDS: dict[Attribution, str] = {
    "gradcam": "Grad-CAM",
    "hirescam": "HiResCAM",
    "saliency": "Saliency",
    "integrated-gradients": "Integrated gradients",
    "occlusion": "Occlusion",
}
OF_LAYER: tuple[Attribution, ...] = ("hirescam", "gradcam")


@dataclass(frozen=True)
class Overlaid:
    """A map over a picture: its place on the sheet, and whether nothing was found in it."""

    place: int
    empty: bool


@dataclass(frozen=True)
class Reasoned:
    """One answer and its reasons.

    Attributes:
        index: the picture's number in the set.
        label: the true class.
        answer: the class answered.
        sure: of the answer, 0..1.
        sure_label: of the true class, 0..1.
        seen: place on the sheet of what the network saw.
        maps: over it.
    """

    index: int
    label: str
    answer: str
    sure: float
    sure_label: float
    seen: int
    maps: tuple[Overlaid, ...]


@dataclass(frozen=True)
class ReasonsPart:
    """Mistakes with two maps each (for the answer, for the true class), right answers with one a method.

    Attributes:
        mistakes: the surest first.
        examples: drawn at random.
        method: of the maps of mistakes, or empty where there are none.
        methods: of the maps of examples.
        layer: that Grad-CAM looks at, or empty.
        missing: why there are no maps, or empty.
        colour: in words, of what integrated gradients and occlusion take for nothing to see.
    """

    mistakes: tuple[Reasoned, ...]
    examples: tuple[Reasoned, ...]
    method: str
    methods: tuple[str, ...]
    layer: str
    missing: str
    colour: str


def reasons_part(
    model: Model, result: ClassificationResult, images: Images, sheet: Sheet, missing: str, seed: int = 0
) -> ReasonsPart:
    """Gather it, and put pictures and maps on the sheet.

    Args:
        model: that was measured.
        result: of it.
        images: uint8 `[N, C, H, W]`, that it was measured on.
        sheet: of what the network sees.
        missing: why no maps can be computed, or empty.
        seed: the same one draws the same examples.
    """
    wrong = np.array([mistake.index for mistake in result.surest_mistakes(MISTAKES)], dtype=np.int64)
    right = np.flatnonzero(result.right.numpy())
    chosen = _one_a_class(np.random.default_rng(seed).permutation(right), result)
    has_maps = bool(convolutions(model.network))
    # Not Grad-CAM: of networks that lay their maps flat it can be empty.
    main: Attribution = USUAL if has_maps else "saliency"
    methods = tuple(method for method in EXAMPLE_METHODS if has_maps or method not in OF_LAYER)
    if missing:
        methods = ()
    answers, labels = result.predicted.numpy(), result.labels.numpy()
    seen_wrong, seen_right = _seen(model, images, wrong), _seen(model, images, chosen)
    wrong_maps, right_maps = [], []
    if not missing:
        wrong_maps = [
            _overlaid(model, seen_wrong, targets[wrong], main, sheet) for targets in (answers, labels) if len(wrong)
        ]
        right_maps = [_overlaid(model, seen_right, answers[chosen], method, sheet) for method in methods if len(chosen)]
    return ReasonsPart(
        mistakes=_reasoned(result, wrong, seen_wrong, wrong_maps, sheet),
        examples=_reasoned(result, chosen, seen_right, right_maps, sheet),
        method="" if missing else WORDS[main],
        methods=tuple(WORDS[method] for method in methods),
        layer=gradcam_layer(model) if methods and has_maps else "",
        missing=missing,
        colour=plain_colour(model),
    )


def _one_a_class(order: NDArray[np.int64], result: ClassificationResult) -> NDArray[np.int64]:
    """Return the first few pictures of as many classes as there are, in the order given."""
    chosen: dict[int, int] = {}
    for index in order.tolist():
        chosen.setdefault(int(result.labels[index]), index)
        if len(chosen) == EXAMPLES:
            break
    return np.array(list(chosen.values()), dtype=np.int64)


def _seen(model: Model, images: Images, numbers: NDArray[np.int64]) -> Images:
    back = np.argsort(np.argsort(numbers))
    return np.ascontiguousarray(model.preprocess.centre(images[np.sort(numbers)])[back])


def _overlaid(
    model: Model, seen: Images, targets: NDArray[np.int64], method: Attribution, sheet: Sheet
) -> tuple[Overlaid, ...]:
    """Put a map over each picture on the sheet; each has its own scale, since only its places matter here."""
    signed = method in SIGNED
    maps = attribute(model, seen, targets.astype(np.int64), method)
    drawn = []
    for picture, values in zip(seen, maps, strict=True):
        laid = overlay(picture, values, full_colour(values), signed=signed)
        drawn.append(Overlaid(sheet.add(laid.transpose(2, 0, 1)), empty=not values.any()))
    return tuple(drawn)


def _reasoned(
    result: ClassificationResult,
    numbers: NDArray[np.int64],
    seen: Images,
    maps: Sequence[tuple[Overlaid, ...]],
    sheet: Sheet,
) -> tuple[Reasoned, ...]:
    found = []
    for place, index in enumerate(numbers.tolist()):
        label, answer = int(result.labels[index]), int(result.predicted[index])
        found.append(
            Reasoned(
                index=index,
                label=result.classes[label],
                answer=result.classes[answer],
                sure=float(result.probabilities[index, answer]),
                sure_label=float(result.probabilities[index, label]),
                seen=sheet.add(seen[place]),
                maps=tuple(each[place] for each in maps),
            )
        )
    return tuple(found)
