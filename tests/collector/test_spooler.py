"""Between memory and disk nothing is lost or out of order, and no thread but the spooler waits for the disk."""

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.collector.messages import NOON, message
from tests.waiting import eventually

from flower_collector import spools
from flower_collector.backoff import Backoff
from flower_collector.gaps import Gap, Gaps
from flower_collector.message import Message
from flower_collector.metrics import Metrics
from flower_collector.receivers.holding import Holding
from flower_collector.spooled import SpooledBuffer
from flower_collector.spooler import Spooler
from flower_store import losses

MIB = 1024**2


class Disk:
    """A spool, its buffer and its thread, with memory for so many messages."""

    def __init__(self, directory: Path, *, messages: int, size: int = 8 * MIB) -> None:
        self.held = spools.opened(directory, owner="a", size=size).spool
        self.placed = self.held.last + 1
        self.metrics = Metrics()
        self.gaps = Gaps()
        self.buffer = SpooledBuffer(
            messages=messages, size=8 * MIB, first=self.held.last + 1, spooled=bool(self.held.unread)
        )
        self.spooler = Spooler(
            self.held, self.buffer, size=size, noted=self.gaps, metrics=self.metrics, backoff=Backoff(lambda: 0.01),
        )  # fmt: skip

    def put(self, number: int, *, size: int = 10) -> None:
        for _ in range(number):
            at = NOON + timedelta(seconds=self.placed)
            place, self.placed = self.buffer.place(at), self.placed + 1
            self.buffer.put_over(message(b"x" * size, origin=self.buffer.origin, tag=place, received_at=at))

    def take(self, number: int) -> list[int]:
        return [one.tag for one in (self._next() for _ in range(number))]

    def value(self, name: str) -> float:
        return self.metrics.registry.get_sample_value(f"flower_collector_{name}") or 0

    def stop(self) -> None:
        self.spooler.finish()
        if self.spooler.ident is None:
            self.spooler.run()
        else:
            self.spooler.join(30)

    def _next(self) -> Message:
        taken = eventually(lambda: self.buffer.take(0.1))
        assert taken is not None
        return taken


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[..., Disk]]:
    """A disk whose thread runs; several may follow each other in the same directory."""
    made: list[Disk] = []

    def make(**changed: int) -> Disk:
        made.append(Disk(tmp_path / "spool", **{"messages": 20} | changed))
        made[-1].spooler.start()
        return made[-1]

    yield make
    for one in made:
        one.stop()


MakeDisk = Callable[..., Disk]


def test_while_memory_has_room_nothing_is_written(disk: MakeDisk) -> None:
    here = disk()

    here.put(10)

    assert here.take(10) == list(range(10))
    assert here.value("messages_spooled_total") == 0


def test_what_memory_cannot_hold_comes_back_from_disk_in_order(disk: MakeDisk) -> None:
    here = disk(messages=2000)
    for _ in range(10):
        here.put(900)
        eventually(lambda: not here.buffer.for_disk(0) and len(here.buffer) <= 1000)

    taken = here.take(9_000)
    here.put(10)

    assert taken == list(range(9_000))
    assert here.take(10) == list(range(9_000, 9_010))
    assert here.buffer.take_loss() is None
    assert here.value("messages_spooled_total") > 7_000


def test_after_the_spool_is_empty_messages_stay_in_memory_again(disk: MakeDisk) -> None:
    here = disk()
    here.put(20)
    here.take(20)
    eventually(lambda: not here.buffer.await_spooling(0))
    spooled = here.value("messages_spooled_total")

    here.put(10)
    here.take(10)

    assert here.value("messages_spooled_total") == spooled


def test_a_message_stays_on_disk_until_its_receipt(disk: MakeDisk) -> None:
    here = disk()
    here.put(20)
    here.take(20)
    here.buffer.done(14)
    here.stop()

    after = disk()

    assert after.take(5) == [15, 16, 17, 18, 19]


def test_a_stop_saves_what_is_in_memory_and_what_was_taken_without_a_receipt(disk: MakeDisk) -> None:
    here = disk()
    here.put(8)
    here.take(5)
    here.buffer.done(2)
    here.stop()

    after = disk()
    after.put(2)

    assert after.take(7) == [3, 4, 5, 6, 7, 8, 9]


def test_closed_it_is_drained_only_when_the_disk_is_too(disk: MakeDisk) -> None:
    here = disk()
    here.put(20)
    here.buffer.close()
    before = here.buffer.drained
    here.take(20)

    eventually(lambda: here.buffer.drained)

    assert not before


def test_without_time_it_is_drained_at_once_and_all_is_on_disk(disk: MakeDisk) -> None:
    here = disk()
    here.put(20)
    here.buffer.close()

    here.buffer.abandon()

    assert here.buffer.drained
    here.stop()
    assert disk().take(20) == list(range(20))


