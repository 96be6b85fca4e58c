"""Connections that end: uvicorn's protocol with a deadline for everything a client may leave undone.

A client that sends nothing, or half of a head, or its body a byte at a time, or does not fetch its answer, holds a
connection and memory; uvicorn itself ends only those that are idle after an answer.
"""

import asyncio
import json
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from retinula.serving.limits import Limits
from retinula.serving.refusals import Refusal

LINGER_SECONDS = 1.0  # what comes within it after a refusal is thrown away


class DeadlineProtocol(H11Protocol):
    """One connection. Subclasses have the `limits` that hold for it, and who is `lingering` (`with_limits`)."""

    limits: ClassVar[Limits] = Limits()
    lingering: ClassVar[set["DeadlineProtocol"]] = set()  # refused, and not closed yet

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin with a deadline for the first head; one connection too many is told so and closed."""
        self._deadline: asyncio.TimerHandle | None = None
        self._deadline_is_for: object = None
        self._refused = False
        super().connection_made(transport)
        if len(self.connections) > self.limits.max_connections:
            self._refuse(Refusal("overloaded", "too many connections are open; try again in a moment"))
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take data and look whether it has begun another request."""
        if self._refused:
            return
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Go on to the next request of the connection."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline, and that it lingered."""
        self._forget()
        self.lingering.discard(self)
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection; one whose client has not fetched its answer by now is cut."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, as JSON."""
        self._refuse(Refusal("malformed", msg))

    def _watch(self) -> None:
        """Set the deadline of the state the connection is in; one that holds for it already stays."""
        cycle, limits = self._newest, self.limits
        if self._refused:
            self._expect("the end", min(LINGER_SECONDS, limits.head_seconds))
        elif self.transport.is_closing():
            self._expect("the end", limits.head_seconds)
        elif cycle is None:
            self._expect("the first head", limits.head_seconds)
        elif not cycle.response_complete:
            # A body and its answer have deadlines of their own, which can still say so; this one is behind them.
            self._expect(("an answer", cycle), 2 * limits.seconds + limits.head_seconds)
        elif self.conn.their_state is h11.SEND_BODY:
            self._expect(("the rest of a body", cycle), limits.head_seconds)
        else:
            self._expect(("the next head", cycle), limits.head_seconds + self.timeout_keep_alive)

    @property
    def _newest(self) -> RequestResponseCycle | None:
        """The newest request; uvicorn does not say in its type that at first there is none."""
        return self.cycle

    def _expect(self, what: object, seconds: float) -> None:
        if self._deadline is None or self._deadline_is_for != what:
            self._forget()
            self._deadline = self.loop.call_later(seconds, self.transport.abort)
            self._deadline_is_for = what

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, refusal: Refusal) -> None:
        """Say why, and close.

        Not at once, but for too many: data that arrives at a closed connection, or lies there unread, makes the system
        answer with a reset, which takes the refusal away from a client that is still sending.
        """
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self.connections.discard(self)  # it takes nobody's place any more
        content = json.dumps(refusal.to_dict()).encode()
        head = (
            f"HTTP/1.1 {refusal.status} Refused\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        )
        cycle = self._newest
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(head.encode("ascii") + content)
        if cycle is not None:  # whoever works on it is to stop, and may not write behind the end
            cycle.disconnected = True
            cycle.waiting_for_100_continue = False
            cycle.message_event.set()
        if len(self.lingering) >= self.limits.max_connections:
            self.transport.close()
        else:
            self.lingering.add(self)
            self.flow.resume_reading()
            if self.transport.can_write_eof():
                self.transport.write_eof()
        self._watch()


def with_limits(limits: Limits) -> type[DeadlineProtocol]:
    """Return a protocol class for connections under `limits`."""
    values: dict[str, Any] = {"limits": limits, "lingering": set()}
    return type("LimitedProtocol", (DeadlineProtocol,), values)
