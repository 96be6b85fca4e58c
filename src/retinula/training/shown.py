"""The very pictures that a recipe's training begins with, each with what chance did to it, in words.

Goes the way that training goes; trains nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from retinula.images import Images, ImageSet
from retinula.recipe.recipe import Recipe
from retinula.training.hardware import Hardware
from retinula.training.inputs import prepare
from retinula.training.plan import make_plan, make_preprocess
from retinula.transforms.augment import Drawn
from retinula.transforms.levels import to_bytes
from retinula.transforms.preprocess import Preprocess

MOST = 24  # pictures of a batch


@dataclass(frozen=True, eq=False)
class FedPicture:
    """One picture of a batch.

    Attributes:
        index: its position among the training pictures.
        label: its class, or empty.
        original: uint8 `[C, H, W]`, as the set has it.
        fed: uint8 `[C, h, w]`, as the network gets it, before normalisation.
        words: what was done to it; none where nothing was.
    """

    index: int
    label: str
    original: Images
    fed: Images
    words: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class FedBatch:
    """The first pictures of a batch.

    Attributes:
        step: the number of the batch, from 0.
        size: how many pictures it has.
        pictures: the first of them.
    """

    step: int
    size: int
    pictures: tuple[FedPicture, ...]


def fed_batch(recipe: Recipe, train_set: ImageSet, *, step: int = 0, most: int = MOST) -> FedBatch:
    """Return the first pictures of a batch exactly as training feeds them.

    Args:
        recipe: of the training.
        train_set: what is left to train on once the validation pictures are set apart.
        step: which batch, from 0.
        most: how many of its pictures.

    Raises:
        InputError: the recipe does not fit the pictures.
    """
    # A model to begin from decides nothing about the pictures.
    recipe = recipe.changed(model={"weights": None, "name": recipe.model.name or "residual"})
    preprocess = make_preprocess(recipe, train_set)
    plan = make_plan(recipe, train_set, None, preprocess, Hardware("cpu", 1, False, "float32", "nothing is trained"))
    (batch,) = plan.batches.batches(step, step + 1)
    drawn: Drawn = {}
    fed = _bytes(prepare(plan, batch, drawn).inputs[:most], preprocess)
    labels = train_set.labels
    names = ["" if labels is None else train_set.classes[labels[index]] for index in batch.indices.tolist()]
    padding, window = recipe.augment.crop_padding, recipe.augment.random_crop is not None
    pictures = [
        FedPicture(
            index,
            names[place],
            train_set.images[index],
            fed[place],
            tuple(_words(drawn, place, names, moved=bool(padding) and not window)),
        )
        for place, index in enumerate(batch.indices[:most].tolist())
    ]
    return FedBatch(step, len(batch.indices), tuple(pictures))


def _bytes(inputs: torch.Tensor, preprocess: Preprocess) -> Images:
    view = (1, preprocess.channels, 1, 1)
    unit = inputs.float() * torch.tensor(preprocess.std).view(view) + torch.tensor(preprocess.mean).view(view)
    pixels: Images = to_bytes(unit).contiguous().numpy()
    return pixels


def _words(drawn: Drawn, place: int, names: list[str], *, moved: bool) -> list[str]:
    own = {name: float(values[place]) for name, values in drawn.items() if not torch.isnan(values[place].float())}
    words = []
    if own.get("changed", 1):
        words += _warped(own)
        if "top" in own:
            words += _place(int(own["top"]), int(own["left"]), moved=moved)
        words += ["mirrored"] if own.get("mirrored") else []
        words += ["upside down"] if own.get("upside_down") else []
        if "zoom" in own:
            words.append(f"zoom {own['zoom']:.2f}, stretch {own['stretch']:.2f}")
            words.append(f"softness {own['softness']:.2f}, JPEG {own['quality']:.0f}")
        words += [f"hue {_signed(own['hue'])}"] if "hue" in own else []
        words += [f"contrast {own['contrast']:.2f}"] if "contrast" in own else []
        words += [f"brightness {_signed(own['brightness'])}"] if "brightness" in own else []
        words += [f"saturation {own['saturation']:.2f}"] if "saturation" in own else []
        words += [f"covered at {own['cutout_row']:.0f}, {own['cutout_column']:.0f}"] if "cutout_row" in own else []
    elif "top" in own and not moved:
        words.append("its centre")
    words += [f"noise {own['noise']:.2f}"] if "noise" in own else []
    if own.get("share", 1) < 1:
        with_what = f"{'a box of' if own['boxed'] else 'mixed with'} {names[int(own['partner'])] or 'another'}"
        words.append(f"{with_what}, {100 * (1 - own['share']):.0f} %")
    return words


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "\u2212")


def _warped(own: Mapping[str, float]) -> list[str]:
    leaned = _degrees("leaned", own.get("sheared", 0.0), "right", "left")
    turned = _degrees("turned", own.get("turned", 0.0), "left", "right")
    return [*leaned, *turned, *([f"{own['enlarged']:.2f} times as large"] if "enlarged" in own else [])]


def _degrees(word: str, degrees: float, above: str, below: str) -> list[str]:
    whole = round(abs(degrees))
    return [f"{word} {whole}\u00b0 {above if degrees > 0 else below}"] if whole else []


def _place(top: int, left: int, *, moved: bool) -> list[str]:
    if not moved:
        return [f"cut at {top}, {left}"]
    steps = [(abs(top), "down" if top < 0 else "up"), (abs(left), "right" if left < 0 else "left")]
    said = ", ".join(f"{number} {way}" for number, way in steps if number)
    return [f"moved {said}"] if said else []
