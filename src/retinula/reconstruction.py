"""Photos of any size through a network that gives pictures back, by way of noise or of a code.

Such networks are fully convolutional: a photo goes through at its own size, in tiles where it is large, with the same
result as in one piece. Knows nothing of the terminal.
"""

import itertools
import math
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from retinula.datasets.archives import Limits, members
from retinula.datasets.arrays import Header, read_header
from retinula.errors import InputError, RetinulaError
from retinula.files.durable import check_destination, make_folder, reading, replacing
from retinula.images import Images
from retinula.metrics import psnr, ssim
from retinula.models.reconstructing import ALIGNMENT, Encodes, Reconstructs
from retinula.pictures.decoding import UnreadablePicture, as_picture, decode
from retinula.pictures.form import pixels
from retinula.prediction.references import Reference
from retinula.trained.model_file import Model
from retinula.transforms.batches import generator_for
from retinula.transforms.levels import to_bytes, unit
from retinula.transforms.noise import noised

MAX_PIXELS: Final = 24_000_000  # of a photo: all of it is kept as float32 several times over
TILE: Final = 1024  # pixels of a side that go through the network together, a multiple of the alignment and so of codes
CODE_FILES: Final = (".npy", ".npz")

_LEAST_SHOWN: Final = 256  # pixels of the longer side below which pictures are drawn larger beside each other
_GAP: Final = 8
_PROBE: Final = 64  # pixels of a side; shows the form of a network's codes
_MAX_CODE_BYTES: Final = 512 * 1024 * 1024
_CODE_LIMITS: Final = Limits(num_members=10_000, member_bytes=_MAX_CODE_BYTES)

