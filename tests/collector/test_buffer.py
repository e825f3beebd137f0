"""What waits in memory is bounded, and what does not fit is told."""

import threading
from datetime import timedelta

from tests.collector.messages import NOON, message

from flower_collector.buffer import Buffer
from flower_collector.losing import Loss
from flower_collector.receivers.holding import Holding


def test_messages_leave_in_the_order_in_which_they_came() -> None:
    buffer = Buffer(messages=10, size=1000)
    sent = [message(content) for content in (b"a", b"bb", b"ccc")]

    for one in sent:
        buffer.put(one)
    held = (len(buffer), buffer.size)
    taken = [buffer.take(0) for _ in range(4)]

    assert held == (3, 6)
    assert taken == [*sent, None]
    assert buffer.size == 0


def test_it_is_full_by_number_and_by_bytes() -> None:
    by_number, by_bytes = Buffer(messages=2, size=1000), Buffer(messages=10, size=3)
    for buffer in (by_number, by_bytes):
        buffer.put(message(b"ab"))
    before = (by_number.is_full(), by_bytes.is_full())

    for buffer in (by_number, by_bytes):
        buffer.put(message(b"c"))

    assert before == (False, False)
    assert (by_number.is_full(), by_bytes.is_full()) == (True, True)


def test_past_the_bound_the_oldest_go_and_the_loss_is_told_once() -> None:
    buffer = Buffer(messages=2, size=1000)
    times = [NOON + timedelta(seconds=second) for second in range(5)]

    for number, at in enumerate(times):
        buffer.put_over(message(str(number).encode(), received_at=at))

    assert buffer.take_loss() == Loss(3, 3, times[0], times[2])
    assert buffer.take_loss() is None
    assert [taken.body for taken in (buffer.take(0), buffer.take(0)) if taken] == [b"3", b"4"]


def test_what_its_broker_still_has_is_never_dropped_for_what_came_later() -> None:
    buffer, kept = Buffer(messages=2, size=1000), Holding()

    buffer.put(message(b"kept", origin=kept, tag=kept.take(b"1-0")))
    for body in (b"a", b"b", b"c"):
        buffer.put_over(message(body))

    assert [taken.body for taken in (buffer.take(0), buffer.take(0)) if taken] == [b"kept", b"c"]
    assert buffer.take_loss() == Loss(2, 2, NOON, NOON)
    assert buffer.size == 0


def test_it_knows_since_when_messages_wait_that_nobody_else_has() -> None:
    buffer, kept = Buffer(messages=10, size=1000), Holding()
    times = [NOON + timedelta(seconds=second) for second in range(3)]
    buffer.put(message(b"kept", origin=kept, tag=kept.take(b"1-0")))
    empty = buffer.waiting_since
    for at in times:
        buffer.put_over(message(b"a", origin=buffer.origin, tag=buffer.place(at)))
    while buffer.take(0):
        pass

    taken = buffer.waiting_since
    buffer.origin.done(0)
    one_committed = buffer.waiting_since

    assert (empty, taken, one_committed) == (None, times[0], times[1])
    assert buffer.give_up() == Loss(2, 2, times[1], times[1], at_least=True)
    assert (buffer.waiting_since, buffer.give_up()) == (None, None)


def test_what_was_dropped_waits_no_more() -> None:
    buffer = Buffer(messages=1, size=1000)

    for second in range(3):
        at = NOON + timedelta(seconds=second)
        buffer.put_over(message(b"a", origin=buffer.origin, tag=buffer.place(at)))

    assert buffer.waiting_since == NOON + timedelta(seconds=2)


def test_past_the_bound_of_bytes_a_single_large_message_still_passes() -> None:
    buffer = Buffer(messages=10, size=3)

    buffer.put_over(message(b"ab"))
    buffer.put_over(message(b"0123456789"))

    assert (len(buffer), buffer.size) == (1, 10)


def test_a_waiting_reader_wakes_for_a_message_and_for_the_end() -> None:
    buffer = Buffer(messages=10, size=1000)
    taken: list[bytes | None] = []

    def read() -> None:
        while (one := buffer.take(None)) is not None:
            taken.append(one.body)
        taken.append(None)

    reader = threading.Thread(target=read)
    reader.start()
    buffer.put(message(b"a"))
    buffer.close()
    reader.join(10)

    assert taken == [b"a", None]
    assert buffer.drained


def test_what_was_given_back_is_forgotten() -> None:
    buffer = Buffer(messages=10, size=1000)
    buffer.put(message(b"a"))

    buffer.clear()

    assert (len(buffer), buffer.size, buffer.take(0)) == (0, 0, None)


def test_who_waits_for_room_wakes_when_there_is_some() -> None:
    buffer = Buffer(messages=3, size=100)
    for _ in range(3):
        buffer.put(message(b"x" * 10))
    woke = threading.Event()

    def wait() -> None:
        buffer.wait_below(25, timeout=60)
        woke.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not woke.is_set()
    buffer.take(0)
    waiting.join(timeout=30)

    assert woke.is_set()


def test_room_is_waited_for_no_longer_than_asked() -> None:
    buffer = Buffer(messages=1, size=100)
    buffer.put(message(b"x"))

    buffer.wait_below(50, timeout=0.01)

    assert buffer.is_full()
