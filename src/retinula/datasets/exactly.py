"""Reading just as many bytes as a format states, and saying in one line what a damaged file lacks."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from retinula.errors import InputError
from retinula.files.durable import reading


class Readable(Protocol):
    """What bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, at most so many; none at the end."""
        ...


def exactly(file: Readable, num_bytes: int) -> bytes:
    """Return just so many bytes; raises `EOFError` where there are fewer."""
    data = file.read(num_bytes)
    if len(data) != num_bytes:
        raise EOFError
    return data


def check_end(where: str | Path, file: Readable) -> None:
    """Refuse a file that goes on; reading on to the end also makes sure of a checksum there.

    Raises:
        InputError: there is another byte.
    """
    if file.read(1):
        raise InputError(f"{where} is not as published: it goes on behind its last value")


@contextmanager
def damage_explained(where: str | Path) -> Iterator[None]:
    """Turn what reading a damaged file raises into one line that names it."""
    with reading(where):
        try:
            yield
        except InputError:
            raise
        except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
            # Without a number it is what gzip says of damage.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            detail = "it is cut short" if isinstance(error, EOFError) else str(error)
            raise InputError(f"{where} is damaged ({detail}); get it anew") from error
