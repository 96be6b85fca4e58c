"""The routes of the server, as an ASGI application; whoever runs it decides on addresses and sockets."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from retinula.serving.bodies import Bodies, unless_gone
from retinula.serving.counters import CONTENT_TYPE, Counters
from retinula.serving.guard import Guard, json_response, refuse_route
from retinula.serving.limits import Limits
from retinula.serving.openapi import describe
from retinula.serving.page_routes import page_routes, training_routes
from retinula.serving.served import Served
from retinula.serving.service import Service, to_json
from retinula.version import __version__

NEEDS_NO_TOKEN: Final = frozenset({"/", "/healthz"})  # and the files of the page, which asks for the token itself
COUNTED: Final = frozenset({"/", "/v1/predict", "/v1/model", "/v1/runs", "/healthz", "/metrics", "/openapi.json"})


def build_app(
    served: Served,
    limits: Limits | None = None,
    *,
    token: str | None = None,
    hosts: Collection[str] | None = None,
    runs: Path | None = None,
) -> Starlette:
    """Build the application that serves one model.

    Args:
        served: the model.
        limits: what clients may cost; the usual ones where none are given.
        token: what clients have to show, or None.
        hosts: what `Host` may say, or None for anything.
        runs: the folder of trainings that are shown, or None.
    """
    limits = limits or Limits()
    counters = Counters()
    service = Service(served, limits, counters)
    bodies = Bodies(limits, lambda: service.kept_bytes)
    interface = describe(limits, served.offers, with_token=token is not None, with_runs=runs is not None)

    async def predict(request: Request) -> Response:
        async with bodies.read(request) as body:
            kind = request.headers.get("content-type", "")
            answer = service.answer(kind, body, request.query_params.multi_items())
            return json_response(await unless_gone(request, answer))

    async def model(_request: Request) -> Response:
        return json_response(
            to_json(
                {
                    "name": served.name,
                    "classes": served.classifier.classes,
                    **served.about,
                    "includes": sorted(served.offers),
                    "runs": runs is not None,
                    "limits": asdict(limits),
                    "version": __version__,
                }
            )
        )

    async def health(_request: Request) -> Response:
        return json_response(to_json({"status": "ready", "model": served.name}))

    async def metrics(_request: Request) -> Response:
        text = counters.text(waiting=service.waiting, num_batches=service.num_batches, num_batched=service.num_batched)
        return Response(text, headers={"content-type": CONTENT_TYPE})

    async def openapi(_request: Request) -> Response:
        return json_response(to_json(interface))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with service:
            yield

    guard: Any = Middleware(
        Guard,
        counters=counters,
        route_of=_route_of,
        is_open=lambda path: path in NEEDS_NO_TOKEN or path.startswith("/page/"),
        token=token,
        hosts=hosts,
    )
    app = Starlette(
        routes=[
            Route("/v1/predict", predict, methods=["POST"]),
            Route("/v1/model", model),
            Route("/healthz", health),
            Route("/metrics", metrics),
            Route("/openapi.json", openapi),
            *page_routes(),
            *([] if runs is None else training_routes(runs)),
        ],
        middleware=[guard],
        exception_handlers={HTTPException: refuse_route},
        lifespan=lifespan,
    )
    # A path with one slash too many is no path: a redirect would name this server as a proxy in front of it does not.
    app.router.redirect_slashes = False
    return app


def _route_of(path: str) -> str:
    for folder in ("/page/", "/v1/runs/"):
        if path.startswith(folder):
            return folder
    return path if path in COUNTED else "other"
