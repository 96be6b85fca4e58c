"""The proof that an exported model says what the model says, on real pictures and on photos of many sizes.

An export is its proof: whoever writes a file runs this on what was written, and keeps nothing where it fails.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from retinula.errors import InputError, RetinulaError
from retinula.export.unfamiliar import strange_pictures
from retinula.images import Images, ImageSet, copied, evenly_spread
from retinula.models.reconstructing import Reconstructs
from retinula.trained.model_file import Model

MOST_DIFFERENT: Final = 1e-4  # of a probability, or of a value of a picture that is given back, 0..1
NUM_IMAGES: Final = 500
NUM_PHOTOS: Final = 20
ROUNDING: Final = 1e-3  # of a deviation, and of a logit: a picture so near to a limit may lie on either side of it
MOST_PIXELS: Final = 12_000_000  # of a photo to prove on: a graph has them in double precision, colour by colour

Photo = NDArray[np.uint8]  # [H, W, 3]
Answers = NDArray[np.float32]
Judged = tuple[Answers, NDArray[np.bool_] | None]  # answers, and what is unfamiliar; None where it is not told


@dataclass(frozen=True, eq=False)
class Proof:
    """The pictures that an export is proved on.

    Attributes:
        images: uint8 `[N, C, H, W]` as the model takes them.
        strange: such pictures as no model should know, `[M, C, H, W]`: asked only whether they are unfamiliar.
        photos: pictures of any size; gone through once, so that they may be decoded one at a time.
        source: where the images are from, such as `cifar10/test`.
        photos_source: where the photos are from.
    """

    images: Images
    strange: Images
    photos: Iterable[Photo]
    source: str
    photos_source: str


@dataclass(frozen=True)
class SameUnfamiliar:
    """On how many pictures an exported model says as the model whether they are unfamiliar.

    Attributes:
        num_pictures: all that it was asked of: images, photos and strange ones.
        num_unfamiliar: how many of them the model does not know; some and not all, or the proof is of one answer only.
        same: on how many both say the same. The others lie within `ROUNDING` of a limit.
    """

    num_pictures: int
    num_unfamiliar: int
    same: int


@dataclass(frozen=True)
class Parity:
    """How far an exported model is from the model.

    Attributes:
        num_images: pictures as the model takes them, from `source`.
        num_photos: pictures of other sizes, from `photos_source`; 0 where a format makes no picture small.
        source: likewise.
        photos_source: likewise.
        largest_difference: of any value, 0..1.
        same_top_class: on how many of all pictures the likeliest class is the same; None of what has no classes.
        unfamiliar: whether it knows the same pictures; None of what does not tell.
    """

    num_images: int
    num_photos: int
    source: str
    photos_source: str
    largest_difference: float
    same_top_class: int | None
    unfamiliar: SameUnfamiliar | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can hold."""
        return asdict(self)


def proof_of(image_set: ImageSet, photos: Iterable[Photo] | None = None, photos_source: str = "") -> Proof:
    """Choose the pictures to prove an export on: spread over the set, and photos, made where none are given.

    Raises:
        InputError: the set is empty.
    """
    if not len(image_set):
        raise InputError(f"{image_set.name} has no pictures to prove the export on")
    images = copied(image_set.images, evenly_spread(len(image_set), NUM_IMAGES))
    if photos is None:
        photos = tuple(_made_photo(images, number) for number in range(NUM_PHOTOS))
        photos_source = f"made from {image_set.name}, of many sizes"
    _, channels, height, width = images.shape
    return Proof(images, strange_pictures((channels, height, width)), photos, image_set.name, photos_source)


def as_photo(picture: Image.Image) -> Photo:
    """Turn a decoded picture into a photo to prove an export on; one too large is made smaller by a whole number."""
    factor = math.ceil(math.sqrt(picture.width * picture.height / MOST_PIXELS))
    return np.asarray((picture.reduce(factor) if factor > 1 else picture).convert("RGB"))


