"""The log gives every event back as it came, though it keeps but once what a received event repeats of the sent one."""

import asyncio
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.store.conftest import Query

from flower_store import moments, retention
from flower_store.events import TaskEvent
from flower_store.factories import NOON, an_event
from flower_store.lifetimes import RetentionSettings
from flower_store.reader import Reader
from flower_store.reads import tasks
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

TASK = "00000000-0000-4000-8000-000000000001"
MIDNIGHT = 12 * 3600
REFERENCES = "SELECT count(*)::int FROM task_event WHERE type = 2 AND fields ~ '^-?[0-9]+$'"
_numbers = count(1)

Told = tuple[str, int, bytes]


@pytest.fixture
def other(settings: StoreSettings) -> Iterator[Writer]:
    """Another collector's."""
    writer = Writer(settings, cluster="default")
    yield writer
    writer.close()


def sent(second: float = 0, *, task_id: str = TASK, **changed: Any) -> TaskEvent:
    """With Celery's own fields."""
    more: dict[str, Any] = {"queue": "celery", "exchange": "", "routing_key": "celery"}
    return an_event("sent", second, task_id=task_id, worker="gen1@client", **_fields(task_id) | more | changed)


def received(second: float = 1, *, task_id: str = TASK, **changed: Any) -> TaskEvent:
    """With Celery's own fields."""
    return an_event("received", second, task_id=task_id, **_fields(task_id) | changed)


def _fields(task_id: str) -> dict[str, Any]:
    return {
        "name": "app.add", "args": "(1, 2)", "kwargs": "{'a': 1}", "root_id": task_id, "parent_id": None, "retries": 0,
        "eta": None, "expires": None,
    }  # fmt: skip


def told(kind: str, micros: int, fields: object) -> Told:
    """Types and signs of numbers are told apart."""
    return kind, micros, msgspec.json.encode(fields, order="sorted")


def came(events: Sequence[TaskEvent]) -> list[Told]:
    """Each once."""
    each = {(event.micros, event.digest): event for event in events}.values()
    return sorted(told(event.type, event.micros, event.fields) for event in each)


def kept(settings: StoreSettings, writer: Writer, task_id: str = TASK) -> list[Told]:
    async def run() -> list[Told]:
        reader = Reader(settings)
        try:
            async with reader.connect() as connection:
                found = await tasks.events(connection, writer.cluster_id, task_id)
        finally:
            await reader.close()
        return sorted(told(one.type, moments.micros(one.at), one.fields) for one in found)

    return asyncio.run(run())


hostile = st.sampled_from(["(1, 2)", "1000000", 1000000, -1, 0, 0.0, -0.0, True, False, None, [1], [True], {"a": 1}])
changes = st.dictionaries(
    st.sampled_from(["args", "kwargs", "retries", "eta", "root_id", "parent_id", "name", "more"]), hostile, max_size=2
)
seconds = st.sampled_from([0, 0.5, 1, 1.000001, MIDNIGHT - 0.5, MIDNIGHT, MIDNIGHT + 1])
drafts = st.lists(st.tuples(st.sampled_from([sent, received]), seconds, changes | st.just({})), min_size=1, max_size=8)


@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(drafts=drafts, chance=st.randoms(use_true_random=False))
def test_whatever_the_events_their_order_batches_and_repetition_they_come_back(
    drafts: list[tuple[Callable[..., TaskEvent], float, dict[str, object]]],
    chance: random.Random,
    writer: Writer,
    other: Writer,
    settings: StoreSettings,
) -> None:
    task_id = f"00000000-0000-4000-8000-{next(_numbers):012d}"
    events = [make(second, task_id=task_id, **changed) for make, second, changed in drafts]
    writer.ensure_partitions(NOON)
    mixed = [*events, *chance.sample(events, chance.randrange(len(events)))]
    chance.shuffle(mixed)

    while mixed:
        size = chance.randrange(len(mixed)) + 1
        chance.choice((writer, other)).write(mixed[:size])
        del mixed[:size]

    assert kept(settings, writer, task_id) == came(events)


@pytest.mark.parametrize("sizes", [(4,), (1, 3), (2, 2)])
def test_what_is_repeated_is_kept_once(
    sizes: tuple[int, ...], writer: Writer, settings: StoreSettings, query: Query
) -> None:
    events = [sent(), received(), sent(5, retries=1), received(6, retries=1)]
    left = events.copy()

    for size in sizes:
        writer.write(left[:size])
        del left[:size]

    assert query(REFERENCES) == [(2,)]
    assert query("SELECT fields FROM task_event WHERE type = 2 ORDER BY at") == [("1000000",), ("1000000",)]
    assert kept(settings, writer) == came(events)


def test_a_received_event_may_lie_before_the_sent_one(writer: Writer, settings: StoreSettings, query: Query) -> None:
    events = [received(-0.25), sent()]

    writer.write(events)

    assert query("SELECT fields FROM task_event WHERE type = 2") == [("-250000",)]
    assert kept(settings, writer) == came(events)


def test_another_sent_event_at_the_same_moment_is_not_the_one_that_is_meant(
    writer: Writer, settings: StoreSettings, query: Query
) -> None:
    events = [sent(), received(), sent(args="(3, 4)"), received(args="(3, 4)")]

    for batch in (events[:2], events[2:3], events[3:]):
        writer.write(batch)

    assert query(REFERENCES) == [(1,)]
    assert kept(settings, writer) == came(events)


def test_nothing_is_repeated_over_midnight_and_a_day_that_goes_takes_no_arguments_along(
    writer: Writer, settings: StoreSettings, query: Query
) -> None:
    writer.ensure_partitions(NOON)
    writer.write([sent(MIDNIGHT - 1), received(MIDNIGHT + 1)])
    events = query(REFERENCES)

    _sweep(writer, days=2.6)

    assert events == [(0,)]
    assert kept(settings, writer) == came([received(MIDNIGHT + 1)])


def test_in_no_day_s_partition_what_is_repeated_goes_last(
    writer: Writer, settings: StoreSettings, query: Query
) -> None:
    events = [
        msgspec.structs.replace(event, received=moments.micros(NOON + after))
        for event, after in ((sent(86_400 * 100), timedelta()), (received(86_400 * 100 + 1), timedelta(days=1)))
    ]
    writer.write(events)

    _sweep(writer, days=2.5)  # the sent one is old enough
    left = kept(settings, writer)
    _sweep(writer, days=3.5)
    received_gone = query("SELECT count(*)::int FROM task_event WHERE type = 2")
    _sweep(writer, days=3.5)

    assert left == came(events)
    assert received_gone == [(0,)]
    assert query("SELECT count(*)::int FROM task_event") == [(0,)]


def test_of_one_whose_sent_one_is_gone_the_name_is_left(writer: Writer, settings: StoreSettings, query: Query) -> None:
    writer.write([sent(0), event := received(1)])

    query("DELETE FROM task_event WHERE type = 1 RETURNING 1")

    assert kept(settings, writer) == [told("task-received", event.micros, {"name": "app.add"})]


def _sweep(writer: Writer, *, days: float) -> None:
    settings = RetentionSettings(retention_events=timedelta(days=2))
    for _ in retention.steps(writer, settings, NOON + timedelta(days=days), threading.Event()):
        pass
