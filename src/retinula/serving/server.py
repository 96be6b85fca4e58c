"""Running the application: a socket, connections with deadlines, and a stop that finishes what has begun."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from math import ceil

import uvicorn
from starlette.applications import Starlette

from retinula.errors import InputError, RetinulaError
from retinula.serving.guard import LOOPBACK
from retinula.serving.limits import Limits
from retinula.serving.protocol import with_limits
from retinula.training.interruption import heeded

BACKLOG = 128  # connections that the system holds until they are taken


class Server(uvicorn.Server):
    """A server that stops when it is asked to, and leaves it to its caller what stopping means."""

    def __init__(self, config: uvicorn.Config, when_started: Callable[[], None]):
        super().__init__(config)
        self._when_started = when_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets=sockets)
        self._when_started()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let Ctrl-C, SIGTERM and a closed terminal stop the server gracefully; a second Ctrl-C at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        # uvicorn raises the signals again when all is done, which would make every orderly stop look like a failure.
        before = {number: signal.signal(number, self.handle_exit) for number in heeded()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def listen(host: str, port: int) -> socket.socket:
    """Open the socket to listen on.

    Args:
        host: an address or name of this machine.
        port: 0 takes any that is free.

    Raises:
        InputError: the host is not one of this machine, the port is taken or may not be used.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        # Every address of this machine is those of IPv4, too, which most clients still ask by.
        both = address[0] == "::" and socket.has_dualstack_ipv6()
        return socket.create_server(address, family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        # Python adds to the system's words for a failed bind; names that are not found have no number of the system.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
        raise InputError(f"cannot listen on {host}, port {port} ({reason}); choose another --host or --port") from error


def allowed_hosts(listening: socket.socket, host: str) -> Collection[str] | None:
    """Return what `Host` may say where only this machine is served; None where others are too.

    Args:
        listening: what `listen` gave.
        host: what it was asked for, which a client may call it by, too.
    """
    if not is_loopback(listening):
        return None
    return (*LOOPBACK, _bracketed(listening.getsockname()[0]), _bracketed(host))


def is_loopback(listening: socket.socket) -> bool:
    """Tell whether only this machine reaches a socket.

    By where it is bound, and not by how that was written: 127.1, or a name, can be this machine, too.
    """
    return ip_address(listening.getsockname()[0]).is_loopback


def is_ipv6_alone(listening: socket.socket) -> bool:
    """Tell whether a socket for every address is not reached by IPv4, as where the system cannot have both in one."""
    if listening.family != socket.AF_INET6 or not ip_address(listening.getsockname()[0]).is_unspecified:
        return False
    return bool(listening.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))


def address_of(listening: socket.socket) -> str:
    """Return where a browser on this machine finds the page."""
    host, port = listening.getsockname()[:2]
    shown = "localhost" if ip_address(host).is_unspecified else _bracketed(host)
    return f"http://{shown}:{port}"


def configuration(app: Starlette, limits: Limits) -> uvicorn.Config:
    """Return how uvicorn runs the application: no access log, no word of itself, limits on every connection."""
    return uvicorn.Config(
        app,
        http=with_limits(limits),
        ws="none",
        lifespan="on",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=ceil(limits.head_seconds),
        timeout_graceful_shutdown=ceil(limits.seconds),
    )


def run(app: Starlette, listening: socket.socket, limits: Limits, when_started: Callable[[], None]) -> None:
    """Serve until the process is asked to stop (Ctrl-C, SIGTERM, a closed terminal); what has begun is finished.

    Args:
        app: what `build_app` gives.
        listening: what `listen` gives; it is closed.
        limits: as the application has them.
        when_started: called when the first request can be answered.

    Raises:
        RetinulaError: the server did not start.
    """
    # Both write a line for every client's mistake; those are counted instead.
    for name in ("uvicorn.error", "python_multipart"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with listening:
        try:
            Server(configuration(app, limits), when_started).run(sockets=[listening])
        except SystemExit as error:  # what uvicorn makes of a failed start
            raise RetinulaError("the server did not start; the lines above say why") from error


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host.lower()
