"""Service: from the body of a request to its answer, under limits. Knows nothing of HTTP but the refusals.

Bodies are taken apart and pictures decoded in a few threads; the model runs in one thread, for many requests at once.
"""

import asyncio
import base64
import io
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from retinula.images import Images
from retinula.machine import available_cores
from retinula.pictures.decoding import UnreadablePicture, as_picture, decode, measure
from retinula.pictures.levels import to_bytes
from retinula.pictures.pieces import MOST_SLOW_VALUES
from retinula.serving.batching import Batcher, Stopped
from retinula.serving.content import Question, Upload, read_question
from retinula.serving.counters import Counters
from retinula.serving.limits import Limits
from retinula.serving.refusals import Refusal
from retinula.serving.served import Served, Similar
from retinula.trained.answers import Probabilities, judged, ranked

Found = TypeVar("Found")

MAX_BATCH: Final = 64  # pictures; more gain nothing on a processor
_MAX_THREADS: Final = 4  # that decode; each may hold a picture of `max_pixels`
_LONG: Final = 2000  # named classes of an answer; longer ones are put together in a thread


@dataclass(frozen=True, eq=False)
class _Small:
    """All views of a picture as the model takes them, `[V, C, H, W]`, the whole first; and how large it was."""

    name: str
    views: Images
    width: int
    height: int


@dataclass(frozen=True)
class _Refused:
    name: str
    code: str
    reason: str


@dataclass(frozen=True, eq=False)
class _Job:
    views: Images
    include: frozenset[str]


@dataclass(frozen=True, eq=False)
class _Outcome:
    probabilities: Probabilities
    unfamiliar: bool | None
    heatmap: NDArray[np.float32] | None
    similar: list[Similar] | None