def test_past_the_bound_the_oldest_on_disk_go_and_a_gap_says_how_many(disk: MakeDisk) -> None:
    here = disk(size=MIB)
    for _ in range(30):
        here.put(10, size=10_000)
        eventually(lambda: not here.buffer.for_disk(0) and len(here.buffer) <= 10)
    eventually(lambda: here.value("spool_messages_dropped_total") > 0)

    here.buffer.close()
    taken: list[int] = []
    while not here.buffer.drained:
        one = here.buffer.take(0.1)
        taken += [one.tag] if one else []
    gaps = here.gaps.take()

    dropped = 300 - len(taken)
    assert taken == sorted(taken)
    assert taken[-1] == 299
    assert here.value("spool_messages_dropped_total") == dropped
    assert {gap.reason for gap in gaps} == {losses.SPOOL_FULL}
    assert [gap.count for gap in gaps] == [dropped]  # one, though the disk dropped some in each transaction
    assert gaps[0].started_at is not None
    assert gaps[0].started_at >= NOON


def test_what_the_last_save_drops_is_a_gap_of_the_next_start(disk: MakeDisk) -> None:
    here = disk(size=MIB, messages=400)
    here.put(190, size=10_000)  # in memory, and more than the disk may hold

    here.stop()
    after = spools.opened(here.held.path.parent, owner="a", size=MIB).spool
    gaps = after.take_gaps()

    assert [gap.reason for gap in gaps] == [losses.SPOOL_FULL]
    assert [gap.count for gap in gaps] == [190 - after.rows]
    assert 0 < after.rows < 190
    after.close()


def test_a_disk_that_takes_nothing_is_counted_and_memory_goes_on(disk: MakeDisk) -> None:
    here = disk()
    here.held.abandon()  # every statement fails from now on

    here.put(40)
    eventually(lambda: here.value("spool_failures_total") > 1)
    loss = here.buffer.take_loss()

    assert loss is not None
    left = here.take(40 - loss.messages)
    assert left == sorted(left)
    assert left[-1] == 39
    assert here.spooler.is_alive()


def test_a_file_that_breaks_while_it_is_used_is_moved_aside_and_told(tmp_path: Path, disk: MakeDisk) -> None:
    before = spools.opened(tmp_path / "spool", owner="a", size=8 * MIB).spool
    before.append([message(b"x" * 3_000, tag=place) for place in range(1_000)])
    before.close()
    path = tmp_path / "spool" / "a-0.spool"
    here = disk()
    with path.open("r+b") as file:
        file.seek(100 * 4096)
        file.write(b"\xa5" * (path.stat().st_size - 100 * 4096))

    def told() -> list[Gap]:
        while here.buffer.take(0.01):
            pass
        return here.gaps.take()

    gaps = eventually(told)

    assert [gap.reason for gap in gaps] == [losses.SPOOL_LOST]
    assert (gaps[0].count is None, "a-0.spool" in gaps[0].detail) == (True, True)
    assert (tmp_path / "spool" / "a-0.broken-0").exists()
    eventually(lambda: not here.buffer.await_spooling(0))


def test_a_directory_that_goes_away_does_not_end_the_thread(tmp_path: Path, disk: MakeDisk) -> None:
    here = disk()
    shutil.rmtree(tmp_path / "spool")

    here.put(10)

    assert here.take(10) == list(range(10))
    assert here.spooler.is_alive()


def test_what_is_on_disk_waits_no_more_in_memory_even_when_it_is_back(disk: MakeDisk) -> None:
    here = disk(messages=20)  # ten in the head
    here.put(15)
    eventually(lambda: here.value("messages_spooled_total") == 5)

    at_first = here.buffer.waiting_since
    here.take(15)
    here.buffer.done(9)
    in_the_end = eventually(lambda: here.buffer.waiting_since is None)

    assert (at_first, in_the_end) == (NOON, True)
    assert here.buffer.give_up() is None


def test_what_the_broker_still_has_is_never_for_the_disk_nor_waited_for() -> None:
    buffer = SpooledBuffer(messages=20, size=10_000, first=0, spooled=False)
    stream = Holding()
    buffer.put(message(b"{}", origin=stream, tag=1_000))
    buffer.put_over(message(b"{}", origin=buffer.origin, tag=buffer.place(NOON)))
    buffer.put(message(b"{}", origin=stream, tag=1_001))
    buffer.take(0)
    buffer.take(0)

    buffer.done(0)

    assert buffer.unsaved() == []


def test_a_list_that_is_dropped_counts_with_each_of_its_events() -> None:
    lists = [b"[" + b",".join([b"{}"] * number) + b"]" for number in range(1, 11)]
    buffer = SpooledBuffer(messages=4, size=MIB, first=0, spooled=False)  # two in the head, two wait for the disk
    for place, one in enumerate(lists):
        buffer.put_over(message(one, origin=buffer.origin, tag=place))

    loss = buffer.take_loss()

    assert loss is not None
    assert (loss.messages, loss.events) == (6, 3 + 4 + 5 + 6 + 7 + 8)