def check_parity(
    model: Model,
    proof: Proof,
    judge: Callable[[Images], Judged],
    judge_photo: Callable[[Photo], Judged] | None = None,
) -> Parity:
    """Compare what an exported model answers with what the model answers.

    Args:
        model: the model.
        proof: the pictures.
        judge: the exported model's answers to uint8 `[N, C, H, W]`: probabilities `[N, K]`, or pictures
            `[N, C, h, w]` of a model that gives pictures back; and which pictures are unfamiliar.
        judge_photo: its answer to a photo of any size, of the same form with `N` = 1, where it makes them small.

    Raises:
        RetinulaError: a top class differs, or a value by more than `MOST_DIFFERENT`, or whether a picture is
            unfamiliar that does not lie at a limit.
    """
    expected, given = [_Expected.of(model, proof.images)], [judge(proof.images)]
    if judge_photo:
        for photo in proof.photos:
            expected.append(_Expected.of(model, model.shrink(Image.fromarray(photo))[None]))
            given.append(judge_photo(photo))
    num_photos = len(given) - 1
    pairs = [(ours.answers, theirs) for ours, (theirs, _) in zip(expected, given, strict=True)]
    for ours, theirs in pairs:
        if ours.shape != theirs.shape:
            raise RetinulaError(f"the export fails: it gives {list(theirs.shape)} instead of {list(ours.shape)}")
    differences = [np.abs(ours.astype(np.float64) - theirs).max() for ours, theirs in pairs]
    same = sum(int((ours.argmax(1) == theirs.argmax(1)).sum()) for ours, theirs in pairs)
    parity = Parity(
        num_images=len(proof.images),
        num_photos=num_photos,
        source=proof.source,
        photos_source=proof.photos_source if num_photos else "",
        largest_difference=float(np.max(differences)),
        same_top_class=same if model.classifies else None,
    )
    total = parity.num_images + parity.num_photos
    # Not "greater than": a value that is no number is no parity either.
    if not parity.largest_difference <= MOST_DIFFERENT:
        raise RetinulaError(
            f"the export fails: a value differs by {parity.largest_difference:.2g} from the model's, more than "
            f"{MOST_DIFFERENT:g}; nothing is written"
        )
    if model.classifies and same != total:
        raise RetinulaError(
            f"the export fails: the likeliest class differs on {total - same} of {total} pictures; nothing is written"
        )
    if given[0][1] is None:
        return parity
    expected.append(_Expected.of(model, proof.strange))
    given.append(judge(proof.strange))
    return replace(parity, unfamiliar=_same_unfamiliar(expected, [told for _, told in given]))


@dataclass(frozen=True, eq=False)
class _Expected:
    """What the model says of pictures.

    Attributes:
        answers: `[N, ...]`.
        unfamiliar: bool `[N]`; None where it cannot tell.
        at_limit: bool `[N]`, those that it would call otherwise if its limits were moved by no more than rounding.
    """

    answers: Answers
    unfamiliar: NDArray[np.bool_] | None = None
    at_limit: NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, model: Model, images: Images) -> "_Expected":
        known = model.familiarity
        if not model.classifies or known is None:
            return cls(answers_of(model, images))
        logits = model.outputs(images)
        pictures = torch.from_numpy(images.copy())
        least = known.least_energy
        wider, narrower = (
            replace(known, farthest=known.farthest + by, least_energy=None if least is None else least - by)
            for by in (ROUNDING, -ROUNDING)
        )
        at_limit = wider.unfamiliar(pictures, logits) != narrower.unfamiliar(pictures, logits)
        unfamiliar = known.unfamiliar(pictures, logits)
        return cls(model.calibrated(logits).numpy(), unfamiliar.numpy(), at_limit.numpy())


def _same_unfamiliar(expected: list[_Expected], given: list[NDArray[np.bool_] | None]) -> SameUnfamiliar:
    """Compare what is unfamiliar; raises `RetinulaError` where it differs, but for pictures at a limit."""
    same = num_unfamiliar = num_pictures = wrong = 0
    for ours, told in zip(expected, given, strict=True):
        if ours.unfamiliar is None or ours.at_limit is None or told is None:
            raise RetinulaError("the export fails: it tells what is unfamiliar and the model does not, or not always")
        agrees = ours.unfamiliar == told
        num_pictures += len(told)
        num_unfamiliar += int(ours.unfamiliar.sum())
        same += int(agrees.sum())
        wrong += int((~agrees & ~ours.at_limit).sum())
    if wrong:
        raise RetinulaError(
            f"the export fails: whether a picture is unfamiliar differs on {wrong} of {num_pictures} pictures; nothing "
            "is written"
        )
    return SameUnfamiliar(num_pictures, num_unfamiliar, same)


def answers_of(model: Model, images: Images) -> Answers:
    """Return the model's own answers: probabilities `[N, K]`, or the pictures `[N, C, h, w]` it gives back."""
    if model.classifies:
        return model.probs(images)
    network = model.network
    if not isinstance(network, Reconstructs):
        raise InputError(f"{model.network_name} neither knows classes nor gives pictures back")
    with torch.inference_mode():
        inputs = model.preprocess.inputs(torch.from_numpy(images.copy()))
        return network.reconstruct(inputs).float().numpy()


def _made_photo(images: Images, number: int) -> Photo:
    """Make a picture of some size out of small ones: laid side by side, enlarged, with noise."""
    chances = np.random.default_rng(number)
    height, width = np.exp(chances.uniform(np.log(8), np.log(1600), 2)).astype(int).tolist()
    tiles = [images[chances.integers(len(images))] for _ in range(4)]
    square = np.concatenate([np.concatenate(tiles[:2], 2), np.concatenate(tiles[2:], 2)], 1)
    colour = np.broadcast_to(square, (3, *square.shape[1:])).transpose(1, 2, 0)
    large = np.asarray(Image.fromarray(np.ascontiguousarray(colour)).resize((width, height), Image.Resampling.BICUBIC))
    noise = chances.normal(0, 12, large.shape)
    return np.clip(np.rint(large + noise), 0, 255).astype(np.uint8)
