"""The event stream: a write is heard, a burst is few messages, and nothing is lost."""

import json
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import httpx
import psycopg
import pytest
from tests.api import serving
from tests.api.written import a_run

from flower_api.server import Server
from flower_api.settings import ApiSettings
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

QUIET = 0.5


class Ears:
    """What a stream said, read in a thread of its own."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.events: list[str] = []
        self.versions: list[int] = []
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._read, args=(lines,), name="ears")
        self._thread.start()

    def hear(self, satisfied: Callable[[list[str]], bool], *, within: float = 10) -> list[str]:
        """The events so far, once they satisfy."""
        with self._changed:
            assert self._changed.wait_for(lambda: satisfied(self.events), within), self.events
            return list(self.events)

    def ended(self, *, within: float) -> bool:
        self._thread.join(within)
        return not self._thread.is_alive()

    def _read(self, lines: Iterator[str]) -> None:
        with suppress(httpx.HTTPError):
            for line in lines:
                with self._changed:
                    if line.startswith("event: "):
                        self.events.append(line.removeprefix("event: "))
                    elif line.startswith("data: "):
                        self.versions.append(json.loads(line.removeprefix("data: "))["version"])
                    self._changed.notify_all()


def longer_than(count: int) -> Callable[[list[str]], bool]:
    return lambda events: len(events) > count


@contextmanager
def listening(address: str, cluster: str = "default") -> Generator[Ears]:
    with httpx.stream("GET", f"{address}/events/stream", params={"c": cluster}, timeout=30) as answer:
        assert answer.status_code == 200
        ears = Ears(answer.iter_lines())
        ears.hear(bool)
        yield ears


@pytest.fixture
def server(store: StoreSettings, writer: Writer) -> Iterator[Server]:
    assert writer.cluster_id
    with serving.running(store) as running:
        yield running


def test_the_stream_speaks_at_once_and_must_not_be_kept(server: Server) -> None:
    with httpx.stream("GET", f"{server.address}/events/stream", headers={"Accept-Encoding": "gzip"}) as answer:
        first = next(answer.iter_raw())

        assert first.startswith(b'event: changed\ndata: {"version": ')
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"
        assert "content-encoding" not in answer.headers


def test_a_write_is_heard(server: Server, writer: Writer) -> None:
    with listening(server.address) as ears:
        writer.write(a_run("t", "n"))

        assert ears.hear(lambda events: len(events) == 2, within=5) == ["changed", "changed"]
        assert ears.versions[0] < ears.versions[-1]


def test_every_open_page_hears_it(server: Server, writer: Writer) -> None:
    with listening(server.address) as one, listening(server.address) as two:
        writer.write(a_run("t", "n"))

        for ears in (one, two):
            ears.hear(lambda events: len(events) == 2, within=5)


def test_another_cluster_is_not_heard(server: Server, writer: Writer, other_writer: Writer) -> None:
    with listening(server.address) as ears, listening(server.address, "other") as others:
        for number in range(2):
            other_writer.write(a_run(f"t{number}", "n"))
            others.hear(longer_than(number + 1), within=5)

        assert ears.events == ["changed"]
        writer.write(a_run("t", "n"))
        ears.hear(lambda events: len(events) == 2, within=5)


def test_a_burst_is_a_few_messages_and_its_end_is_told(server: Server, writer: Writer) -> None:
    with listening(server.address) as ears:
        began = time.monotonic()
        for number in range(50):
            writer.write(a_run(f"t{number}", "n"))
        with listening(server.address) as later:  # its version is of the last write, or newer
            last = later.versions[0]
        took = time.monotonic() - began
        time.sleep(2 * QUIET)  # silence is what is looked for: nothing signals it

        assert len(ears.events) <= 2 + (took + 2 * QUIET) / QUIET
        assert len(ears.events) >= 2
        assert ears.versions[-1] <= last


def test_a_change_in_the_quiet_time_is_told_at_its_end(store: StoreSettings, writer: Writer) -> None:
    settings = ApiSettings(port=0, live_interval=timedelta(seconds=1.5))
    with serving.running(store, settings) as server, listening(server.address) as ears:
        writer.write(a_run("t", "n"))
        ears.hear(lambda events: len(events) == 2, within=5)
        writer.write(a_run("u", "n"))
        began = time.monotonic()

        ears.hear(lambda events: len(events) == 3, within=5)

        assert time.monotonic() - began > 1


def test_pages_are_told_to_read_again_after_an_outage(server: Server, writer: Writer, database_url: str) -> None:
    with listening(server.address) as ears:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%LISTEN%' "
                "AND datname = current_database() AND pid <> pg_backend_pid()"
            )

        ears.hear(lambda events: events[-2:] == ["resync", "changed"], within=10)
        writer.write(a_run("t", "n"))

        ears.hear(lambda events: len(events) == 4, within=5)


def test_a_stop_ends_open_streams_promptly(store: StoreSettings, writer: Writer) -> None:
    assert writer.cluster_id
    with serving.running(store) as server, listening(server.address) as one, listening(server.address) as two:
        server.stop()

        assert one.ended(within=3)
        assert two.ended(within=3)


def test_streams_are_bounded_and_one_that_went_frees_its_place(store: StoreSettings, writer: Writer) -> None:
    assert writer.cluster_id
    with serving.running(store, ApiSettings(port=0, live_streams=1)) as server:
        with httpx.stream("GET", f"{server.address}/events/stream"):
            refused = httpx.get(f"{server.address}/events/stream")
        deadline = time.monotonic() + 5
        while (code := _opened(server)) == 503 and time.monotonic() < deadline:
            time.sleep(0.02)

    assert refused.status_code == 503
    assert code == 200


def _opened(server: Server) -> int:
    with httpx.stream("GET", f"{server.address}/events/stream") as answer:
        return answer.status_code


@pytest.mark.parametrize("cluster", ["nobody", "a\0b", "", "x" * 5000])
def test_an_unknown_cluster_is_not_found(server: Server, cluster: str) -> None:
    answer = httpx.get(f"{server.address}/events/stream", params={"c": cluster})

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_slip_in_an_argument_is_told(server: Server) -> None:
    answer = httpx.get(f"{server.address}/events/stream", params={"cc": "default"})

    assert answer.status_code == 400
    assert answer.json()["detail"] == "unknown argument 'cc', did you mean 'c'?"


def test_a_head_request_does_not_stay_open(server: Server) -> None:
    answer = httpx.head(f"{server.address}/events/stream", timeout=5)

    assert (answer.status_code, answer.content) == (200, b"")
