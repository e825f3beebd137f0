"""Which queues are worth a question, and what is kept of the answers."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.store.conftest import Query

from flower_store import dimensions, queue_samples
from flower_store.factories import NOON, a_success, an_event
from flower_store.queue_samples import QueueSample
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

STORED = (
    "SELECT q.name, s.messages, s.ready, s.unacked, s.consumers, s.oldest_at FROM queue_sample s "
    "JOIN queue q ON q.id = s.queue_id ORDER BY q.name, s.at"
)


def told(writer: Writer, hostname: str, *queues: str) -> None:
    active: list[object] = [{"name": name} for name in queues]
    writer.write_replies({hostname: {"active_queues": active}}, silence=timedelta(minutes=1))


def test_what_the_broker_said_is_kept_and_null_where_it_did_not_say(writer: Writer, query: Query) -> None:
    then = datetime(2026, 11, 1, tzinfo=UTC)
    whole = QueueSample(name="a", messages=5, ready=3, unacked=2, consumers=1, oldest_at=then)

    written = queue_samples.write(writer, [whole, QueueSample(name="b", ready=7)])

    assert written == 2
    assert query(STORED) == [("a", 5, 3, 2, 1, then), ("b", None, 7, None, None, None)]
    assert query("SELECT bool_and(at BETWEEN now() - interval '1 minute' AND now()) FROM queue_sample") == [(True,)]


def test_the_oldest_task_is_as_old_as_its_sending(writer: Writer, query: Query) -> None:
    writer.ensure_partitions(NOON)
    writer.write([an_event("sent", 5, task_id="t", name="n", queue="a"), *a_success("no uuid", 9)])

    samples = [
        QueueSample(name="a", ready=1, oldest_task="t"),
        QueueSample(name="b", ready=1, oldest_task="no uuid"),
        QueueSample(name="c", ready=1, oldest_task="of which nothing is known"),
    ]
    queue_samples.write(writer, samples)

    times = [row[5] for row in query(STORED)]
    assert times == [NOON + timedelta(seconds=5), NOON + timedelta(seconds=9), None]


def test_what_workers_consume_tasks_were_sent_to_and_was_not_empty_is_worth_asking(
    writer: Writer, settings: StoreSettings
) -> None:
    other = Writer(settings, cluster="other")
    told(other, "celery@elsewhere", "elsewhere")
    other.close()
    writer.ensure_partitions(NOON)

    told(writer, "celery@one", "consumed", "both")
    writer.write([an_event("sent", task_id="t", name="n", queue="sent"), an_event("sent", task_id="u", queue="both")])
    samples = [QueueSample(name="full", ready=1), QueueSample(name="empty", ready=0), QueueSample(name="m", messages=2)]
    queue_samples.write(writer, samples)

    assert queue_samples.worth_asking(writer) == ["both", "consumed", "full", "m", "sent"]


@pytest.mark.parametrize("reply", ["text", {"name": "object"}, [1, None, "a", {"no": "name"}, {"name": None}]])
def test_a_reply_of_another_shape_is_no_queue(writer: Writer, reply: object) -> None:
    writer.write_replies({"celery@odd": {"active_queues": reply}}, silence=timedelta(minutes=1))

    assert queue_samples.worth_asking(writer) == []


def test_of_several_samples_the_last_one_says_whether_a_queue_is_empty(writer: Writer) -> None:
    queue_samples.write(writer, [QueueSample(name="q", ready=3)])
    queue_samples.write(writer, [QueueSample(name="q", ready=0)])

    assert queue_samples.worth_asking(writer) == []


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", "x" * 256, "line\nline"])
def test_a_name_that_cannot_be_kept_spoils_no_other(writer: Writer, query: Query, name: str) -> None:
    assert queue_samples.write(writer, [QueueSample(name=name, ready=1), QueueSample(name="whole", ready=1)]) == 1
    assert query("SELECT name FROM queue") == [("whole",)]


def test_queues_past_the_bound_have_no_samples(settings: StoreSettings, query: Query) -> None:
    writer = Writer(settings, cluster="default", bounds=dimensions.Bounds(queues=2))

    written = queue_samples.write(writer, [QueueSample(name=name, ready=1) for name in ("a", "b", "c")])

    assert written == 2
    assert query("SELECT DISTINCT q.name FROM queue_sample s JOIN queue q ON q.id = s.queue_id ORDER BY 1") == [
        ("a",),
        ("b",),
    ]
    assert queue_samples.worth_asking(writer) == ["a", "b"]
    writer.close()
