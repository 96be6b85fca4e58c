"""Looking into an ONNX file before anything is made of it: what it says of itself, and whether it stays within itself.

Only the outline of the file is read, in the wire format of Protocol Buffers, by the field numbers of `onnx.proto`.
Weights that lie in other files, and functions that are not of ONNX itself, are refused: a runtime would open those
files and load those functions. Knows nothing of any runtime.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from retinula.errors import InputError
from retinula.files.durable import read_bytes

MAX_BYTES: Final = 1024**3  # of a file; the largest network here has 56 MB

# For each message the fields that are messages worth looking into.
_INSIDE: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_GRAPH: Final = 7  # of a model
_METADATA: Final = 14  # likewise
_EXTERNAL_DATA: Final = 13  # of a tensor
_DATA_LOCATION: Final = 14  # likewise; 0 is inside
_DOMAIN: Final = 7  # of a node
_DOMAINS: Final = ("", "ai.onnx", "com.microsoft")  # the last are the runtime's own, for quantised weights
_DEEPEST: Final = 32  # messages inside messages


def read_file(path: Path) -> bytes:
    """Read an ONNX file whole.

    Raises:
        InputError: it is missing, no ordinary file, or too large.
    """
    return read_bytes(path, MAX_BYTES)


def read_metadata(content: bytes) -> dict[str, str]:
    """Return what an ONNX file says of itself, having looked through all of it.

    Raises:
        InputError: it is cut short, no ONNX file, or reaches outside itself; without the file's name.
    """
    try:
        metadata = _look("model", memoryview(content), 0)
    except (IndexError, UnicodeDecodeError) as error:
        raise InputError("not an ONNX file, or cut short") from error
    if not any(field == _GRAPH for field, _ in _fields(memoryview(content))):
        raise InputError("not an ONNX file: it holds no graph")
    return metadata


def _look(kind: str, message: memoryview, depth: int) -> dict[str, str]:
    """Look through a message and what it holds; return the metadata of a model."""
    if depth > _DEEPEST:
        raise InputError(f"more than {_DEEPEST} graphs and nodes inside each other")
    metadata: dict[str, str] = {}
    for field, value in _fields(message):
        inside = _INSIDE[kind].get(field)
        if inside is not None:
            _look(inside, _message(value), depth + 1)
        elif kind == "model" and field == _METADATA:
            entry = {key: bytes(_message(text)).decode() for key, text in _fields(_message(value))}
            metadata[entry.get(1, "")] = entry.get(2, "")
        elif kind == "tensor" and (field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value)):
            raise InputError("some of its weights lie in other files; a model here is one file")
        elif kind == "node" and field == _DOMAIN and bytes(_message(value)).decode() not in _DOMAINS:
            raise InputError(f"it asks for functions that are not of ONNX: {bytes(_message(value)).decode()!r}")
    return metadata


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Give the fields of a message: numbers as such, all else as bytes; `IndexError` where it is not well formed."""
    position = 0
    while position < len(message):
        key, position = _number(message, position)
        field, wire = key >> 3, key & 7
        if not 0 < field < 1 << 29:
            raise IndexError(f"field {field}")
        if wire == 0:
            value, position = _number(message, position)
            yield field, value
            continue
        if wire == 2:
            length, position = _number(message, position)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise IndexError(f"wire type {wire}")
        if position + length > len(message):
            raise IndexError(f"field {field} of {length} bytes")
        yield field, message[position : position + length]
        position += length


def _number(message: memoryview, position: int) -> tuple[int, int]:
    """Read a number of seven bits a byte; return it and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise IndexError("a number of more than ten bytes")


def _message(value: memoryview | int) -> memoryview:
    if isinstance(value, int):
        raise IndexError("a number where a message is expected")
    return value
