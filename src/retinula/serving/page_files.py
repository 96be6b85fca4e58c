"""The files of the page, which come with the package: HTML, CSS and JavaScript as they were written."""

from dataclasses import dataclass
from importlib import resources
from typing import Final

from starlette.responses import Response

_KINDS: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True)
class PageFile:
    """A file and what HTTP calls its kind."""

    content: bytes
    kind: str

    def response(self) -> Response:
        """Return it; browsers ask again each time, so that a newer version's files are never mixed with an older's."""
        return Response(self.content, headers={"content-type": self.kind, "cache-control": "no-cache"})


def page_files() -> dict[str, PageFile]:
    """Read all files of the page, by name."""
    folder = resources.files("retinula.serving").joinpath("page")
    files = {}
    for item in folder.iterdir():
        kind = _KINDS.get(item.name.rpartition(".")[2])
        if kind is not None and item.is_file():
            files[item.name] = PageFile(item.read_bytes(), kind)
    return files
