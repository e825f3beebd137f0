"""What the one who waits reads."""

import io
from itertools import count

import pytest

from flower_cli.progress import Progress
from flower_cli.stopping import Stopped


def progress(stream: io.StringIO, *, live: bool) -> Progress:
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
