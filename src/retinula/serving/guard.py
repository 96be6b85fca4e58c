"""Guard: what holds for every request, before and behind the routes.

Who may ask, headers that keep browsers safe, counting, and that every failure is one line of JSON.
"""

import hmac
import logging
import re
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final
from urllib.parse import unquote

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retinula.serving.counters import Counters
from retinula.serving.refusals import Refusal
from retinula.serving.service import to_json

LOGGER: Final = logging.getLogger("retinula.serving")
LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})  # no other page can read what they give
_ABSOLUTE: Final = re.compile(rb"https?://([^/]+)", re.IGNORECASE)
_PORTS: Final = {"http": ":80", "https": ":443"}
_CROSS_SITE: Final = (
    "another page, by its Origin not of this Host, asks by way of its visitor's browser; with --token it may "
    "(a proxy before this server has to pass Host on)"
)
CLIENT_GONE: Final = 499  # nginx's status for a client that went away; nobody receives it

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Guard:
    """ASGI middleware."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        counters: Counters,
        route_of: Callable[[str], str],
        is_open: Callable[[str], bool],
        token: str | None,
        hosts: Collection[str] | None,
    ):
        """Wrap an application.

        Args:
            app: the routes.
            counters: what is counted.
            route_of: the name a path is counted under; there are few.
            is_open: whether a path needs no token.
            token: what `Authorization: Bearer ...` has to say, or None.
            hosts: what `Host` may say without its port, or None for anything. A server for this machine alone needs
                it: a page elsewhere whose name is made to point here could otherwise ask in its visitors' browsers.
        """
        self._app = app
        self._counters = counters
        self._route_of = route_of
        self._is_open = is_open
        self._token = None if token is None else token.encode()
        self._hosts = None if hosts is None else frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; nothing is raised for one of HTTP."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = _without_authority(scope)
        begun = time.perf_counter()
        status = CLIENT_GONE

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._check(Headers(scope=scope), scope["method"], scope["path"])
            await self._app(scope, receive, sending)
        except Refusal as refusal:
            self._counters.errors[refusal.code] += 1
            await response_of(refusal)(scope, receive, sending)
        except ClientDisconnect:
            pass
        except Exception:
            LOGGER.exception("%s %s failed", scope["method"], scope["path"])
            mistake = Refusal("failed", "the server made a mistake; its log says more")
            self._counters.errors[mistake.code] += 1
            if status != CLIENT_GONE:
                raise  # an answer has begun: all that is left is to close the connection
            await response_of(mistake)(scope, receive, sending)
        finally:
            self._counters.finished(self._route_of(scope["path"]), status, time.perf_counter() - begun)

    def _check(self, headers: Headers, method: str, path: str) -> None:
        if self._hosts is not None and _without_port(headers.get("host", "")) not in self._hosts:
            raise Refusal("wrong_host", "this server answers for the machine it runs on: ask localhost")
        if self._token is None and method not in _HARMLESS and _is_of_another_page(headers):
            raise Refusal("cross_site", _CROSS_SITE)
        if self._token is not None and not self._is_open(path):
            kind, _, given = headers.get("authorization", "").partition(" ")
            # Compared in constant time; bytes, because text beyond ASCII is not compared.
            right = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), self._token)
            if kind.lower() != "bearer" or not right:
                raise Refusal("unauthorized", "a token is needed: send Authorization: Bearer TOKEN")


def json_response(content: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return JSON as this server always does."""
    return Response(content, status, {**(headers or {}), "cache-control": "no-store"}, "application/json")


def response_of(refusal: Refusal) -> Response:
    """Return a refusal as HTTP has it."""
    return json_response(to_json(refusal.to_dict()), refusal.status, refusal.headers)


async def refuse_route(_request: Request, error: Exception) -> Response:
    """Turn what the routes raise, no such path or method, into a `Refusal`, which the guard answers."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 405:
        raise Refusal("method_not_allowed", "there is such a path, but not this method", error.headers)
    raise Refusal("not_found", "there is nothing here; /openapi.json lists what there is")


def _without_authority(scope: Scope) -> Scope:
    """Cut scheme and host off a target that has them; that host counts, and not `Host` (RFC 9112, 3.2.2)."""
    found = _ABSOLUTE.match(scope.get("raw_path") or b"")
    if not found:
        return scope
    path = scope["raw_path"][found.end() :] or b"/"
    headers = [(b"host", found[1]), *((name, value) for name, value in scope["headers"] if name != b"host")]
    return {**scope, "path": unquote(path.decode("ascii")), "raw_path": path, "headers": headers}


def _is_of_another_page(headers: Headers) -> bool:
    """Tell whether a browser sends a request for a page of another server; programs say nothing of it."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site in ("same-origin", "none"):
        return False
    if site == "cross-site" or origin is None:
        return site == "cross-site"
    scheme, _, place = origin.lower().partition("://")
    port = _PORTS.get(scheme, "")  # browsers leave it out; a proxy may name it
    return place.removesuffix(port) != headers.get("host", "").lower().removesuffix(port)


def _without_port(host: str) -> str:
    name, separator, port = host.rpartition(":")
    return (name if separator and port.isdecimal() else host).lower()
