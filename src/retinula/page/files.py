"""The files of the page, which come with the package as they were written, for the two that answer: server and browser.

Plain HTML, CSS and JavaScript modules that import each other by relative paths. Knows nothing of HTTP or models.
"""

import re
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final, Literal

Answerer = Literal["server", "browser"]

# The page without a server that sends headers says in itself what it may do. WebAssembly is code made at run time.
BROWSER_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
INDEX: Final = "index.html"

_ENDINGS: Final = (".html", ".css", ".js", ".svg")
_OF_A_SERVER: Final = re.compile(r"<!-- of a server only -->.*?<!-- end -->\n?", re.DOTALL)


def page_files(answerer: Answerer) -> dict[str, bytes]:
    """Read all files of the page, by their paths beside it: `index.html`, `page/main.js`, `page/browser/worker.js`.

    Args:
        answerer: who answers; the files of the other one are left out.
    """
    folder = resources.files("retinula.page")
    found = {**_files_of(folder, "page"), **_files_of(folder.joinpath(answerer), f"page/{answerer}")}
    index = found.pop(f"page/{INDEX}")
    return {INDEX: _in_browser(index.decode()).encode() if answerer == "browser" else index, **found}


def _files_of(folder: Traversable, prefix: str) -> dict[str, bytes]:
    files = sorted(folder.iterdir(), key=lambda item: item.name)
    return {f"{prefix}/{file.name}": file.read_bytes() for file in files if file.name.endswith(_ENDINGS)}


def _in_browser(index: str) -> str:
    """Turn the page of a server into the page of a model that the browser runs."""
    policy = f'<meta http-equiv="Content-Security-Policy" content="{BROWSER_POLICY}">'
    index = index.replace('<meta charset="utf-8">', f'<meta charset="utf-8">\n{policy}')
    return _OF_A_SERVER.sub("", index).replace("page/server/start.js", "page/browser/start.js")
