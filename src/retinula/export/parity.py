"""The proof that an exported model says what the model says, on real pictures and on photos of many sizes.

An export is its proof: whoever writes a file runs this on what was written, and keeps nothing where it fails.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from retinula.errors import InputError, RetinulaError
from retinula.images import Images, ImageSet, copied, evenly_spread
from retinula.models.reconstructing import Reconstructs
from retinula.trained.model_file import Model

MOST_DIFFERENT: Final = 1e-4  # of a probability, or of a value of a picture that is given back, 0..1
NUM_IMAGES: Final = 500
NUM_PHOTOS: Final = 20
MOST_PIXELS: Final = 12_000_000  # of a photo to prove on: a graph has them in double precision, colour by colour

Photo = NDArray[np.uint8]  # [H, W, 3]
Answers = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Proof:
    """The pictures that an export is proved on.

    Attributes:
        images: uint8 `[N, C, H, W]` as the model takes them.
        photos: pictures of any size; gone through once, so that they may be decoded one at a time.
        source: where the images are from, such as `cifar10/test`.
        photos_source: where the photos are from.
    """

    images: Images
    photos: Iterable[Photo]
    source: str
    photos_source: str


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
    """

    num_images: int
    num_photos: int
    source: str
    photos_source: str
    largest_difference: float
    same_top_class: int | None

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
    if photos is not None:
        return Proof(images, photos, image_set.name, photos_source)
    made = tuple(_made_photo(images, number) for number in range(NUM_PHOTOS))
    return Proof(images, made, image_set.name, f"made from {image_set.name}, of many sizes")


def as_photo(picture: Image.Image) -> Photo:
    """Turn a decoded picture into a photo to prove an export on; one too large is made smaller by a whole number."""
    factor = math.ceil(math.sqrt(picture.width * picture.height / MOST_PIXELS))
    return np.asarray((picture.reduce(factor) if factor > 1 else picture).convert("RGB"))


def check_parity(
    model: Model,
    proof: Proof,
    answer: Callable[[Images], Answers],
    answer_photo: Callable[[Photo], Answers] | None = None,
) -> Parity:
    """Compare what an exported model answers with what the model answers.

    Args:
        model: the model.
        proof: the pictures.
        answer: the exported model's answers to uint8 `[N, C, H, W]`: probabilities `[N, K]`, or pictures
            `[N, C, h, w]` of a model that gives pictures back.
        answer_photo: its answer to a photo of any size, of the same form with `N` = 1, where it makes them small.

    Raises:
        RetinulaError: a top class differs, or a value by more than `MOST_DIFFERENT`.
    """
    expected, given = [answers_of(model, proof.images)], [answer(proof.images)]
    if answer_photo:
        for photo in proof.photos:
            expected.append(answers_of(model, model.shrink(Image.fromarray(photo))[None]))
            given.append(answer_photo(photo))
    num_photos = len(given) - 1
    for ours, theirs in zip(expected, given, strict=True):
        if ours.shape != theirs.shape:
            raise RetinulaError(f"the export fails: it gives {list(theirs.shape)} instead of {list(ours.shape)}")
    differences = [np.abs(ours.astype(np.float64) - theirs).max() for ours, theirs in zip(expected, given, strict=True)]
    same = sum(int((a.argmax(1) == b.argmax(1)).sum()) for a, b in zip(expected, given, strict=True))
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
    return parity


def answers_of(model: Model, images: Images) -> Answers:
    """Return the model's own answers: probabilities `[N, K]`, or the pictures `[N, C, h, w]` it gives back."""
    if model.classifies:
        return model.probs(images)
    network = model.network
    if not isinstance(network, Reconstructs):
        raise InputError(f"{model.network_name} neither knows classes nor gives pictures back")
    with torch.inference_mode():
        inputs = model.preprocess.normalise(model.preprocess.crop_centre(torch.from_numpy(images.copy())))
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
