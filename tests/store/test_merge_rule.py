"""The merge rule: any order, repetition and split of a history gives the same row, and the state of the table."""

import itertools
import random
from collections.abc import Iterator, Sequence
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.store import cases, reference
from tests.store.conftest import Query

from flower_store.writes import Writer

SAMPLED = 120
"""Orders tried of a case with more than five events; a shorter one is tried in every order."""


def task_id(number: int) -> str:
    return str(UUID(int=number | 0x4000 << 64 | 0x8 << 60))


def orders(steps: Sequence[cases.Step]) -> list[list[cases.Step]]:
    """Orders of a history, in each of which some events come twice."""
    chance = random.Random(len(steps))
    if len(steps) <= 5:
        found = [list(order) for order in itertools.permutations(steps)]
    else:
        found = [chance.sample(steps, len(steps)) for _ in range(SAMPLED)]
    for order in found:
        for step in steps:
            if chance.random() < 0.3:
                order.insert(chance.randrange(len(order) + 1), step)
    return found


@pytest.mark.parametrize("name", cases.CASES)
def test_the_reference_ends_each_case_in_its_state(name: str) -> None:
    expected, steps = cases.CASES[name]

    state = reference.state([step.event("t") for step in steps])

    assert state == expected


def test_each_case_ends_in_its_state_in_any_order_one_event_a_batch(writer: Writer, query: Query) -> None:
    tried = [(name, state, order) for name, (state, story) in cases.CASES.items() for order in orders(story)]
    histories = [[step.event(task_id(number)) for step in order] for number, (_, _, order) in enumerate(tried)]

    for batch in itertools.zip_longest(*histories):
        writer.write([event for event in batch if event is not None])

    found = {str(key): state for key, state in query("SELECT key::text, state FROM task")}
    ended = [(name, expected, found[task_id(number)]) for number, (name, expected, _) in enumerate(tried)]
    wrong = [(name, expected, state) for name, expected, state in ended if state != expected]
    assert len(found) == len(tried) > 1_500
    assert wrong == []


KINDS = (
    "sent", "sent", "received", "received", "started", "retried", "rejected", "cancelled", "succeeded", "failed",
    "revoked", "progress",
)  # fmt: skip


steps = st.builds(
    cases.Step,
    kind=st.sampled_from(KINDS),
    second=st.integers(0, 6).map(float),  # few times and processes: equal keys and ties occur
    worker=st.sampled_from(("celery@a", "celery@b")),
    pid=st.integers(1, 2),
    fields=st.fixed_dictionaries(
        {"retries": st.integers(0, 2), "requeue": st.booleans(), "name": st.sampled_from(("n1", "n2"))}
    ),
)


@pytest.fixture
def numbers() -> Iterator[int]:
    return itertools.count()


@hypothesis_settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(history=st.lists(steps, min_size=1, max_size=9) | st.lists(steps, min_size=6, max_size=9), data=st.data())
def test_any_order_repetition_and_split_gives_the_same_row(
    writer: Writer, query: Query, numbers: Iterator[int], history: list[cases.Step], data: st.DataObject
) -> None:
    whole, parts = task_id(next(numbers)), task_id(next(numbers))
    order = data.draw(st.permutations(history + history[:2]))
    cut = data.draw(st.integers(0, len(order)))

    writer.write([step.event(whole) for step in history])
    writer.write([step.event(parts) for step in order[:cut]])
    writer.write([step.event(parts) for step in order[cut:]])

    rows = query(
        "SELECT state, to_jsonb(task) - '{key,id}'::text[] FROM task WHERE key = ANY(%s::uuid[]) ORDER BY key",
        [whole, parts],
    )
    assert rows[0] == rows[1]
    assert rows[0][0] == reference.state([step.event(whole) for step in history])


def test_a_late_sent_event_changes_nothing_of_what_received_told(writer: Writer, query: Query) -> None:
    told = cases.received(1).event("t")
    late = cases.Step("sent", 9, worker="gen1@client", fields={"name": "app.other", "args": "(9,)", "queue": "q"})
    writer.write([told])

    writer.write([late.event("t")])

    found = query(
        "SELECT n.name, t.args, q.name FROM task t JOIN task_name n ON n.id = name_id JOIN queue q ON q.id = queue_id"
    )
    assert found == [("app.t", "(0,)", "q")]
