"""A signal ends a wait at once."""

import os
import signal
import threading
import time

import pytest

from flower_cli.stopping import ASKING, Stop, Stopped


def signal_soon(number: signal.Signals) -> threading.Timer:
    timer = threading.Timer(0.05, os.kill, (os.getpid(), number))
    timer.start()
    return timer


@pytest.mark.parametrize("number", ASKING)
def test_a_pause_ends_with_the_request_to_stop(number: signal.Signals) -> None:
    with Stop() as stop:
        timer = signal_soon(number)

        with pytest.raises(Stopped):
            stop.pause(30)

        timer.join()
        assert stop.asked


def test_the_end_of_a_child_wakes_and_does_not_stop() -> None:
    with Stop() as stop:
        timer = signal_soon(signal.SIGCHLD)

        stop.rest(30)

        timer.join()
        assert not stop.asked


def test_the_end_of_a_child_does_not_shorten_a_pause() -> None:
    began = time.monotonic()

    with Stop() as stop:
        os.kill(os.getpid(), signal.SIGCHLD)
        stop.pause(0.1)

    assert time.monotonic() - began >= 0.1


def test_handlers_are_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)

    with Stop():
        during = signal.getsignal(signal.SIGTERM)

    assert during != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_under_nohup_the_end_of_the_terminal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stop():
            during = signal.getsignal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)

    assert during is signal.SIG_IGN