class Service:
    """Answers questions about pictures; an async context manager."""

    def __init__(self, served: Served, limits: Limits, counters: Counters):
        self.served = served
        self.limits = limits
        self.waiting = 0
        self.kept_bytes = 0  # of bodies that threads still work on though their requests have been refused
        self._counters = counters
        self._batcher: Batcher[_Job, _Outcome] = Batcher(self._run, MAX_BATCH)
        self._decoders = ThreadPoolExecutor(min(available_cores(), _MAX_THREADS), thread_name_prefix="decode")
        self._open = AsyncExitStack()

    async def __aenter__(self) -> "Service":
        await self._open.enter_async_context(self._batcher)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._open.aclose()
        self._decoders.shutdown()

    @property
    def num_batches(self) -> int:
        """How many batches went through the model."""
        return self._batcher.num_batches

    @property
    def num_batched(self) -> int:
        """How many pictures were in them."""
        return self._batcher.num_items

    async def answer(self, content_type: str, body: bytes, query: Iterable[tuple[str, str]]) -> bytes:
        """Answer one request; it counts as waiting until no thread works on it any more.

        Args:
            content_type: the header.
            body: all of it.
            query: names and values behind the `?`.

        Returns:
            JSON, as `openapi` describes it.

        Raises:
            Refusal: the request is refused, all its pictures are, or there is too much to do.
        """
        if self.waiting >= self.limits.max_waiting:
            raise Refusal("too_many_waiting", "too many requests are waiting; try again in a moment")
        self.waiting += 1
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await self._answer(content_type, body, list(query))
        except TimeoutError as error:
            raise Refusal("too_slow", f"no answer within {self.limits.seconds:g} seconds; try again later") from error
        except MemoryError as error:
            raise Refusal("overloaded", "there is not enough memory; try again later") from error
        except Stopped as error:
            raise Refusal("stopping", "the server is stopping") from error
        finally:
            self._leave()

    async def _answer(self, content_type: str, body: bytes, query: list[tuple[str, str]]) -> bytes:
        question, entries = await self._in_thread(partial(self._prepare, content_type, body, query), len(body))
        small = [entry for entry in entries if isinstance(entry, _Small)]
        refused = [entry for entry in entries if isinstance(entry, _Refused)]
        self._counters.refused_pictures += len(refused)
        if not small:  # where several are refused for different reasons, the first stands for all
            first = refused[0]
            raise Refusal(first.code, f"cannot read {first.name or 'the picture'}: {first.reason}")
        outcomes = await self._batcher.answer([_Job(entry.views, question.include) for entry in small])
        self._counters.pictures += len(small)
        if len(small) * question.top > _LONG or question.include:
            return await self._in_thread(lambda _: self._compose(question, entries, outcomes), len(body))
        return self._compose(question, entries, outcomes)

    async def _in_thread(self, work: Callable[[threading.Event], Found], num_bytes: int) -> Found:
        """Work on so many bytes in a thread; what is cancelled meanwhile is forgotten, or let know if it has begun.

        Then it counts as waiting, and its bytes as kept, until it returns.
        """
        given_up, loop = threading.Event(), asyncio.get_running_loop()
        job = [work]  # the queue of the threads keeps what was cancelled there until its turn comes
        del work
        future = self._decoders.submit(lambda: job.pop()(given_up))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            given_up.set()
            if future.cancel():
                job.clear()
            else:
                self.waiting += 1
                self.kept_bytes += num_bytes
                future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave, num_bytes))
            raise

    def _leave(self, num_bytes: int = 0) -> None:
        self.waiting -= 1
        self.kept_bytes -= num_bytes

    def _prepare(
        self, content_type: str, body: bytes, query: list[tuple[str, str]], given_up: threading.Event
    ) -> tuple[Question, list[_Small | _Refused]]:
        question = read_question(content_type, body, query, self.limits, self.served.offers)
        # So few pictures cannot have more, and their headers need not be read twice.
        if len(question.pictures) * self.limits.max_pixels > self.limits.max_request_pixels:
            self._check_pixels(_while_wanted(question.pictures, given_up))
        return question, [self._decoded(*upload) for upload in _while_wanted(question.pictures, given_up)]

    def _check_pixels(self, pictures: Iterable[Upload]) -> None:
        most = self.limits.max_request_pixels
        if sum(map(self._num_pixels, pictures)) > most:
            raise Refusal("too_large", f"the pictures of a request may have {most:,} pixels together")

    def _num_pixels(self, upload: Upload) -> int:
        try:
            height, width = measure(upload.content, **self._bounds())
        except UnreadablePicture:
            return 0  # it is not unpacked either
        return height * width

    def _bounds(self) -> dict[str, int]:
        limits = self.limits
        return {
            "max_pixels": limits.max_pixels,
            "max_bytes": limits.max_bytes,
            "max_slow": MOST_SLOW_VALUES,
        }

    def _decoded(self, name: str, content: bytes) -> _Small | _Refused:
        try:
            picture = decode(content, **self._bounds())
        except UnreadablePicture as error:
            code = "too_large" if error.too_large else "unreadable"
            return _Refused(name, code, error.reason)
        return _Small(name, self.served.classifier.look_at(picture), picture.width, picture.height)

    def _run(self, jobs: list[_Job]) -> Sequence[_Outcome]:
        images = np.stack([job.views[0] for job in jobs])  # what is shown, and explained
        answers = judged(self.served.classifier, [job.views for job in jobs])
        probabilities, unfamiliar = zip(*answers, strict=True)
        best = np.array([each.argmax() for each in probabilities])
        heatmaps = _for_those(jobs, "heatmap", self.served.heatmaps, images, best)
        similar = _for_those(jobs, "similar", self.served.similar, images)
        return [_Outcome(*each) for each in zip(probabilities, unfamiliar, heatmaps, similar, strict=True)]

    def _compose(self, question: Question, entries: list[_Small | _Refused], outcomes: list[_Outcome]) -> bytes:
        remaining = iter(outcomes)
        predictions = [
            {"name": entry.name, "error": {"code": entry.code, "message": entry.reason}}
            if isinstance(entry, _Refused)
            else self._prediction(question, entry, next(remaining))
            for entry in entries
        ]
        return to_json({"model": self.served.name, "predictions": predictions})

    def _prediction(self, question: Question, small: _Small, outcome: _Outcome) -> dict[str, Any]:
        answers = ranked(self.served.classifier.classes, outcome.probabilities)[: question.top]
        top = [{"label": label, "probability": round(probability, 7)} for label, probability in answers]
        size = {"width": small.width, "height": small.height}
        prediction: dict[str, Any] = {"name": small.name, **size, **top[0], "top": top}
        if outcome.unfamiliar is not None:
            prediction["unfamiliar"] = outcome.unfamiliar
        if "seen" in question.include:
            prediction["seen"] = _data_url(self.served.classifier.form.centre(small.views[0]))
        if outcome.heatmap is not None:
            prediction["heatmap"] = _data_url(to_bytes(outcome.heatmap[None]))
        if outcome.similar is not None:
            prediction["similar"] = [
                {"image": _data_url(each.image), "label": each.label, "likeness": round(each.likeness, 4)}
                for each in outcome.similar
            ]
        return prediction


def _while_wanted(pictures: Iterable[Upload], given_up: threading.Event) -> Iterator[Upload]:
    """Yield pictures as long as somebody waits for their answers; a thread cannot be stopped from outside."""
    for picture in pictures:
        if given_up.is_set():
            raise CancelledError
        yield picture


def _for_those(
    jobs: list[_Job], what: str, ask: Callable[..., Iterable[Found]] | None, *arrays: NDArray[Any]
) -> list[Found | None]:
    """Ask about the jobs that want it, of which `arrays` have a row each; the others have None in its place."""
    wanted = [number for number, job in enumerate(jobs) if what in job.include]
    found = dict(zip(wanted, ask(*(each[wanted] for each in arrays)) if ask and wanted else (), strict=True))
    return [found.get(number) for number in range(len(jobs))]


def to_json(value: Any) -> bytes:
    """Write JSON as this server does everywhere: UTF-8, without spaces."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _data_url(image: Images) -> str:
    """Write uint8 `[1 or 3, h, w]` as a PNG in a `data:` address."""
    file = io.BytesIO()
    as_picture(image).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
