"""Queues: the last sample of each, over time, and in Flower's words."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from tests.api.test_control import alive, collecting, query

from flower_store import outbox, queue_samples
from flower_store.claims import Ending
from flower_store.factories import NOON, a_heartbeat
from flower_store.queue_samples import QueueSample
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

__all__ = ["alive", "query"]

HERE = "/api/v1/clusters/default"
NOW = datetime.now(UTC)


@pytest.fixture
def rabbit(store: StoreSettings) -> Iterator[Writer]:
    """A cluster whose broker is RabbitMQ."""
    made = Writer(store, cluster="rabbit", transport="amqp", broker="amqp://h//")
    made.connect()
    yield made
    made.close()


def consuming(writer: Writer, hostname: str, *names: str) -> None:
    """A worker that lives and says so."""
    writer.write_replies({hostname: {"active_queues": [{"name": name} for name in names]}}, silence=timedelta(hours=1))


def gone(writer: Writer, hostname: str, *names: str) -> None:
    consuming(writer, hostname, *names)
    with writer.session() as connection:
        connection.execute("UPDATE worker SET alive_until = now() - interval '1 s' WHERE hostname = %s", (hostname,))


def sampled(writer: Writer, name: str, ago: timedelta, **told: Any) -> None:
    """As it was so long ago."""
    queue_samples.write(writer, [QueueSample(name=name, **told)])
    with writer.session() as connection:
        newest = "SELECT max(at) FROM queue_sample s JOIN queue q ON q.id = s.queue_id WHERE q.name = %s"
        statement = f"UPDATE queue_sample SET at = at - %s WHERE at = ({newest})"
        connection.execute(statement.encode(), (ago, name))


def queues(api: httpx.Client, **query: Any) -> dict[str, Any]:
    answer = api.get(f"{HERE}/queues", params=query)
    assert answer.status_code == 200, answer.text
    return {queue["name"]: queue for queue in answer.json()["queues"]}


def test_each_queue_is_told_by_its_last_sample(api: httpx.Client, writer: Writer) -> None:
    consuming(writer, "celery@b", "work")
    consuming(writer, "celery@a", "work", "mail")
    gone(writer, "celery@gone", "work")
    sampled(writer, "work", timedelta(minutes=1), ready=9)
    oldest = datetime.now(UTC) - timedelta(seconds=90)
    queue_samples.write(writer, [QueueSample(name="work", messages=5, ready=3, unacked=2, oldest_at=oldest)])

    work = queues(api)["work"]

    assert (work["messages"], work["ready"], work["unacked"], work["consumers"]) == (5, 3, 2, None)
    assert work["workers"] == ["celery@a", "celery@b"]
    assert work["oldest_age"] == pytest.approx(90, abs=20)
    assert datetime.fromisoformat(work["at"]) > NOW - timedelta(seconds=1)
    assert work["abandoned"] is False
    assert api.get(f"{HERE}/queues/work").json() == work


@pytest.mark.parametrize(
    ("told", "consumed", "abandoned"),
    [
        ({"ready": 1}, False, True),
        ({"ready": 1}, True, False),
        ({"ready": 0}, False, False),
        ({"ready": 1, "consumers": 0}, True, True),
        ({"ready": 1, "consumers": 1}, False, False),
        ({"messages": 1, "consumers": 0}, False, True),
        ({"messages": 2, "ready": 0, "unacked": 2, "consumers": 0}, False, False),
        ({}, False, None),
    ],
    ids=str,
)
def test_messages_that_wait_while_nobody_consumes_are_said(
    *, api: httpx.Client, writer: Writer, told: dict[str, Any], consumed: bool, abandoned: bool | None
) -> None:
    if consumed:
        consuming(writer, "celery@a", "q")
    queue_samples.write(writer, [QueueSample(name="q", **told)])

    assert queues(api)["q"]["abandoned"] is abandoned


def test_an_old_sample_is_shown_with_its_time_and_judges_nothing(api: httpx.Client, writer: Writer) -> None:
    sampled(writer, "old", timedelta(hours=2), ready=1)
    sampled(writer, "ancient", timedelta(days=2), ready=1)

    answer = api.get(f"{HERE}/queues").json()

    old = {queue["name"]: queue for queue in answer["queues"]}
    assert (old["old"]["ready"], old["old"]["abandoned"]) == (1, None)
    assert (old["ancient"]["at"], old["ancient"]["ready"]) == (None, None)
    assert "redis" in answer["sentence"]
    queue_samples.write(writer, [QueueSample(name="new", ready=1)])
    assert api.get(f"{HERE}/queues").json()["sentence"] is None


def test_queues_are_paged_filtered_and_of_their_own_cluster(
    api: httpx.Client, writer: Writer, other_writer: Writer
) -> None:
    names = ["B", "a", "a1", "a2", "ä"]
    queue_samples.write(writer, [QueueSample(name=name, ready=1) for name in names])
    queue_samples.write(other_writer, [QueueSample(name="elsewhere", ready=1)])

    found: list[str] = []
    after: str | None = None
    while True:
        query: dict[str, Any] = {"limit": 2, "fields": "name"} | ({"after": after} if after else {})
        page = api.get(f"{HERE}/queues", params=query)
        found += [queue["name"] for queue in page.json()["queues"]]
        after = page.json()["next"]
        if after is None:
            break

    assert found == names
    assert list(queues(api, name="a*")) == ["a", "a1", "a2"]
    assert list(queues(api, name="a")) == ["a"]
    assert list(queues(api, name="elsewhere")) == []


def test_history_has_the_last_of_each_step_and_its_extremes(
    api: httpx.Client, writer: Writer, database_url: str
) -> None:
    writer.ensure_partitions(NOW)
    queue_samples.write(writer, [QueueSample(name="q", ready=0)])
    begin = NOW.replace(second=0, microsecond=0) - timedelta(minutes=30)
    samples = [(0, 5, 2), (20, 9, 1), (40, 7, 3), (60, None, None), (300, 4, 0)]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM queue_sample")
        for second, ready, consumers in samples:
            at = begin + timedelta(seconds=second)
            connection.execute(
                "INSERT INTO queue_sample (queue_id, at, ready, consumers, oldest_at) "
                "SELECT id, %s, %s, %s, %s FROM queue",
                (at, ready, consumers, None if ready is None else at - timedelta(seconds=ready)),
            )

    asked = {"from": begin.isoformat(), "until": (begin + timedelta(minutes=10)).isoformat()}
    document = api.get(f"{HERE}/queues/q/history", params=asked).json()

    points = document["points"]
    assert (document["step"], len(points)) == (60.0, 10)
    assert [datetime.fromisoformat(point["at"]) for point in points] == [
        begin + timedelta(minutes=number) for number in range(10)
    ]
    first = {key: points[0][key] for key in ("ready", "consumers", "most_waiting", "fewest_consumers", "longest_wait")}
    assert first == {"ready": 7, "consumers": 3, "most_waiting": 9, "fewest_consumers": 1, "longest_wait": 9.0}
    assert [point["ready"] for point in points[1:]] == [None, None, None, None, 4, None, None, None, None]


@pytest.mark.parametrize(("length", "step"), [("-1h", 60), ("-6h", 300), ("-5d", 3600), ("-90d", 86400)])
def test_steps_suit_the_interval(api: httpx.Client, writer: Writer, length: str, step: int) -> None:
    queue_samples.write(writer, [QueueSample(name="q", ready=1)])

    document = api.get(f"{HERE}/queues/q/history", params={"from": length}).json()

    assert document["step"] == step
    assert len(document["points"]) <= 122
    assert document["points"][-1]["ready"] == 1


@pytest.mark.parametrize(
    ("path", "query", "status", "told"),
    [
        ("queues/nobody", {}, 404, "no queue 'nobody' is stored"),
        ("queues/nobody/history", {}, 404, "no queue 'nobody' is stored"),
        ("queues/a%00b", {}, 400, "name: must not hold a NUL character"),
        ("queues/(overflow)", {}, 404, "no queue '(overflow)' is stored"),
        ("queues", {"name": "x" * 1001}, 400, "name: must have at most 1,000 characters"),
        ("queues", {"limit": "0"}, 400, "limit"),
        ("queues", {"after": "x"}, 400, "after"),
        ("queues", {"fields": "nam"}, 400, "did you mean 'name'?"),
        ("queues", {"nmae": "x"}, 400, "nmae"),
        ("queues/q/history", {"from": "whenever"}, 400, "from"),
        ("queues/q/history", {"from": "-9999d"}, 400, "from: must be at most 366 days before until"),
        ("queues/q/history", {"from": "now", "until": "-1h"}, 400, "from: must be earlier than until"),
    ],
)
def test_what_cannot_be_answered_names_the_argument_and_the_rule(
    standing_api: httpx.Client, path: str, query: dict[str, str], status: int, told: str
) -> None:
    answer = standing_api.get(f"{HERE}/{path}", params=query)

    assert answer.status_code == status, answer.text
    assert told in answer.json()["detail"]


# --- what waits ------------------------------------------------------------------------------------------------------

WAITING = dict.fromkeys(("id", "name", "args", "kwargs", "eta", "expires", "retries", "root_id", "parent_id"))


@pytest.mark.usefixtures("alive")
def test_what_waits_is_told_as_a_collector_sees_it(api: httpx.Client, writer: Writer, store: StoreSettings) -> None:
    queue_samples.write(writer, [QueueSample(name="q", ready=2)])
    found = json.dumps([WAITING | {"id": "a", "retries": 1}, WAITING])
    with collecting(store, lambda _: Ending(outcome=outbox.DONE, reply={"shown": 2}, answer=found)) as taken:
        two, all_of_them = (api.get(f"{HERE}/queues/q/messages", params={"limit": limit}) for limit in (2, 3))

    assert two.json() == {"messages": [WAITING | {"id": "a", "retries": 1}, WAITING], "complete": False}
    assert all_of_them.json()["complete"] is True
    assert [(one.kind, one.target, one.arguments["limit"]) for one in taken] == [
        ("peek_queue", {"queue": "q"}, 2), ("peek_queue", {"queue": "q"}, 3),
    ]  # fmt: skip
    assert api.get(f"{HERE}/queues/nobody/messages").status_code == 404
    assert api.get(f"{HERE}/queues/q/messages", params={"limit": 101}).status_code == 400


@pytest.mark.usefixtures("alive")
def test_what_cannot_be_shown_says_why(api: httpx.Client, writer: Writer, store: StoreSettings) -> None:
    queue_samples.write(writer, [QueueSample(name="q", ready=2)])
    refused = Ending(outcome=outbox.FAILED, reply={"cause": "refused", "error": "only Redis shows"})
    with collecting(store, lambda _: refused):
        answer = api.get(f"{HERE}/queues/q/messages")

    assert answer.status_code == 503
    assert "only Redis shows" in answer.json()["detail"]


# --- as Flower answered ----------------------------------------------------------------------------------------------


def test_flowers_address_tells_of_redis_what_flower_told(api: httpx.Client, writer: Writer) -> None:
    consuming(writer, "celery@a", "work")
    gone(writer, "celery@gone", "left")
    samples = [QueueSample(name=name, messages=5, ready=3, unacked=2) for name in ("work", "left", "unconsumed")]
    queue_samples.write(writer, samples)

    assert api.get("/api/queues/length").json() == {
        "active_queues": [{"name": "left", "messages": 3}, {"name": "work", "messages": 3}]
    }


def test_flowers_address_tells_of_rabbitmq_by_the_names_of_its_management_api(
    api: httpx.Client, rabbit: Writer
) -> None:
    consuming(rabbit, "celery@a", "whole", "declared")
    whole = QueueSample(name="whole", messages=5, ready=3, unacked=2, consumers=1)
    queue_samples.write(rabbit, [whole, QueueSample(name="declared", ready=4, consumers=0)])

    told = api.get("/api/queues/length", params={"cluster": "rabbit"}).json()["active_queues"]

    assert told == [
        {"name": "declared", "messages": 4, "messages_ready": 4, "messages_unacknowledged": None, "consumers": 0},
        {"name": "whole", "messages": 5, "messages_ready": 3, "messages_unacknowledged": 2, "consumers": 1},
    ]


def test_before_any_worker_told_of_its_queues_all_are_told(api: httpx.Client, writer: Writer) -> None:
    writer.write([], [a_heartbeat((datetime.now(UTC) - NOON).total_seconds())])
    queue_samples.write(writer, [QueueSample(name="waiting", ready=2)])
    sampled(writer, "deleted", timedelta(hours=1), ready=2)

    assert api.get("/api/queues/length").json() == {"active_queues": [{"name": "waiting", "messages": 2}]}


def test_a_broker_that_flower_could_not_ask_is_refused_in_its_words(api: httpx.Client, store: StoreSettings) -> None:
    writer = Writer(store, cluster="files", transport="filesystem", broker="filesystem://localhost//")
    writer.connect()
    writer.close()

    answer = api.get("/api/queues/length", params={"cluster": "files"})

    assert (answer.status_code, answer.text) == (404, "'filesystem' broker is not supported")


def test_with_nothing_stored_there_are_no_queues(api: httpx.Client) -> None:
    assert api.get("/api/queues/length").json() == {"active_queues": []}
    assert api.get("/api/queues/length", params={"cluster": "nobody"}).status_code == 404
