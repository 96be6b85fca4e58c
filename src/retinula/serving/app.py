"""The routes of the server, as an ASGI application; whoever runs it decides on addresses and sockets."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from retinula.serving.bodies import Bodies
from retinula.serving.counters import CONTENT_TYPE, Counters
from retinula.serving.guard import Guard, refuse_route
from retinula.serving.limits import Limits
from retinula.serving.openapi import describe
from retinula.serving.page_files import page_files
from retinula.serving.predictor import Predictor
from retinula.serving.service import Service, to_json
from retinula.serving.trainings import details, report_page, summaries
from retinula.version import __version__

NEEDS_NO_TOKEN: Final = frozenset({"/", "/healthz"})  # and the files of the page, which asks for the token itself
COUNTED: Final = frozenset({"/", "/v1/predict", "/v1/model", "/v1/runs", "/healthz", "/metrics", "/openapi.json"})

# A report is one file with everything in it, script and style too; it is kept apart from this server in turn.
REPORT_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'unsafe-inline'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        "font-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "sandbox allow-scripts",
    )
)


def build_app(
    predictor: Predictor,
    limits: Limits | None = None,
    *,
    token: str | None = None,
    hosts: Collection[str] | None = None,
    runs: Path | None = None,
) -> Starlette:
    """Build the application that serves one model.

    Args:
        predictor: the model.
        limits: what clients may cost; the usual ones where none are given.
        token: what clients have to show, or None.
        hosts: what `Host` may say, or None for anything.
        runs: the folder of trainings that are shown, or None.
    """
    limits = limits or Limits()
    counters = Counters()
    service = Service(predictor, limits, counters)
    bodies = Bodies(limits)
    files = page_files()
    interface = describe(limits, service.offers, with_token=token is not None)

    async def predict(request: Request) -> Response:
        async with bodies.read(request) as body:
            kind = request.headers.get("content-type", "")
            return _json(await service.answer(kind, body, request.query_params.multi_items()))

    async def model(_request: Request) -> Response:
        return _json(
            to_json(
                {
                    "name": predictor.name,
                    "classes": predictor.classes,
                    **predictor.about,
                    "includes": sorted(service.offers),
                    "runs": runs is not None,
                    "limits": asdict(limits),
                    "version": __version__,
                }
            )
        )

    async def health(_request: Request) -> Response:
        return _json(to_json({"status": "ready", "model": predictor.name}))

    async def metrics(_request: Request) -> Response:
        text = counters.text(waiting=service.waiting, num_batches=service.num_batches, num_batched=service.num_batched)
        return Response(text, headers={"content-type": CONTENT_TYPE})

    async def openapi(_request: Request) -> Response:
        return _json(to_json(interface))

    async def index(_request: Request) -> Response:
        return files["index.html"].response()

    async def page_file(request: Request) -> Response:
        if (file := files.get(request.path_params["name"])) is None:
            raise HTTPException(404)
        return file.response()

    async def all_runs(_request: Request) -> Response:
        found = [] if runs is None else await run_in_threadpool(summaries, runs)
        return _json(to_json({"runs": found}))

    async def one_run(request: Request) -> Response:
        name = request.path_params["name"]
        if runs is None:
            raise HTTPException(404)
        return _json(to_json(await run_in_threadpool(details, runs, name)))

    async def report(request: Request) -> Response:
        if runs is None:
            raise HTTPException(404)
        content = await run_in_threadpool(report_page, runs, request.path_params["name"])
        headers = {"cache-control": "no-store", "content-security-policy": REPORT_POLICY}
        return Response(content, headers=headers, media_type="text/html")

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
    return Starlette(
        routes=[
            Route("/v1/predict", predict, methods=["POST"]),
            Route("/v1/model", model),
            Route("/healthz", health),
            Route("/metrics", metrics),
            Route("/openapi.json", openapi),
            Route("/", index),
            Route("/page/{name}", page_file),
            Route("/v1/runs", all_runs),
            Route("/v1/runs/{name}", one_run),
            Route("/v1/runs/{name}/report", report),
        ],
        middleware=[guard],
        exception_handlers={HTTPException: refuse_route},
        lifespan=lifespan,
    )


def _route_of(path: str) -> str:
    for folder in ("/page/", "/v1/runs/"):
        if path.startswith(folder):
            return folder
    return path if path in COUNTED else "other"


def _json(content: bytes) -> Response:
    return Response(content, headers={"cache-control": "no-store"}, media_type="application/json")
