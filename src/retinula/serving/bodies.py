"""Reading the bodies of requests: only so many bytes, only so long, and only so much in all.

Nothing is written to disk. Work on a body is given up when its client goes away. Knows nothing of what is in a body.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from retinula.serving.limits import Limits
from retinula.serving.refusals import Refusal

Answer = TypeVar("Answer")


class Bodies:
    """Reads bodies and knows how much of all of them is held."""

    def __init__(self, limits: Limits, kept: Callable[[], int] = lambda: 0):
        """Hold no body yet.

        Args:
            limits: how much, and how long.
            kept: tells how many bytes of bodies are still in use although their contexts have been left.
        """
        self._limits = limits
        self._kept = kept
        self._read = 0

    @property
    def held(self) -> int:
        """How many bytes are held of all bodies."""
        return self._read + self._kept()

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """Yield the whole body; it counts as held until the context is left.

        Raises:
            Refusal: unsupported_type, too_large, overloaded, body_too_slow.
            ClientDisconnect: the client went away.
        """
        _refuse_packed(request.headers.getlist("content-encoding"))
        self._refuse_announced(request.headers.get("content-length", ""))
        body = bytearray()
        try:
            try:
                async with asyncio.timeout(self._limits.seconds):
                    async for chunk in request.stream():
                        body += chunk
                        self._read += len(chunk)
                        self._check(len(body))
            except TimeoutError as error:
                seconds = self._limits.seconds
                raise Refusal("body_too_slow", f"the request did not arrive within {seconds:g} seconds") from error
            yield bytes(body)
        finally:
            self._read -= len(body)

    def _refuse_announced(self, length: str) -> None:
        if length.isdecimal() and (len(length) > 18 or int(length) > self._limits.max_bytes):
            raise self._too_large()

    def _check(self, length: int) -> None:
        if length > self._limits.max_bytes:
            raise self._too_large()
        if self.held > self._limits.max_held_bytes:
            raise Refusal("overloaded", "too much is being sent at once; try again in a moment")

    def _too_large(self) -> Refusal:
        return Refusal("too_large", f"a request may have {self._limits.max_bytes:,} bytes")


async def unless_gone(request: Request, work: Coroutine[Any, Any, Answer]) -> Answer:
    """Wait for work on a request whose body has been read; it is cancelled where the client goes away first.

    Raises:
        ClientDisconnect: it did; the work is cancelled, but a thread of it that has begun may not have ended.
        Exception: whatever the work raised.
    """
    working, leaving = asyncio.create_task(work), asyncio.create_task(_gone(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


def _refuse_packed(encodings: list[str]) -> None:
    packed = sorted({word.strip() for value in encodings for word in value.lower().split(",")} - {"", "identity"})
    if packed:
        # What would have been taken; RFC 9110, 15.5.16.
        headers = {"accept-encoding": "identity"}
        message = f"the body is packed (Content-Encoding: {packed[0][:80]}); send it as it is"
        raise Refusal("unsupported_type", message, headers)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
