"""What one client, and all of them together, may cost a server. Knows nothing of HTTP but the words."""

from dataclasses import dataclass

from retinula.errors import InputError
from retinula.pictures.decoding import MAX_PIXELS

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Bounds of a server; whatever is above them is refused.

    Attributes:
        max_bytes: of the body of a request.
        max_held_bytes: of all bodies that are being read or worked on at once.
        max_pixels: of a picture, as its header states them, before anything is unpacked; also of a JPEG that could be
            decoded smaller, as `predict` does.
        max_request_pixels: of all pictures of a request together, likewise; it bounds how long one request can keep a
            thread that decodes.
        max_pictures: of a request.
        max_waiting: requests that are worked on or wait for it at once.
        max_connections: open at once, with or without a request.
        seconds: a body may take to arrive, and an answer to be ready, each.
        head_seconds: a connection may take to say what it wants, and may be idle between requests.
    """

    max_bytes: int = 32 * MIB
    max_held_bytes: int = 256 * MIB
    max_pixels: int = MAX_PIXELS
    max_request_pixels: int = 4 * MAX_PIXELS
    max_pictures: int = 256
    max_waiting: int = 256
    max_connections: int = 512
    seconds: float = 30.0
    head_seconds: float = 10.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < float("inf"):
                raise InputError(f"the limit {name} must be above 0 and finite, not {value}")
        if self.max_held_bytes < self.max_bytes:
            raise InputError(f"one request may have {self.max_bytes:,} bytes, and all together only fewer")
        if self.max_request_pixels < self.max_pixels:
            raise InputError(f"one picture may have {self.max_pixels:,} pixels, and all of a request only fewer")
