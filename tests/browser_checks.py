"""Pages in a real browser, which must not report an error nor ask anybody else."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = (
    shutil.which("chromium") or shutil.which("google-chrome") or pytest.skip("needs Chromium", allow_module_level=True)
)
# A camera that shows a moving picture, and whom nobody has to allow it.
LAUNCH = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
PATIENCE = 30.0  # seconds that a test waits for what comes at once where nothing else is going on
READY = "document.querySelector('#model').textContent !== ''"


@contextlib.contextmanager
def launched() -> Iterator[Any]:
    """Run a browser."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=LAUNCH)
        yield browser
        browser.close()


class Pages:
    """Opens pages, and notes whatever they report as an error or ask elsewhere for."""

    def __init__(self, browser: Any):
        self._browser = browser
        self.contexts: list[Any] = []
        self.troubles: list[str] = []
        # A refused picture is an error to the browser's console as well.
        self.expected = ["status of 4"]

    def __call__(self, address: str, ready: str = READY, **options: Any) -> Any:
        context = self._browser.new_context(**{"locale": "en-GB", **options})
        context.set_default_timeout(1000 * PATIENCE)
        self.contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", self._console)
        context.on("request", lambda asked: self._request(asked.url, address))
        page.goto(address)
        until(page, ready)
        return page

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self.troubles.append(message.text)

    def _request(self, url: str, address: str) -> None:
        if url != address and not url.startswith((f"{address}/", "data:", "blob:")):
            self.troubles.append(f"asked {url}")


def until(page: Any, condition: str, patience: float = PATIENCE) -> None:
    """Wait for a condition in JavaScript; the browser's own way of waiting evaluates text, which the page forbids."""
    deadline = time.monotonic() + patience
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(20)


@contextlib.contextmanager
def opening(browser: Any) -> Iterator[Pages]:
    """Open pages, and look afterwards whether one of them had trouble."""
    pages = Pages(browser)
    yield pages
    for context in pages.contexts:
        context.close()
    unexpected = [each for each in pages.troubles if not any(words in each for words in pages.expected)]
    assert not unexpected, unexpected
