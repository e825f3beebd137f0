"""What the one who waits reads."""

import io
import os
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from typing import TextIO

import pytest

from flower_cli.progress import Progress
from flower_cli.stopping import Stopped


def progress(stream: TextIO, *, live: bool) -> Progress:
    """With a clock on which each look takes a second."""
    seconds = count()
    return Progress(stream, live=live, clock=lambda: next(seconds))


@pytest.mark.parametrize("live", [True, False])
def test_a_step_tells_what_is_done_and_how_long_it_took(live: bool) -> None:
    stream = io.StringIO()

    with progress(stream, live=live).step("starting PostgreSQL"):
        during = stream.getvalue()

    assert during == ("starting PostgreSQL ... " if live else "")
    assert stream.getvalue() == "starting PostgreSQL ... 1.0 s\n"


@pytest.mark.parametrize(("error", "verdict"), [(ValueError, "failed"), (Stopped, "stopped")])
def test_a_step_that_does_not_end_well_says_so(error: type[Exception], verdict: str) -> None:
    stream = io.StringIO()

    with pytest.raises(error), progress(stream, live=False).step("starting PostgreSQL"):
        raise error

    assert stream.getvalue() == f"starting PostgreSQL ... {verdict}\n"


@pytest.mark.parametrize(
    ("live", "text"),
    [
        (True, "starting ... \nthe broker is away\nstarting ... 1.0 s\n"),
        (False, "the broker is away\nstarting ... 1.0 s\n"),
    ],
)
def test_a_line_said_during_a_step_is_a_line_of_its_own(live: bool, text: str) -> None:
    stream = io.StringIO()
    told = progress(stream, live=live)

    with told.step("starting"):
        told.say("the broker is away")

    assert stream.getvalue() == text


@pytest.mark.parametrize("live", [True, False])
def test_what_nobody_reads_any_more_does_not_stop_the_work(live: bool) -> None:
    done = []

    with gone_reader() as stream:
        told = progress(stream, live=live)
        with told.step("stopping"):
            done.append("stopped")
        told.say("Flower is up")

    assert done == ["stopped"]


@contextmanager
def gone_reader() -> Generator[TextIO]:
    """A pipe whose reader is gone; closing it flushes what is left, as Python does at its end."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        yield stream