Code = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What a network makes of one photo.

    Attributes:
        original: uint8 `[C, H, W]`.
        noised: what the network saw, where noise was added; uint8.
        result: what it made of it, uint8.
        psnr: of the result against the original, in decibels, at most 100; before it was rounded to 8 bits.
        ssim: likewise.
        psnr_noised: of what the network saw against the original, where noise was added.
        ssim_noised: likewise.
        code: float32 `[K, h, w]` of what the network saw, where it was asked for.
    """

    original: Images
    noised: Images | None
    result: Images
    psnr: float
    ssim: float
    psnr_noised: float | None
    ssim_noised: float | None
    code: Code | None


def reconstruct_files(
    model: Model, references: Iterable[Reference], *, noise: float = 0.0, seed: int = 0, with_codes: bool = False
) -> Iterator[tuple[Reference, Reconstruction | str]]:
    """Put photos through a network, each at its own size; one that cannot be read is skipped, never fatal.

    Args:
        model: one that reconstructs.
        references: what `references.find_pictures` gives.
        noise: deviation on the scale 0..1 of Gaussian noise that is added first, clipped and rounded to 8 bits.
        seed: of the noise, which is the same for a photo whatever others there are.
        with_codes: whether to keep the codes.

    Yields:
        The reference with what came of it or why it was skipped, in order.

    Raises:
        InputError: the model is a classifier, has no code though one is asked for, or the noise is out of range.
        RetinulaError: what the network gives for a photo is not finite.
    """
    if not 0 <= noise <= 1:
        raise InputError(f"the noise is a deviation on the scale 0..1, not {noise}")
    reconstructing(model)
    if with_codes:
        encoding(model)
    return _each(model, references, noise, seed, with_codes)


def reconstruct(
    model: Model, image: Images, *, noise: float = 0.0, seed: int = 0, with_code: bool = False
) -> Reconstruction:
    """Put one picture through a network at its own size.

    Args:
        model: one that reconstructs.
        image: uint8 `[C, H, W]`, of the model's channels and any size.
        noise: as `reconstruct_files`.
        seed: likewise.
        with_code: whether to keep the code.

    Raises:
        InputError: the model is a classifier, or has no code though one is asked for.
        RetinulaError: what the network gives is not finite.
    """
    clean = torch.from_numpy(image[None].copy())
    seen = noised(clean, noise, generator_for(seed, "noise")) if noise else clean
    network = reconstructing(model)
    inputs = model.preprocess.normalise(seen)
    given = _in_tiles(inputs, network.reconstruct, network.reach)
    if not given.isfinite().all():
        raise RetinulaError(f"{model.network_name} gives values that are not finite; its training must have diverged")
    code = None
    if with_code:
        encoder = encoding(model)
        _, factor = _form_of_codes(model, encoder)
        code = _in_tiles(inputs, encoder.encode, network.reach, factor)[0].contiguous().numpy()
    target = unit(clean)
    before = unit(seen) if noise else None
    return Reconstruction(
        original=image,
        noised=None if before is None else seen[0].numpy(),
        result=_bytes(given),
        psnr=float(psnr(given, target)),
        ssim=float(ssim(given, target)),
        psnr_noised=None if before is None else float(psnr(before, target)),
        ssim_noised=None if before is None else float(ssim(before, target)),
        code=code,
    )


def decode_code(model: Model, code: Code) -> Images:
    """Turn a code, float32 `[K, h, w]`, back into a picture, uint8 `[C, f * h, f * w]`, in tiles where it is large.

    Raises:
        InputError: the code's values are so large that no picture comes of them.
    """
    network = encoding(model)
    _, factor = _form_of_codes(model, network)
    height, width = code.shape[1:]
    step, margin = TILE // factor, -(-reconstructing(model).reach // factor)
    picture = np.empty((model.preprocess.channels, height * factor, width * factor), dtype=np.uint8)
    with torch.inference_mode():
        for tile in _tiles(height, width, step, margin):
            logits = network.decode(torch.from_numpy(code[None, :, *tile.around].copy()))
            if not logits.isfinite().all():
                raise InputError("the values of the code are too large for this network")
            made = [slice(part.start * factor, part.stop * factor) for part in tile.within]
            place = [slice(part.start * factor, part.stop * factor) for part in tile.own]
            picture[:, *place] = _bytes(torch.sigmoid(logits[:, :, *made]))
    return picture


def reconstructing(model: Model) -> Reconstructs:
    """Return the model's network if it gives pictures back.

    Raises:
        InputError: it is a classifier.
    """
    network = model.network
    if model.classifies or not isinstance(network, Reconstructs):
        raise InputError(
            f"{model.network_name} is a classifier and gives no pictures back; ask a network that does, as trained by "
            "the recipes cifar10-autoencoder and cifar10-denoise"
        )
    return network


def encoding(model: Model) -> Encodes:
    """Return the model's network if it has a code.

    Raises:
        InputError: it has none.
    """
    reconstructing(model)
    network = model.network
    if not isinstance(network, Encodes):
        raise InputError(f"{model.network_name} has no code; ask an autoencoder, such as cifar10-autoencoder")
    return network


def write_codes(path: Path, codes: Mapping[str, Code]) -> None:
    """Write codes, float32 `[K, h, w]` each: one into a `.npy` file, any number by name into a `.npz` file.

    Raises:
        InputError: several codes for a `.npy` file, or another kind of file.
        RetinulaError: the disk refuses; what was there before is untouched.
    """
    check_code_file(path, len(codes))
    with replacing(path) as temporary, temporary.open("wb") as file:
        if path.suffix == ".npy":
            np.save(file, next(iter(codes.values())), allow_pickle=False)
        else:
            _write_archive(file, codes)


def check_code_file(path: Path, number: int) -> None:
    """Refuse a file that cannot hold so many codes, before any work is done.

    Raises:
        InputError: naming the file and what would do.
    """
    if path.suffix not in CODE_FILES:
        raise InputError(f"{path}: codes are written as .npy (one picture) or .npz (any number)")
    if path.suffix == ".npy" and number != 1:
        raise InputError(f"{path} takes the code of one picture, not of {number}; name a .npz file")
    check_destination(path)


def read_codes(path: Path, model: Model) -> dict[str, Code]:
    """Read codes for a model, by name: of a `.npy` file its own, of a `.npz` file those of its arrays.

    Nothing is unpickled; type, shape and size are checked before values are read, and all must be finite.

    Raises:
        InputError: naming the file, the array and what is wrong.
    """
    form = _form_of_codes(model, encoding(model))
    if path.suffix == ".npz":
        codes = {}
        for member in members(path, _CODE_LIMITS):
            name = member.name.removesuffix(".npy")
            with member.open() as file:
                codes[name] = _read_code(file, f"{path}: {name}", member.size, form)
        if not codes:
            raise InputError(f"{path} has no arrays")
        return codes
    with reading(path), path.open("rb") as file:
        return {path.stem: _read_code(file, str(path), path.stat().st_size, form)}


def write_picture(path: Path, image: Images) -> None:
    """Write uint8 `[C, H, W]` as PNG; the folder is made where it is missing."""
    make_folder(path.parent)
    with replacing(path) as temporary:
        as_picture(image).save(temporary, "PNG")


def side_by_side(images: Iterable[Images]) -> Images:
    """Put pictures of one size, uint8 `[C, H, W]`, beside each other, white between them; small ones enlarged.

    Every pixel of a small picture becomes a square, so that nothing is smoothed that is to be looked at.
    """
    shown = list(images)
    times = max(1, _LEAST_SHOWN // max(shown[0].shape[1:]))
    shown = [image.repeat(times, axis=1).repeat(times, axis=2) for image in shown]
    gap = np.full((*shown[0].shape[:2], _GAP), 255, dtype=np.uint8)
    parts = [part for image in shown for part in (gap, image)][1:]
    return np.concatenate(parts, axis=2)


def _each(
    model: Model, references: Iterable[Reference], noise: float, seed: int, with_codes: bool
) -> Iterator[tuple[Reference, Reconstruction | str]]:
    for reference in references:
        if reference.refused:
            yield reference, reference.refused
            continue
        try:
            picture = decode(reference.content, max_pixels=MAX_PIXELS)
        except UnreadablePicture as error:
            yield reference, error.reason
            continue
        image = pixels(picture, model.preprocess.channels)
        yield reference, reconstruct(model, image, noise=noise, seed=seed, with_code=with_codes)


def _in_tiles(
    inputs: torch.Tensor, compute: Callable[[torch.Tensor], torch.Tensor], reach: int, factor: int = 1
) -> torch.Tensor:
    """Compute `[1, K, ceil(H / factor), ceil(W / factor)]` piece by piece, as if it were done at once.

    Every tile is computed with so much around it that its own part is what it would be in the whole picture.
    """
    height, width = inputs.shape[2:]
    done = []
    with torch.inference_mode():
        for tile in _tiles(height, width, TILE, -(-reach // ALIGNMENT) * ALIGNMENT):
            part = inputs[:, :, *tile.around].contiguous(memory_format=torch.channels_last)
            firsts = [side.start // factor for side in tile.within]
            lengths = [-(-(side.stop - side.start) // factor) for side in tile.within]
            made = [slice(first, first + length) for first, length in zip(firsts, lengths, strict=True)]
            done.append(compute(part).float()[:, :, *made])
    in_a_row = len(range(0, width, TILE))
    rows = [torch.cat(done[first : first + in_a_row], dim=3) for first in range(0, len(done), in_a_row)]
    return torch.cat(rows, dim=2)


class _Tile(NamedTuple):
    """A piece of a plane, down and across: what it is computed from, and where it lies there and in the whole."""

    around: tuple[slice, slice]
    within: tuple[slice, slice]
    own: tuple[slice, slice]


def _tiles(height: int, width: int, step: int, margin: int) -> Iterator[_Tile]:
    """Cut a plane into tiles of `step`, row by row, each with `margin` around it where the plane has so much."""
    for top, left in itertools.product(range(0, height, step), range(0, width, step)):
        bottom, right = min(height, top + step), min(width, left + step)
        above, before = max(0, top - margin), max(0, left - margin)
        yield _Tile(
            (slice(above, bottom + margin), slice(before, right + margin)),
            (slice(top - above, bottom - above), slice(left - before, right - before)),
            (slice(top, bottom), slice(left, right)),
        )


def _form_of_codes(model: Model, network: Encodes) -> tuple[int, int]:
    """Return a code's channels, and how many pixels of the picture one of its places stands for along a side."""
    with torch.inference_mode():
        code = network.encode(torch.zeros(1, model.preprocess.channels, _PROBE, _PROBE))
    return code.shape[1], _PROBE // code.shape[2]


