import os
import signal
import threading

import pytest

from retinula.errors import Interrupted
from retinula.training.interruption import ASKING, stop_requests


@pytest.mark.parametrize("number", ASKING)
def test_the_first_signal_is_a_wish_and_the_second_stops_at_once(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match="stopped at once"), stop_requests() as asked:  # noqa: PT012 (both signals)
        assert not asked()
        os.kill(os.getpid(), number)
        assert asked()
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_handlers_are_put_back_and_a_new_block_begins_anew() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stop_requests():
        os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    with stop_requests() as asked:
        assert not asked()


def test_a_stop_within_a_block_is_one_for_the_block_around_it() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stop_requests() as around:
        with stop_requests() as within:
            os.kill(os.getpid(), signal.SIGINT)
            assert within()
        assert around()
        with stop_requests() as later:
            assert not later()
        with pytest.raises(Interrupted, match="stopped at once"):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def work() -> None:
        with stop_requests() as asked:
            seen.extend((asked(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False, before]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no hangup")
def test_what_is_ignored_stays_ignored() -> None:
    """As `nohup` has it, under which a training outlives its terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_requests() as asked:
            signal.raise_signal(signal.SIGHUP)
            assert not asked()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
