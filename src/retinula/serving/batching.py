"""Batcher: what arrives one by one is worked on many at a time.

While one batch is being worked on, in a thread of its own, new items wait; when it is done, all that wait go
together, up to the size of a batch. Nothing is held back in the hope of more. Knows nothing of pictures or HTTP.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Stopped(Exception):
    """The batcher takes no more items."""


@dataclass(frozen=True)
class _Waiting(Generic[Item, Answer]):
    item: Item
    answer: asyncio.Future[Answer]


class Batcher(Generic[Item, Answer]):
    """Gathers items while a batch is being worked on; an async context manager.

    How many may wait is for the caller to bound. Leaving the context answers all that waits, and takes no more.
    """

    def __init__(self, work: Callable[[list[Item]], Sequence[Answer]], max_batch: int):
        """Make a batcher.

        Args:
            work: gives the answers of a batch, in its order; called in one thread, never twice at once. What it
                raises, the whole batch gets.
            max_batch: items at a time, at least 1.
        """
        if max_batch < 1:
            raise ValueError(f"a batch has at least one item, not {max_batch}")
        self._work = work
        self._max_batch = max_batch
        self._waiting: deque[_Waiting[Item, Answer]] = deque()
        self._filled = asyncio.Event()
        self._stopping = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batcher")
        self._worker: asyncio.Task[None] | None = None
        self.num_batches = 0
        self.num_items = 0

    async def __aenter__(self) -> "Batcher[Item, Answer]":
        self._worker = asyncio.create_task(self._run(), name="batcher")
        return self

    async def __aexit__(self, *error: object) -> None:
        self._stopping = True
        self._filled.set()
        if self._worker is not None:
            await self._worker
        self._thread.shutdown()

    async def answer(self, items: Sequence[Item]) -> list[Answer]:
        """Wait for the answers of `items`, in their order; they may share batches with others.

        Where the caller is cancelled, what has not begun is left out.

        Raises:
            Stopped: the batcher is closing.
            Exception: whatever the work raised.
        """
        if self._stopping or self._worker is None:
            raise Stopped("no more items are taken")
        if not items:
            return []
        loop = asyncio.get_running_loop()
        waiting = [_Waiting[Item, Answer](item, loop.create_future()) for item in items]
        self._waiting.extend(waiting)
        self._filled.set()
        return list(await asyncio.gather(*(each.answer for each in waiting)))

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while batch := await self._next_batch():
            try:
                answers = await loop.run_in_executor(self._thread, self._work, [each.item for each in batch])
                if len(answers) != len(batch):
                    raise RuntimeError(f"{len(batch)} items got {len(answers)} answers")
            except Exception as error:  # noqa: BLE001 - whatever it is, it is for those who wait, who raise it
                for each in batch:
                    if not each.answer.done():
                        each.answer.set_exception(error)
                continue
            self.num_batches += 1
            self.num_items += len(batch)
            for each, answer in zip(batch, answers, strict=True):
                if not each.answer.done():
                    each.answer.set_result(answer)

    async def _next_batch(self) -> list[_Waiting[Item, Answer]]:
        """Wait for items and take those whose caller still waits; none where the batcher is closing and empty."""
        while True:
            batch: list[_Waiting[Item, Answer]] = []
            while self._waiting and len(batch) < self._max_batch:
                each = self._waiting.popleft()
                if not each.answer.done():
                    batch.append(each)
            if batch or self._stopping:
                return batch
            self._filled.clear()
            await self._filled.wait()
