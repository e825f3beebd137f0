"""What the API reads: whole, distinct, in order, and bounded."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import TypeVar
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.store.conftest import Query

from flower_store import cursors, errors, factories, losses, notices
from flower_store.factories import NOON, a_success, an_event
from flower_store.reader import Reader
from flower_store.reads import clusters, gaps, routes, series, task_counts, tasks, workers
from flower_store.reads.task_query import TaskQuery
from flower_store.records import Count
from flower_store.settings import StoreSettings
from flower_store.writes import Instance, Writer

T = TypeVar("T")
SECOND = timedelta(seconds=1)
Read = Callable[[Callable[[AsyncConnection], Awaitable[T]]], T]
IDS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(1, 41)]


@asynccontextmanager
async def connected(settings: StoreSettings) -> AsyncGenerator[AsyncConnection]:
    reader = Reader(settings)
    try:
        async with reader.connect() as connection:
            yield connection
    finally:
        await reader.close()


def read(settings: StoreSettings, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    async def run() -> T:
        async with connected(settings) as connection:
            return await work(connection)

    return asyncio.run(run())


def test_connections_that_were_cut_off_between_two_reads_are_replaced(settings: StoreSettings, query: Query) -> None:
    async def run() -> list[object]:
        reader = Reader(settings)
        found = []
        try:
            async with reader.connect() as one, reader.connect() as other:
                found += [await connection.scalar(text("SELECT 1")) for connection in (one, other)]
            query(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            for _ in range(3):
                async with reader.connect() as connection:
                    found.append(await connection.scalar(text("SELECT current_setting('statement_timeout')")))
        finally:
            await reader.close()
        return found

    assert asyncio.run(run()) == [1, 1, "5s", "5s", "5s"]


def test_pages_are_distinct_complete_and_newest_first_while_tasks_arrive(
    writer: Writer, settings: StoreSettings
) -> None:
    writer.write([event for second, task_id in enumerate(IDS[:30]) for event in a_success(task_id, second // 3)])

    async def walk(connection: AsyncConnection) -> list[str]:
        seen: list[str] = []
        after: cursors.Cursor | None = None
        for arriving in IDS[30:]:
            query = TaskQuery(cluster_id=writer.cluster_id, limit=4, after=after)
            page = await tasks.page(connection, query)
            seen += [task.id for task in page.items]
            if page.next is None:
                return seen
            after = cursors.parse(page.next)
            writer.write(a_success(arriving, 500))
        return seen

    seen = read(settings, walk)

    assert sorted(seen) == IDS[:30]
    assert seen == sorted(seen, key=lambda task_id: (IDS.index(task_id) // 3, task_id), reverse=True)


def test_a_list_is_filtered_by_state_name_prefix_worker_and_queue(writer: Writer, settings: StoreSettings) -> None:
    writer.write(a_success(IDS[0], name="app.mail.send") + a_success(IDS[1], name="app.mail") + a_success(IDS[2]))
    writer.write([an_event("received", task_id=IDS[3], worker="celery@b", name="app.mail.send")])

    def found(**filters: object) -> set[int]:
        query = TaskQuery(cluster_id=writer.cluster_id, **filters)  # type: ignore[arg-type]
        page = read(settings, lambda connection: tasks.page(connection, query))
        return {IDS.index(task.id) for task in page.items}

    assert found(states=("RECEIVED",)) == {3}
    assert found(states=("RECEIVED", "SUCCESS"), name="app.mail.send") == {0, 3}
    assert found(name="app.mail*") == {0, 1, 3}
    assert found(name="app.%*") == set()
    assert found(worker="celery@b") == {3}
    assert found(queue="celery") == {0, 1, 2}
    assert found(received_from=NOON + timedelta(seconds=1)) == {0, 1, 2}


@pytest.mark.parametrize("sort", ["seen", "name", "state", "received", "started"])
def test_whole_tasks_come_in_any_order_and_with_an_offset(writer: Writer, settings: StoreSettings, sort: str) -> None:
    writer.write([event for second, task_id in enumerate(IDS[:6]) for event in a_success(task_id, second)])
    up = TaskQuery(cluster_id=writer.cluster_id, sort=sort, descending=False, limit=None)
    part = TaskQuery(cluster_id=writer.cluster_id, sort=sort, descending=False, limit=2, offset=3)

    whole = [task.id for task in read(settings, lambda connection: tasks.details(connection, up))]
    some = [task.id for task in read(settings, lambda connection: tasks.details(connection, part))]

    assert whole == IDS[:6]
    assert some == whole[3:5]


def test_one_task_knows_its_children_its_times_and_its_events(writer: Writer, settings: StoreSettings) -> None:
    child = an_event("received", 9, task_id="child 1", name="app.child", parent_id=IDS[0], root_id=IDS[0])
    writer.write([*a_success(IDS[0]), child])

    task = read(settings, lambda connection: tasks.one(connection, writer.cluster_id, IDS[0]))
    events = read(settings, lambda connection: tasks.events(connection, writer.cluster_id, IDS[0]))
    of_child = read(settings, lambda connection: tasks.one(connection, writer.cluster_id, "child 1"))

    assert task is not None
    assert (task.state, task.worker, task.queue, task.client) == ("SUCCESS", "celery@a", "celery", "gen1@client")
    assert (task.children, task.ended_at) == (["child 1"], NOON + timedelta(seconds=3))
    assert [event.type for event in events] == ["task-sent", "task-received", "task-started", "task-succeeded"]
    assert of_child is not None
    assert (of_child.id, of_child.parent_id) == ("child 1", IDS[0])


def test_an_unknown_task_is_none(writer: Writer, settings: StoreSettings) -> None:
    writer.connect()

    assert read(settings, lambda connection: tasks.one(connection, writer.cluster_id, "no such\0id")) is None


def test_counts_are_exact_below_the_bound_and_say_so_above(
    writer: Writer, settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_counts, "COUNTED", 3)
    writer.write([event for task_id in IDS[:5] for event in a_success(task_id)])
    writer.write([an_event("failed", task_id=task_id) for task_id in IDS[5:8]])
    query = TaskQuery(cluster_id=writer.cluster_id)

    counts = read(settings, lambda connection: task_counts.state_counts(connection, query))

    assert counts["SUCCESS"] == Count(3, exact=False)
    assert counts["FAILURE"] == Count(3, exact=True)
    assert counts["RETRY"] == Count(0, exact=True)


def test_the_last_failures_are_in_the_order_of_failing(writer: Writer, settings: StoreSettings) -> None:
    writer.write([an_event("received", 0, task_id=IDS[0], name="app.slow"), an_event("failed", 9, task_id=IDS[0])])
    writer.write([an_event("failed", second, task_id=IDS[second]) for second in range(1, 6)])

    found = read(settings, lambda connection: tasks.failures(connection, writer.cluster_id, limit=3))

    assert [IDS.index(task.id) for task in found] == [0, 5, 4]


def test_newer_counts_what_stands_before_a_row(writer: Writer, settings: StoreSettings) -> None:
    writer.write([event for second, task_id in enumerate(IDS[:6]) for event in a_success(task_id, second)])
    query = TaskQuery(cluster_id=writer.cluster_id)
    page = read(settings, lambda connection: tasks.page(connection, query))
    fourth = cursors.Cursor(page.items[3].seen_at, page.items[3].key)

    count = read(settings, lambda connection: task_counts.newer(connection, query, fourth))

    assert count == Count(3, exact=True)


def test_series_and_figures_come_from_the_rollups(writer: Writer, settings: StoreSettings) -> None:
    writer.write(a_success(IDS[0], runtime=2.0) + a_success(IDS[1], 300, runtime=4.0))
    span = (writer.cluster_id, NOON, NOON + timedelta(hours=1))

    buckets = read(settings, lambda c: series.throughput(c, *span, step=timedelta(minutes=5)))
    figures = read(settings, lambda c: series.figures(c, *span))
    run = read(settings, lambda c: series.runtime(c, *span))
    wait = read(settings, lambda c: series.wait(c, *span))

    ends = [(bucket.at - NOON, bucket.count) for bucket in buckets if bucket.type == "task-succeeded"]
    assert ends == [(timedelta(0), 1), (timedelta(minutes=5), 1)]
    assert (figures.counts["task-succeeded"], figures.runtime_count, figures.runtime_sum) == (2, 2, 6.0)
    assert (run.p50, run.measured, wait.p50, wait.measured) == (3.0, 2, 2.0, 2)


def test_a_worker_tells_its_load_its_answers_and_what_it_did(writer: Writer, settings: StoreSettings) -> None:
    writer.write(a_success(IDS[0]), [factories.a_heartbeat(1)])
    writer.write_replies({"celery@a": {"stats": {"pid": 1}, "conf": {}}}, silence=timedelta(seconds=5))

    found = read(settings, lambda connection: workers.workers(connection, writer.cluster_id))
    counts = read(settings, lambda connection: workers.counts(connection, writer.cluster_id))

    assert [(worker.hostname, worker.online, worker.loadavg) for worker in found] == [
        ("celery@a", True, [0.5, 0.25, 0.125])
    ]
    assert found[0].replies == {"stats": {"pid": 1}, "conf": {}}
    assert counts == {"celery@a": {"task-received": 1, "task-started": 1, "task-succeeded": 1}}


def test_a_collector_is_alive_while_it_beats(writer: Writer, settings: StoreSettings) -> None:
    instance = Instance(
        id=factories.uuid_of("collector"), hostname="host", pid=1, version="3", promise="nothing is lost"
    )
    writer.beat(instance, stored=7, aside=1, lag=timedelta(seconds=0.5), broker_away_at=NOON)
    beating = read(settings, lambda connection: clusters.collectors(connection, writer.cluster_id))

    writer.stopped(instance)
    stopped = read(settings, lambda connection: clusters.collectors(connection, writer.cluster_id))

    assert [(one.alive, one.stored, one.lag) for one in beating] == [(True, 7, timedelta(seconds=0.5))]
    assert [one.broker_away_at for one in beating] == [NOON]
    assert [one.alive for one in stopped] == [False]
    assert writer.last_beat() == stopped[0].beat_at


def test_gaps_are_remembered(writer: Writer, settings: StoreSettings) -> None:
    writer.record_gap(NOON, NOON + timedelta(seconds=4), reason=losses.COLLECTOR_AWAY)
    writer.record_gap(NOON, NOON + timedelta(seconds=5), reason=losses.QUEUE_OVERFLOW, count=7)

    found = read(settings, lambda connection: gaps.gaps(connection, writer.cluster_id)).items

    assert [(gap.reason, gap.ended_at - gap.started_at, gap.count) for gap in found] == [
        ("queue_overflow", timedelta(seconds=5), 7),
        ("collector_away", timedelta(seconds=4), None),
    ]


def test_one_loss_that_is_found_again_is_one_gap_that_may_have_grown(writer: Writer, settings: StoreSettings) -> None:
    one, other = uuid4(), uuid4()
    found = [
        writer.record_gap(NOON, NOON + seconds * SECOND, reason=losses.QUEUE_OVERFLOW, count=count, identity=identity)
        for identity, seconds, count in [(one, 4, 7), (one, 4, 7), (one, 9, 12), (one, 2, 3), (other, 4, 7)]
    ]

    kept = read(settings, lambda connection: gaps.gaps(connection, writer.cluster_id)).items

    assert found == [True, False, False, False, True]
    assert [(gap.ended_at, gap.count) for gap in kept] == [(NOON + 9 * SECOND, 12), (NOON + 4 * SECOND, 7)]


@pytest.mark.parametrize("minutes", [0, 3])
def test_a_gap_that_may_have_begun_earlier_begins_with_the_last_event_from_before(
    *, writer: Writer, settings: StoreSettings, minutes: int
) -> None:
    first = NOON + timedelta(minutes=minutes, seconds=30)
    writer.write([an_event("sent", 7), an_event("received", 12, task_id="other")])
    writer.write([an_event("sent", 60 * minutes + 40, task_id="later")])

    writer.record_gap(first, first + SECOND, reason=losses.QUEUE_OVERFLOW, count=7, at_least=True, since_stored=True)

    (gap,) = read(settings, lambda connection: gaps.gaps(connection, writer.cluster_id)).items
    assert (gap.started_at, gap.at_least) == (NOON + 12 * SECOND, True)
    assert gap.cost == "at least 7 events lost."


def test_every_reason_of_a_gap_has_a_sentence() -> None:
    reasons = {value for name, value in vars(losses).items() if name.isupper() and isinstance(value, str)}

    assert set(losses.SENTENCES) == reasons
    assert losses.sentence("of_a_newer_build") == "Of a newer build."


def test_a_commit_is_heard(writer: Writer, settings: StoreSettings) -> None:
    async def hear() -> list[int]:
        heard: list[int] = []
        async with aclosing(notices.listen(settings)) as notes:
            async for cluster_id in notes:
                heard.append(cluster_id)
                if len(heard) == 2:
                    break
                await asyncio.to_thread(writer.write, a_success(IDS[0]))
        return heard

    assert asyncio.run(asyncio.wait_for(hear(), timeout=20)) == [0, writer.cluster_id]


def test_a_read_that_takes_too_long_is_a_timeout(database_url: str) -> None:
    settings = StoreSettings(database_url=database_url, database_read_timeout=timedelta(milliseconds=50))

    with pytest.raises(errors.StatementTimeout):
        read(settings, lambda connection: connection.exec_driver_sql("SELECT pg_sleep(10)"))


@pytest.mark.parametrize("token", ["", "x", "é", "AAAA", "A" * 33, "/w==" * 8])
def test_a_word_that_is_no_cursor_is_refused(token: str) -> None:
    with pytest.raises(cursors.BadCursor):
        cursors.parse(token)


def test_the_way_of_a_name_is_that_of_its_newest_task_sent_or_its_workers_only_queue(
    settings: StoreSettings, writer: Writer, query: Query
) -> None:
    def last(name: str) -> routes.Route | None:
        return read(settings, lambda connection: routes.last(connection, writer.cluster_id, name))

    writer.write(
        [
            an_event("sent", 1, task_id=IDS[0], name="app.told", queue="old", exchange="", routing_key="old"),
            an_event("sent", 2, task_id=IDS[1], name="app.told", queue="mail", exchange="", routing_key="true"),
            an_event("received", 3, task_id=IDS[2], name="app.told"),
            an_event("sent", 4, task_id=IDS[3], name="app.topic", queue="q", exchange="letters", routing_key="a.b"),
            an_event("received", 5, task_id=IDS[4], name="app.mute", worker="celery@one"),
        ],
        [],
    )

    def consumed(*queues: str) -> None:
        reply = json.dumps([{"name": name} for name in queues])
        query("DELETE FROM worker_reply RETURNING method")
        query(
            "INSERT INTO worker_reply (worker_id, method, reply, replied_at) "
            f"SELECT id, 'active_queues', '{reply}', now() FROM worker WHERE hostname = 'celery@one' RETURNING method"
        )

    assert last("app.told") == routes.Route("true")
    assert last("app.topic") == routes.Route("q", "letters", "a.b")
    assert last("app.nobody") is None
    assert last("app.mute") is None
    consumed("only")
    assert last("app.mute") == routes.Route("only")
    consumed("one", "two")
    assert last("app.mute") is None
    consumed()
    assert last("app.mute") is None
