"""What one reads who waits for a collector and an API to come up."""

import http.server
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http import HTTPStatus

import pytest

from flower_cli import waiting
from flower_cli.embedded import process
from flower_cli.readiness import Place

READY = (HTTPStatus.OK, '{"ok": true, "broker": true, "database": true}')
BROKER_AWAY = (HTTPStatus.SERVICE_UNAVAILABLE, '{"ok": false, "broker": false, "database": true}')
DATABASE_AWAY = (HTTPStatus.SERVICE_UNAVAILABLE, '{"ok": false, "broker": true, "database": false}')
BROKER_NOT_TRIED = (HTTPStatus.SERVICE_UNAVAILABLE, '{"ok": false, "broker": null, "database": true}')
NOTHING_TRIED = (HTTPStatus.SERVICE_UNAVAILABLE, '{"ok": false, "broker": null, "database": null}')
UNREADABLE = (HTTPStatus.SERVICE_UNAVAILABLE, "<html>")
Answer = tuple[HTTPStatus, str]


@pytest.mark.parametrize(
    ("collector", "api", "words"),
    [
        (READY, READY, ""),
        (BROKER_AWAY, READY, "the broker redis://h does not answer yet: trying again; the dashboard is at {url}"),
        (BROKER_AWAY, None, "the broker redis://h does not answer yet: trying again"),
        (DATABASE_AWAY, None, "the database does not answer yet: trying again"),
        (BROKER_NOT_TRIED, READY, "the collector is still connecting; the dashboard is at {url}"),
        (NOTHING_TRIED, None, "the collector is still connecting"),
        (UNREADABLE, None, "the collector does not answer yet"),
        (None, None, "the collector does not answer yet"),
        (READY, UNREADABLE, "the API does not answer yet"),
    ],
)
def test_it_is_told_what_is_missing(collector: Answer | None, api: Answer | None, words: str) -> None:
    with place(collector) as collecting, place(api) as serving:
        told = waiting.on_pair(collecting, serving, broker="the broker redis://h")()

    assert told == words.format(url=serving.url)


@contextmanager
def place(answer: Answer | None) -> Generator[Place]:
    """Where something answers so; None is nobody."""
    if answer is None:
        yield Place("127.0.0.1", process.free_port())
        return
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(*answer))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Place("127.0.0.1", server.server_port)
    server.shutdown()
    server.server_close()
    thread.join()


def handler(status: HTTPStatus, body: str) -> Callable[..., http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
            """Not into the test's output."""

    return Handler
