"""Tensors and a JSON value in one safetensors file, with a checksum; no pickle on the way in or out.

Knows nothing of networks or trainings: model files and checkpoints are both written with it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from retinula.errors import InputError
from retinula.files.durable import reading, replacing
from retinula.files.strict_json import read_json

HEADER_KEY = "retinula"
CHECKSUM_KEY = "sha256"


def save_tensors(path: Path, tensors: Mapping[str, torch.Tensor], header: Any) -> None:
    """Write `tensors` and `header` (anything JSON can hold) to `path`, whole or not at all.

    Raises:
        RetinulaError: the disk is full or the folder may not be written to.
    """
    # Strides are no part of a safetensors file: what is channels-last in memory is stored in plain order.
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(header, ensure_ascii=False, allow_nan=False)
    metadata = {HEADER_KEY: text, CHECKSUM_KEY: checksum(plain, text)}
    with replacing(path) as temporary:
        try:
            save_file(plain, temporary, metadata=metadata)
        except SafetensorError as error:
            raise OSError(str(error)) from error


def load_tensors(path: Path) -> tuple[dict[str, torch.Tensor], Any]:
    """Read what `save_tensors` wrote: `(tensors, header)`.

    Raises:
        InputError: the file is missing, damaged, or not one of this program's.
    """
    with opened_tensors(path) as file:
        metadata = file.metadata() or {}
        if HEADER_KEY not in metadata:
            raise InputError(f"{path}: a safetensors file, but not one that retinula wrote")
        tensors = all_tensors(file)
    if metadata.get(CHECKSUM_KEY) != checksum(tensors, metadata[HEADER_KEY]):
        raise InputError(f"{path}: damaged: its content does not match its checksum")
    try:
        return tensors, read_json(metadata[HEADER_KEY])
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: its header is not readable ({error})") from error


@contextmanager
def opened_tensors(path: Path) -> Iterator[Any]:
    """Open any safetensors file for the block, as `safe_open` yields it.

    Raises:
        InputError: the file is missing, may not be read, is of another kind, or is cut short.
    """
    with reading(path):
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        # Opened here, since of every file that it cannot open the library says that there is none.
        with path.open("rb") as opened:
            place = str(path)
            try:
                place.encode()
            except UnicodeEncodeError:  # the library takes no such path
                place = f"/dev/fd/{opened.fileno()}"
            try:
                with safe_open(place, framework="pt", device="cpu") as file:
                    yield file
            except SafetensorError as error:
                raise InputError(f"{path}: not a safetensors file, or cut short ({error})") from error


def all_tensors(file: Any) -> dict[str, torch.Tensor]:
    """Return the tensors of a file that `opened_tensors` has opened, by name."""
    return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)


def checksum(tensors: Mapping[str, torch.Tensor], header: str) -> str:
    """Return 64 hexadecimal digits that change with the header, and with any tensor's name, type, shape or value."""
    digest = hashlib.sha256(header.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
