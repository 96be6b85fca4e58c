"""A classifier that is quick to make, pictures for it, and an application asked without sockets."""

import asyncio
import base64
import contextlib
import io
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from starlette.applications import Starlette

from retinula.images import Images
from retinula.pictures.form import Form
from retinula.serving.app import build_app
from retinula.serving.limits import Limits
from retinula.serving.served import Served, Similar
from retinula.serving.server import Server, address_of, configuration, listen

PATIENCE = 30.0  # seconds that a test waits for what comes at once where nothing else is going on
BLACK = "black"
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


class Colours:
    """Says which of three colours a picture has most of; notes its batches, and can be made to wait or to fail."""

    name = "colours"
    classes: tuple[str, ...] = tuple(COLOURS)
    form = Form(3, (4, 4))

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.may_go = threading.Event()
        self.may_go.set()
        self.failure: Exception | None = None

    @property
    def served(self) -> Served:
        about = {"network": "none", "input": {"channels": 3, "size": [4, 4]}}
        return Served(self.name, self, about, self.heatmaps, self.similar)

    def look_at(self, picture: Image.Image) -> Images:
        return self.form.look_at(picture)

    def judge(self, images: Images) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """What is nearly black is unfamiliar."""
        self.batches.append(len(images))
        assert self.may_go.wait(10)
        if self.failure:
            raise self.failure
        means = images.mean((2, 3)) + 1
        return np.asarray(means / means.sum(1, keepdims=True), dtype=np.float32), images.max((1, 2, 3)) < 9

    def similar(self, images: Images) -> list[list[Similar]]:
        return [[Similar(image, "itself", 1.0)] for image in images]

    def heatmaps(self, images: Images, targets: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.stack([image[target] / 255 for image, target in zip(images, targets, strict=True)]).astype(np.float32)


class Slow(Colours):
    """Counts the pictures that it looks at, each as soon as it may."""

    def __init__(self) -> None:
        super().__init__()
        self.looked = 0
        self.may_look = threading.Event()

    def look_at(self, picture: Image.Image) -> Images:
        self.looked += 1
        assert self.may_look.wait(PATIENCE)
        return super().look_at(picture)


def png(colour: str = "red", size: tuple[int, int] = (9, 7)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, COLOURS.get(colour, (1, 1, 1))).save(buffer, "PNG")
    return buffer.getvalue()


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def pixels(address: str) -> NDArray[np.uint8]:
    """The pixels of a PNG in a `data:` address."""
    assert address.startswith("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))


def client_of(app: Starlette, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost", headers=headers)


def running(app: Starlette) -> AbstractAsyncContextManager[Any]:
    """The application between its start and its stop."""
    return app.router.lifespan_context(app)


def ask(
    question: Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]],
    colours: Colours | None = None,
    limits: Limits | None = None,
    **options: Any,
) -> None:
    """Start an application, let `question` ask it, stop it."""

    async def go() -> None:
        app = build_app((colours or Colours()).served, limits, **options)
        async with running(app), client_of(app) as client:
            await question(client)

    asyncio.run(go())


def refused(response: httpx.Response, status: int, code: str) -> str:
    """Check that a request was refused as it should be; return what people read."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    error = json.loads(response.content)["error"]
    assert error["code"] == code, error
    assert error["message"]
    assert "\n" not in error["message"]
    return str(error["message"])


@contextlib.contextmanager
def served(limits: Limits, colours: Colours | None = None, **options: Any) -> Iterator[tuple[str, int]]:
    """Run a server in a thread; yields its address and port."""
    listening = listen("127.0.0.1", 0)
    started = threading.Event()
    app = build_app((colours or Colours()).served, limits, **options)
    server = Server(configuration(app, limits), started.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    assert started.wait(PATIENCE)
    try:
        yield address_of(listening), listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()
