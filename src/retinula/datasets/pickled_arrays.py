"""What the pickles of the official CIFAR files may name and call: arrays of whole numbers, of old and new numpy.

What comes in here is unchecked. Tuples can share their members so that a pickle of a few bytes holds what would take
for ever to be hashed, compared or written out; so none of that is done before a value's type is known. Knows nothing of
how pickles are written.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_KINDS: Final = {f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)} | {"b1"}
_MAX_DIMENSIONS: Final = 8
_MAX_SHOWN: Final = 100

NAMES: Final = {
    **{("numpy.core.multiarray", name): name for name in ("_reconstruct", "scalar")},
    **{("numpy._core.multiarray", name): name for name in ("_reconstruct", "scalar")},
    **{(module, "_frombuffer"): "_frombuffer" for module in ("numpy.core.numeric", "numpy._core.numeric")},
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    # How Python 3 writes bytes in the protocols of Python 2.
    ("_codecs", "encode"): "encode",
    ("__builtin__", "bytes"): "bytes",
}


class RefusedError(Exception):
    """What a pickle asks for is not among what is allowed."""


class Name(str):
    """A global that a pickle may name; it stays a name."""


class NumberType:
    """A numpy type of whole numbers, not yet told its byte order; raises `RefusedError` for all others."""

    def __init__(self, code: Any):
        code = _text(code)
        if code.lstrip("|<>=") not in _KINDS:
            raise RefusedError(f"it holds an array of '{shown(code)}', not of whole numbers")
        self.dtype = np.dtype(code)

    def settle(self, state: tuple[Any, ...]) -> None:
        """Take in numpy's state of a type: version, byte order, and nothing else of substance."""
        _, order, *rest = state
        if any(value is not None for value in rest[:3]):
            raise RefusedError("it holds an array of records")
        self.dtype = self.dtype.newbyteorder(_text(order))


class Unfilled:
    """An array that was announced and not yet filled, and the places that remember it."""

    def __init__(self) -> None:
        self.places: list[int] = []


def shown(text: str) -> str:
    """Return the beginning of a text in letters that can stand in a message."""
    return ascii(text[:_MAX_SHOWN])[1:-1]


def array(data: Any, kind: Any, shape: Any, order: Any) -> NDArray[Any]:
    """Return the array that a type, a shape and an order, C or F, make of bytes; it shares memory with them.

    Raises:
        RefusedError: any of them is not what it should be.
    """
    whole = type(kind) is NumberType and type(shape) is tuple and type(order) is str
    if not whole or len(shape) > _MAX_DIMENSIONS or order not in ("C", "F"):
        raise RefusedError("it has an array that is none")
    if type(data) not in (bytes, memoryview):
        raise RefusedError("it has an array of what are no bytes")
    if not all(type(length) is int and 0 <= length < 2**31 for length in shape):
        raise RefusedError("it has an array of impossible shape")
    if math.prod(shape) * kind.dtype.itemsize != len(data):
        raise RefusedError(f"it has an array of shape {list(shape)} in {len(data):,} bytes")
    made: NDArray[Any] = np.frombuffer(data, kind.dtype).reshape(shape, order=order)
    return made


def _text(value: Any) -> str:
    if type(value) is bytes:
        return str(value, "ascii")
    if type(value) is not str:
        raise RefusedError("it has something else where a name should be")
    return value


def _announce(kind: Any, shape: Any, code: Any) -> Unfilled:
    del code
    if type(kind) is not Name or kind != "ndarray" or type(shape) is not tuple or list(map(type, shape)) != [int]:
        raise RefusedError("it has an array that is none")
    return Unfilled()


def _scalar(kind: Any, data: Any) -> int:
    return int(array(data, kind, (), "C"))


def _encode(text: Any, encoding: Any) -> bytes:
    encoding = _text(encoding)
    if encoding not in ("latin1", "latin-1") or type(text) is not str:
        raise RefusedError(f"it encodes as {shown(encoding)}")
    return text.encode("latin-1")


CALLS: Final[Mapping[str, Callable[..., Any]]] = {
    "_reconstruct": _announce,
    "scalar": _scalar,
    "dtype": lambda code, *_: NumberType(code),
    "_frombuffer": array,
    "encode": _encode,
    "bytes": lambda: b"",  # empty ones only
}
