"""Starting and stopping as production does it."""

import contextlib
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from litestar import get
from tests.api import serving

from flower_api.app import create_app
from flower_api.listening import CannotListen
from flower_api.server import Server
from flower_api.settings import ApiSettings
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

PROGRAM = """
import sys
from flower_api import app, server, settings
from flower_store.settings import StoreSettings

wanted = settings.ApiSettings(port=0)
made = app.create_app(wanted, StoreSettings(database_url=sys.argv[1]))
server.serve(made, wanted, ready=lambda address: print("READY", address, flush=True))
print("ENDED", flush=True)
"""


@contextlib.contextmanager
def program(store: StoreSettings) -> Generator[tuple["subprocess.Popen[str]", str]]:
    """The API as a process of its own, and its address."""
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), store.database_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = next(line.split()[1] for line in process.stdout if line.startswith("READY"))
            yield process, address
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_and_promptly_with_streams_open(
    store: StoreSettings, writer: Writer, number: signal.Signals
) -> None:
    writer.connect()
    with program(store) as (process, address), httpx.stream("GET", f"{address}/events/stream") as stream:
        chunks = stream.iter_raw()
        next(chunks)
        began = time.monotonic()

        process.send_signal(number)
        rest = list(chunks)
        output, _ = process.communicate(timeout=10)

        assert (process.returncode, output.splitlines()[-1]) == (0, "ENDED")
        assert rest == []
        assert time.monotonic() - began < 5


def test_a_taken_port_is_one_clear_sentence(store: StoreSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = ApiSettings(port=other.getsockname()[1])

        with pytest.raises(CannotListen, match=f"port: {settings.port}: is taken by another program on 127.0.0.1"):
            Server(create_app(settings, store), settings)


def test_an_address_of_another_machine_is_one_clear_sentence(store: StoreSettings) -> None:
    settings = ApiSettings(address="192.0.2.7", port=0, unauthenticated_api=True)

    with pytest.raises(CannotListen, match=r"address: '192\.0\.2\.7': cannot be listened on"):
        Server(create_app(settings, store), settings)


def test_it_can_be_stopped_twice(store: StoreSettings) -> None:
    with serving.running(store) as server:
        server.stop()
        server.stop()


def test_it_does_not_say_what_it_is_made_of(api: httpx.Client) -> None:
    assert "server" not in api.get("/healthz").headers


def test_a_request_under_way_is_answered_before_the_stop(store: StoreSettings) -> None:
    entered, go_on = threading.Event(), threading.Event()

    @get("/slow", sync_to_thread=True)
    def slow() -> str:
        entered.set()
        return "done" if go_on.wait(5) else "never"

    with ThreadPoolExecutor(1) as threads, serving.running(store, extra_handlers=(slow,)) as server:
        answer = threads.submit(httpx.get, f"{server.address}/slow")
        assert entered.wait(5)

        server.stop()
        threading.Timer(0.3, go_on.set).start()  # the stop begins within a tenth of a second

        assert answer.result(5).text == "done"
