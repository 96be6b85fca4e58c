"""The batcher, without pictures and without HTTP."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from retinula.serving.batching import Batcher, Stopped


class Doubler:
    """Work that notes its batches, and can be made to wait or to fail."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.threads: set[int] = set()
        self.may_go = threading.Event()
        self.may_go.set()

    def __call__(self, items: list[int]) -> Sequence[int]:
        self.batches.append(items)
        self.threads.add(threading.get_ident())
        assert self.may_go.wait(10)
        if -1 in items:
            raise ArithmeticError("minus one")
        if -2 in items:
            return []
        return [2 * item for item in items]


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0.001)


def test_what_waits_goes_together_and_each_gets_its_own_answer() -> None:
    work = Doubler()

    async def go() -> list[list[int]]:
        async with Batcher(work, 4) as batcher:
            work.may_go.clear()
            first = asyncio.create_task(batcher.answer([0]))
            await settle()
            rest = [asyncio.create_task(batcher.answer([n])) for n in range(1, 4)]
            many = asyncio.create_task(batcher.answer([10, 11, 12]))
            await settle()
            work.may_go.set()
            answers = [await task for task in (first, *rest, many)]
            assert (batcher.num_batches, batcher.num_items) == (3, 7)
            return answers

    assert asyncio.run(go()) == [[0], [2], [4], [6], [20, 22, 24]]
    assert work.batches == [[0], [1, 2, 3, 10], [11, 12]]
    assert len(work.threads) == 1
    assert threading.get_ident() not in work.threads


def test_a_failure_reaches_its_batch_and_nobody_else() -> None:
    work = Doubler()

    async def go() -> None:
        async with Batcher(work, 1) as batcher:
            answers = await asyncio.gather(
                batcher.answer([1]),
                batcher.answer([-1]),
                batcher.answer([-2]),
                batcher.answer([3]),
                return_exceptions=True,
            )
            assert answers[0] == [2]
            assert isinstance(answers[1], ArithmeticError)
            assert isinstance(answers[2], RuntimeError)
            assert answers[3] == [6]

    asyncio.run(go())


def test_who_has_gone_is_left_out() -> None:
    work = Doubler()

    async def go() -> None:
        async with Batcher(work, 8) as batcher:
            work.may_go.clear()
            first = asyncio.create_task(batcher.answer([1]))
            await settle()
            gone, stays = asyncio.create_task(batcher.answer([2, 3])), asyncio.create_task(batcher.answer([4]))
            await settle()
            gone.cancel()
            first.cancel()  # its batch is being worked on; the answer is dropped
            await settle()
            work.may_go.set()
            assert await stays == [8]

    asyncio.run(go())
    assert work.batches == [[1], [4]]


def test_closing_answers_what_waits_and_takes_no_more() -> None:
    work = Doubler()

    async def go() -> None:
        batcher = Batcher(work, 2)
        with pytest.raises(Stopped):
            await batcher.answer([1])
        async with batcher:
            work.may_go.clear()
            tasks = [asyncio.create_task(batcher.answer([n])) for n in range(5)]
            await settle()
            asyncio.get_running_loop().call_later(0.05, work.may_go.set)
        assert [await task for task in tasks] == [[0], [2], [4], [6], [8]]
        with pytest.raises(Stopped):
            await batcher.answer([1])

    asyncio.run(go())


def test_nothing_asked_is_answered_at_once() -> None:
    async def go() -> None:
        async with Batcher(Doubler(), 2) as batcher:
            assert await batcher.answer([]) == []

    asyncio.run(go())
    with pytest.raises(ValueError, match="at least one"):
        Batcher(Doubler(), 0)
