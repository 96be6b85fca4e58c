"""Reading numeric arrays from MATLAB's own files (level 5, MATLAB 5 to 7.2) piece by piece.

A file is a header of 128 bytes and elements of a type, a length and data; a variable is an element that holds others,
compressed by zlib or not (MathWorks, MAT-File Format, version 5). scipy reads the same files, but only whole, and is
slow to load. Everything but real arrays of numbers is passed over; nothing that a file states is allocated unread.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from retinula.datasets.exactly import damage_explained
from retinula.errors import InputError

_HEADER: Final = 128
_MATRIX: Final = 14
_COMPRESSED: Final = 15
_INT8: Final = 1
_INT32: Final = 5
_UINT32: Final = 6
_COMPLEX: Final = 0x0800
_CLASSES: Final = range(6, 16)  # double, single, and whole numbers of 8 to 64 bits
_KINDS: Final = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_MAX_DIMENSIONS: Final = 8
_BLOCK: Final = 1024 * 1024


@dataclass(frozen=True)
class Variable:
    """An array in a file, about to be read.

    Attributes:
        name: of the variable.
        shape: the lengths of its dimensions; the first one runs fastest.
        dtype: of its values, as they are stored.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    _path: Path
    _source: "_Source"

    def read(self, num_values: int) -> NDArray[Any]:
        """Return the next values, `[num_values]`.

        Raises:
            InputError: the file is damaged here.
        """
        with damage_explained(self._path):
            return np.frombuffer(self._source.take(num_values * self.dtype.itemsize), self.dtype)


def variables(path: Path) -> Iterator[Variable]:
    """Give the numeric arrays of a file in the order they lie; each is to be read before the next one is asked for.

    Raises:
        InputError: it is no such file, or damaged.
    """
    with damage_explained(path), path.open("rb") as file:
        header = file.read(_HEADER)
        if len(header) < _HEADER or header[124:128] not in (b"\x00\x01IM", b"\x01\x00MI"):
            raise InputError(f"{path} is no file of MATLAB 5 to 7.2")
        size = path.stat().st_size
        order = "<" if header.endswith(b"IM") else ">"
        while (tag := file.read(8)) != b"":
            if len(tag) < 8:
                raise EOFError
            kind, length = struct.unpack(f"{order}II", tag)
            end = file.tell() + length
            if end > size:
                raise EOFError
            plain = _Plain(file, length)
            source: _Source = plain
            if kind == _COMPRESSED:
                source = _Inflated(plain)
                kind, _ = struct.unpack(f"{order}II", source.take(8))
            if kind == _MATRIX:
                variable = _variable(path, source, order)
                if variable is not None:
                    yield variable
                    source.finish()
            file.seek(end)


class _Source(Protocol):
    def take(self, num_bytes: int, /) -> bytes: ...

    def finish(self) -> None: ...


class _Plain:
    """The bytes of one element."""

    def __init__(self, file: IO[bytes], length: int):
        self._file = file
        self._left = length

    def some(self) -> bytes:
        """Return the next bytes, none at the end."""
        data = self._file.read(min(self._left, _BLOCK))
        if not data and self._left:
            raise EOFError
        self._left -= len(data)
        return data

    def take(self, num_bytes: int, /) -> bytes:
        """Return exactly so many bytes."""
        if num_bytes > self._left:
            raise EOFError
        data = self._file.read(num_bytes)
        self._left -= len(data)
        if len(data) != num_bytes:
            raise EOFError
        return data

    def finish(self) -> None:
        """Nothing has to be made sure of."""


class _Inflated:
    """The bytes of one element that is compressed; never more are unpacked than are asked for."""

    def __init__(self, packed: _Plain):
        self._packed = packed
        self._unpacking = zlib.decompressobj()

    def take(self, num_bytes: int, /) -> bytes:
        """Return exactly so many bytes."""
        data = bytearray()
        while len(data) < num_bytes:
            data += self._next(num_bytes - len(data))
        return bytes(data)

    def finish(self) -> None:
        """Unpack what is left, which is little, to make sure of the checksum."""
        while not self._unpacking.eof:
            self._next(_BLOCK)

    def _next(self, most: int) -> bytes:
        if self._unpacking.eof:
            raise EOFError
        packed = self._unpacking.unconsumed_tail or self._packed.some()
        data = self._unpacking.decompress(packed, most)
        if not packed and not data and not self._unpacking.eof:
            raise EOFError
        return data


def _variable(path: Path, source: _Source, order: str) -> Variable | None:
    """Read what stands before the values; None for anything but an array of real numbers."""
    kind, flags = _element(source, order)
    if kind != _UINT32 or len(flags) != 8:
        raise ValueError("a variable without flags")
    (word,) = struct.unpack(f"{order}I", flags[:4])
    if word & 0xFF not in _CLASSES or word & _COMPLEX:
        return None
    kind, lengths = _element(source, order)
    if kind != _INT32 or not 0 < len(lengths) <= 4 * _MAX_DIMENSIONS:
        raise ValueError("a variable without dimensions")
    shape = struct.unpack(f"{order}{len(lengths) // 4}i", lengths)
    kind, name = _element(source, order)
    if kind != _INT8 or min(shape) < 0:
        raise ValueError("a variable without a name")
    kind, length, held = _tag(source, order)
    if kind not in _KINDS:
        raise ValueError(f"values of the unknown type {kind}")
    dtype = np.dtype(f"{order}{_KINDS[kind]}")
    if math.prod(shape) * dtype.itemsize != length:
        raise ValueError(f"{list(shape)} values in {length:,} bytes")
    values = source if held is None else _Held(source, held)
    return Variable(name.decode("ascii"), shape, dtype, path, values)


class _Held:
    """Values so few that they stand in the place of their length."""

    def __init__(self, source: _Source, data: bytes):
        self._source = source
        self._data = data

    def take(self, num_bytes: int, /) -> bytes:
        """Return exactly so many bytes."""
        data, self._data = self._data[:num_bytes], self._data[num_bytes:]
        if len(data) != num_bytes:
            raise EOFError
        return data

    def finish(self) -> None:
        """Go on with what lies behind."""
        self._source.finish()


def _tag(source: _Source, order: str) -> tuple[int, int, bytes | None]:
    """Return type, length, and the data themselves where they are four bytes at most."""
    word, second = struct.unpack(f"{order}I4s", source.take(8))
    if word >> 16:
        if word >> 16 > 4:
            raise ValueError("an element of impossible length")
        return word & 0xFFFF, word >> 16, second[: word >> 16]
    return word, struct.unpack(f"{order}I", second)[0], None


def _element(source: _Source, order: str) -> tuple[int, bytes]:
    kind, length, data = _tag(source, order)
    if data is None:
        if length > 1024:
            raise ValueError("an element of impossible length")
        data = source.take(length)
        source.take(-length % 8)
    return kind, data
