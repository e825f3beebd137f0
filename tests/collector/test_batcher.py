"""When a batch is due, and whom it tells."""

from datetime import timedelta

from tests.collector.messages import body, message

from flower_collector import batcher, gate
from flower_collector.batcher import Batcher
from flower_collector.message import Message
from flower_collector.receivers.session import Session
from flower_store import writes


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def a_batcher(clock: Clock, *, size: int = 3) -> Batcher:
    return Batcher(size=size, flush_after=timedelta(seconds=0.25), clock=clock)


def add(to: Batcher, one: Message) -> None:
    to.add(one, gate.open_message(one))


def test_a_batch_is_due_when_it_is_full() -> None:
    batches = a_batcher(Clock())

    due = []
    for _ in range(3):
        add(batches, message(body()))
        due.append(batches.due)

    assert due == [False, False, True]


def test_a_quiet_stream_is_flushed_by_age_and_not_later_for_a_late_message() -> None:
    clock = Clock()
    batches = a_batcher(clock)
    empty = batches.remaining()
    add(batches, message(body()))

    clock.seconds += 0.2
    add(batches, message(body()))
    young = (batches.due, round(batches.remaining() or 0, 2))
    clock.seconds += 0.05

    assert empty is None
    assert young == (False, 0.05)
    assert batches.due


def test_a_message_is_never_split() -> None:
    batches = a_batcher(Clock())

    add(batches, message(b"[" + b",".join([body()] * 24) + b"]"))

    taken = batches.take()
    assert taken is not None
    assert (len(taken.tasks), taken.messages) == (24, 1)


def test_messages_without_events_fill_a_batch_too() -> None:
    batches = a_batcher(Clock())

    for _ in range(3):
        add(batches, message(body(type="worker-elect")))

    assert batches.due


def test_a_flood_of_garbage_is_kept_in_part() -> None:
    batches = a_batcher(Clock(), size=10_000)

    for _ in range(batcher.MAX_ASIDE + 50):
        add(batches, message(b"?"))

    taken = batches.take()
    assert taken is not None
    assert len(taken.aside) == batcher.MAX_ASIDE


def test_each_origin_is_told_the_last_of_its_messages_and_only_then() -> None:
    batches = a_batcher(Clock(), size=10)
    old, new = Session(), Session()
    for origin, tag in ((old, 7), (old, 8), (new, 1), (new, 2)):
        add(batches, message(body(), origin=origin, tag=tag))
    taken = batches.take()
    assert taken is not None
    before = (old.due(), new.due())

    taken.done()

    assert before == (None, None)
    assert (old.due(), new.due()) == (8, 2)


def test_a_batch_waits_as_long_as_one_of_its_origins_does() -> None:
    batches = a_batcher(Clock(), size=10)
    old, new = Session(), Session()
    for origin in (old, new):
        add(batches, message(body(), origin=origin, tag=1))
    taken = batches.take()
    assert taken is not None

    old.close()
    half = taken.waits
    new.close()

    assert (half, taken.waits) == (True, False)


def test_a_receipt_of_a_closed_channel_acknowledges_nothing() -> None:
    session = Session()

    session.done(5)
    session.close()

    assert session.due() is None


def test_a_receipt_is_acknowledged_once() -> None:
    session = Session()
    session.done(5)

    first = session.due()
    session.done(5)

    assert (first, session.due()) == (5, None)


def test_of_what_is_set_aside_only_what_is_stored_of_it_stays_in_memory() -> None:
    batches = a_batcher(Clock())

    add(batches, message(b"{" + b"x" * 1_000_000))
    taken = batches.take()

    assert taken is not None
    assert [len(one.body) for one in taken.aside] == [writes.SET_ASIDE_BODY]
