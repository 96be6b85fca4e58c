"""The routes of the page: its files, and the trainings it shows."""

from pathlib import Path
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from retinula.page.files import INDEX, page_files
from retinula.serving.guard import json_response
from retinula.serving.service import to_json
from retinula.serving.trainings import details, report_page, summaries

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
_KINDS: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def page_routes() -> list[Route]:
    """Return the routes of the page's files: the page itself at the root, all else below `/page/`."""
    files = page_files("server")

    async def index(_request: Request) -> Response:
        return _response(INDEX, files[INDEX])

    async def page_file(request: Request) -> Response:
        path = f"page/{request.path_params['path']}"
        if (content := files.get(path)) is None:
            raise HTTPException(404)
        return _response(path, content)

    return [Route("/", index), Route("/page/{path:path}", page_file)]


def _response(path: str, content: bytes) -> Response:
    """Return a file; browsers ask again each time, so that a newer version's files are never mixed with an older's."""
    return Response(content, headers={"content-type": _KINDS[path.rpartition(".")[2]], "cache-control": "no-cache"})


def training_routes(root: Path) -> list[Route]:
    """Return the routes of the trainings in the folder `root`."""

    async def all_runs(_request: Request) -> Response:
        return json_response(to_json({"runs": await run_in_threadpool(summaries, root)}))

    async def one_run(request: Request) -> Response:
        return json_response(to_json(await run_in_threadpool(details, root, request.path_params["name"])))

    async def report(request: Request) -> Response:
        content = await run_in_threadpool(report_page, root, request.path_params["name"])
        headers = {"cache-control": "no-store", "content-security-policy": REPORT_POLICY}
        return Response(content, headers=headers, media_type="text/html")

    return [
        Route("/v1/runs", all_runs),
        Route("/v1/runs/{name}", one_run),
        Route("/v1/runs/{name}/report", report),
    ]
