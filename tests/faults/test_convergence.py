"""T19 and T20 at full size: every order of each case, and ten thousand histories cut in two."""

import itertools
import math
import random
from collections.abc import Iterable, Iterator
from uuid import UUID

import pytest
from tests.faults.conftest import Query
from tests.store import cases, reference
from tests.store.test_merge_rule import KINDS

from flower_store.events import TaskEvent
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

pytestmark = pytest.mark.faults

ORDERS = 720
"""Of a case: all of six events, as many of a longer one, drawn by lot."""
HISTORIES = 10_000
TASKS_AT_ONCE = 2_000


@pytest.fixture
def writer(database_url: str) -> Iterator[Writer]:
    writer = Writer(StoreSettings(database_url=database_url), cluster="default")
    yield writer
    writer.close()


@pytest.mark.parametrize("name", cases.CASES)
def test_every_order_of_a_case_with_repetitions_ends_in_one_state(
    name: str, writer: Writer, query: Query, chance: random.Random
) -> None:
    expected, steps = cases.CASES[name]
    orders = [_repeated(order, chance) for order in _orders(steps, chance)]
    histories = [[step.event(task_id(number)) for step in order] for number, order in enumerate(orders)]

    for batch in itertools.zip_longest(*histories):
        writer.write([event for event in batch if event is not None])

    rows = query("SELECT to_jsonb(task) - 'key' - 'id', count(*) FROM task GROUP BY 1")
    assert [(row["state"], count) for row, count in rows] == [(expected, len(orders))]


def test_a_history_cut_in_two_and_folded_apart_gives_the_row_of_the_whole(
    writer: Writer, query: Query, chance: random.Random
) -> None:
    for first in range(0, HISTORIES, TASKS_AT_ONCE):
        histories = {number: _history(chance) for number in range(first, first + TASKS_AT_ONCE)}
        cut = {number: _halves(steps, chance) for number, steps in histories.items()}
        writer.write(_events(histories.items(), HISTORIES))
        for half in (0, 1):
            writer.write(_events(((number, halves[half]) for number, halves in cut.items()), 0))

    rows: dict[UUID, dict[str, object]] = dict(query("SELECT key, to_jsonb(task) - 'key' - 'id' FROM task"))
    differing = [
        number for number in range(HISTORIES) if rows[UUID(task_id(number))] != rows[UUID(task_id(number + HISTORIES))]
    ]
    assert len(rows) == 2 * HISTORIES
    assert differing == []


def test_the_reference_agrees_on_each_cut_history(writer: Writer, query: Query, chance: random.Random) -> None:
    histories = {number: _history(chance) for number in range(TASKS_AT_ONCE)}
    for half in (0, 1):
        writer.write(_events(((number, _halves(steps, random.Random(number))[half]) for number, steps in
                              histories.items()), 0))  # fmt: skip

    found: dict[UUID, str] = dict(query("SELECT key, state FROM task"))
    expected = {
        UUID(task_id(number)): reference.state([step.event("t") for step in steps])
        for number, steps in histories.items()
    }
    assert found == expected


def task_id(number: int) -> str:
    return str(UUID(int=number | 0x4000 << 64 | 0x8 << 60))


def _orders(steps: list[cases.Step], chance: random.Random) -> Iterable[list[cases.Step]]:
    if math.factorial(len(steps)) <= ORDERS:
        return [list(order) for order in itertools.permutations(steps)]
    return [chance.sample(steps, len(steps)) for _ in range(ORDERS)]


def _repeated(order: list[cases.Step], chance: random.Random) -> list[cases.Step]:
    again = [step for step in order if chance.random() < 0.3]
    for step in again:
        order.insert(chance.randrange(len(order) + 1), step)
    return order


def _history(chance: random.Random) -> list[cases.Step]:
    """Few times and processes, so that equal keys occur."""
    return [
        cases.Step(
            kind=chance.choice(KINDS),
            second=float(chance.randrange(5)),
            worker=chance.choice(("celery@a", "celery@b")),
            pid=chance.randrange(1, 3),
            fields={"retries": chance.randrange(3), "requeue": chance.random() < 0.5, "name": chance.choice("nm")},
        )
        for _ in range(chance.randrange(1, 10))
    ]


def _halves(steps: list[cases.Step], chance: random.Random) -> tuple[list[cases.Step], list[cases.Step]]:
    """Two parts that together are the whole; some events are in both."""
    order = chance.sample(steps, len(steps))
    cut = chance.randrange(len(order) + 1)
    return order[: cut + chance.randrange(2)], order[cut:]


def _events(histories: Iterable[tuple[int, list[cases.Step]]], shift: int) -> list[TaskEvent]:
    return [step.event(task_id(number + shift)) for number, steps in histories for step in steps]
