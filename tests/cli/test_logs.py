"""Every library's entries come out in one form, and without secrets."""

import io
import json
import logging
import warnings

import pytest
import structlog

from flower_cli import logs
from flower_cli.masking import Mask
from flower_cli.settings import LogSettings

SECRET = "s3cret-marker"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def fail(message: str) -> None:
    raise RuntimeError(message)


def configured(stream: io.StringIO, *, form: str = "auto", level: str = "info") -> io.StringIO:
    logs.configure(LogSettings(log_format=form, log_level=level), Mask([SECRET]), stream=stream)
    return stream


def test_structlog_and_stdlib_entries_are_json_off_a_terminal() -> None:
    stream = configured(io.StringIO())

    structlog.get_logger("flower").info("batch written", events=5)
    logging.getLogger("uvicorn.error").warning("port %s is slow", 5555)

    ours, theirs = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (ours["event"], ours["events"], ours["level"], ours["logger"]) == ("batch written", 5, "info", "flower")
    assert (theirs["event"], theirs["level"]) == ("port 5555 is slow", "warning")


def test_entries_are_readable_on_a_terminal() -> None:
    stream = configured(Terminal())

    structlog.get_logger("flower").info("batch written", events=5)

    assert "batch written" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_reaches_the_log(form: str) -> None:
    stream = configured(io.StringIO(), form=form)
    url = f"redis://u:{SECRET}@h"

    structlog.get_logger("flower").info("connected", url=url, nested={"a": [SECRET]})
    logging.getLogger("kombu.connection").error("cannot reach %s", url)
    try:
        fail(f"no answer from {url} with {SECRET}")
    except RuntimeError:
        structlog.get_logger("flower").exception("failed")
        logging.getLogger("celery").exception("failed")

    assert "RuntimeError" in stream.getvalue()
    assert "***" in stream.getvalue()
    assert SECRET not in stream.getvalue()


def test_less_severe_entries_are_left_out() -> None:
    stream = configured(io.StringIO(), level="warning")

    structlog.get_logger("flower").info("batch written")
    logging.getLogger("alembic").info("running")

    assert stream.getvalue() == ""


def test_an_access_log_is_off() -> None:
    stream = configured(io.StringIO())

    logging.getLogger("uvicorn.access").info("GET /")

    assert stream.getvalue() == ""


def test_warnings_are_entries() -> None:
    stream = configured(io.StringIO())

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old thing", stacklevel=1)

    assert "old thing" in stream.getvalue()