def _read_code(file: IO[bytes], name: str, size: int, form: tuple[int, int]) -> Code:
    header = read_header(file, name)
    _check_header(header, form)
    if file.tell() + header.num_bytes != size:
        raise InputError(f"{name} is damaged: {list(header.shape)} in {size:,} bytes")
    data = file.read(header.num_bytes)
    if len(data) != header.num_bytes:
        raise InputError(f"{name} is cut short")
    code: Code = np.frombuffer(data, header.dtype).reshape(header.shape).astype(np.float32)
    if not np.isfinite(code).all():
        raise InputError(f"{name} has values that are not finite")
    return code


def _check_header(header: Header, form: tuple[int, int]) -> None:
    channels, factor = form
    if header.dtype not in (np.dtype("<f4"), np.dtype(">f4")):
        raise InputError(f"{header.name} is {header.dtype}, a code is float32")
    if len(header.shape) != 3 or header.shape[0] != channels or min(header.shape) < 1:
        raise InputError(f"{header.name} is {list(header.shape)}, a code of this model is [{channels}, h, w]")
    pixels = math.prod(header.shape[1:]) * factor**2
    if pixels > MAX_PIXELS:
        raise InputError(f"{header.name} would become {pixels:,} pixels, more than {MAX_PIXELS:,}")


def _write_archive(file: IO[bytes], codes: Mapping[str, Code]) -> None:
    """Write as `np.savez` does, which however takes some names, such as `file`, for its own arguments."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, code in codes.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, code, allow_pickle=False)


def _bytes(pictures: torch.Tensor) -> Images:
    image: Images = to_bytes(pictures[0]).contiguous().numpy()
    return image
