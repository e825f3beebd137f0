"""The spool on disk keeps order and its bound, outlives its owner, and never stops a start."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.collector.messages import NOON, message

from flower_collector import spools
from flower_collector.gaps import Gap
from flower_collector.losing import Loss
from flower_collector.message import Message, Unacknowledged
from flower_collector.spool import Spool
from flower_store import losses
from flower_store.reasons import Reason

MIB = 1024**2
ORIGIN = Unacknowledged()


def placed(places: Iterable[int], *, size: int = 10) -> list[Message]:
    """A message for each place, received at that second."""
    return [message(b"x" * size, tag=one, received_at=NOON + timedelta(seconds=one), origin=ORIGIN) for one in places]


def read(held: Spool) -> list[Message]:
    """All that waits."""
    messages: list[Message] = []
    while held.unread:
        messages += held.read(10_000, origin=ORIGIN)
    return messages


def places(messages: Sequence[Message]) -> list[int]:
    return [one.tag for one in messages]


def on_disk(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.spool"


@pytest.fixture
def held(path: Path) -> Iterator[Spool]:
    held = Spool(path, size=4 * MIB)
    yield held
    held.close()


def test_messages_come_back_whole_and_in_order(held: Spool) -> None:
    odd = message(
        b"\x00\xff",
        content_type="x",
        content_encoding="y",
        compression="z",
        fault=Reason.ENVELOPE,
        tag=3,
        origin=ORIGIN,
    )
    sent = [*placed([1, 2]), odd]

    held.append(sent)

    assert (held.unread, held.last) == (3, 3)
    assert read(held) == sent
    assert held.unread == 0


def test_what_is_saved_last_stands_at_its_own_place(held: Spool, path: Path) -> None:
    held.append(placed([5, 6]))

    held.append(placed([2, 5, 9]))
    held.close()

    with_all = Spool(path, size=4 * MIB)
    assert places(read(with_all)) == [2, 5, 6, 9]
    with_all.close()


def test_what_was_read_is_there_again_unless_it_was_forgotten(held: Spool, path: Path) -> None:
    held.append(placed(range(10)))
    read(held)
    held.forget(6)
    held.close()

    again = Spool(path, size=4 * MIB)

    assert places(read(again)) == [7, 8, 9]
    again.close()


def test_a_file_that_holds_nothing_is_removed(held: Spool, tmp_path: Path) -> None:
    held.append(placed([1]))
    held.forget(1)

    held.close()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [10, 500, 3_000, 60_000])
def test_the_bound_holds_on_disk_and_the_oldest_go_and_are_counted(tmp_path: Path, path: Path, size: int) -> None:
    held = Spool(path, size=MIB)
    largest = 0
    number = 2 * MIB // (size + 30)

    for first in range(0, number, 500):
        chunk = placed(range(first, min(first + 500, number)), size=size)
        for start in range(0, len(chunk), max(1, held.chunk // size)):
            held.append(chunk[start : start + max(1, held.chunk // size)])
            largest = max(largest, on_disk(tmp_path))

    assert largest <= MIB
    assert held.size > MIB // 2
    left = places(read(held))
    assert left == list(range(number - len(left), number))
    loss = held.take_loss()
    lost = number - len(left)
    assert loss == Loss(lost, lost, NOON, NOON + timedelta(seconds=lost - 1))
    assert held.take_loss() is None
    held.close()


def test_dropping_what_was_read_already_is_no_loss(path: Path) -> None:
    held = Spool(path, size=MIB)
    held.append(placed(range(100), size=5_000))
    read(held)

    for first in range(100, 180, 10):
        held.append(placed(range(first, first + 10), size=5_000))

    assert held.take_loss() is None
    assert places(read(held)) == list(range(100, 180))
    held.close()


def test_a_message_too_large_for_the_bound_is_counted_as_lost(path: Path) -> None:
    held = Spool(path, size=MIB)

    held.append([*placed([1]), *placed([2], size=MIB // 8), *placed([3])])

    assert places(read(held)) == [1, 3]
    assert held.take_loss() == Loss(1, 1, NOON + timedelta(seconds=2), NOON + timedelta(seconds=2))
    held.close()


def test_a_smaller_bound_at_the_next_start_keeps_the_newest(tmp_path: Path, path: Path) -> None:
    held = Spool(path, size=16 * MIB)
    for first in range(0, 2_000, 100):
        held.append(placed(range(first, first + 100), size=5_000))
    held.close()

    smaller = Spool(path, size=MIB)
    taken = on_disk(tmp_path)
    left = places(read(smaller))

    assert taken <= MIB
    assert left == list(range(2_000 - len(left), 2_000))
    assert len(left) > 50
    assert (loss := smaller.take_loss()) is not None
    assert loss.messages == 2_000 - len(left)
    smaller.append(placed([2_000]))
    smaller.close()


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        opening = spools.opened(tmp_path / "deep" / "spool", owner="a", size=4 * MIB)
        opening.spool.append(placed([1]))
    finally:
        os.umask(before)

    assert (tmp_path / "deep" / "spool").stat().st_mode & 0o777 == 0o700
    files = list((tmp_path / "deep" / "spool").iterdir())
    assert {path.name for path in files} >= {"a-0.spool", "a-0.spool-wal"}
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    opening.spool.close()


HOLD = """
import sys
from pathlib import Path
from flower_collector import spools
from flower_collector.gaps import Gap
from tests.collector.test_spool import placed
held = spools.opened(Path(sys.argv[1]), owner="a", size=4 * 1024**2).spool
held.append(placed(range(100)))
print(held.path.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that has written into a spool and holds it."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "a-0.spool\n"
        yield process
        process.kill()


@pytest.mark.usefixtures("other")
def test_two_processes_never_share_a_file(tmp_path: Path) -> None:
    mine = spools.opened(tmp_path, owner="a", size=4 * MIB).spool

    assert mine.path.name == "a-1.spool"
    assert mine.unread == 0
    mine.close()


def test_what_a_killed_process_had_committed_is_there(tmp_path: Path, other: "subprocess.Popen[str]") -> None:
    other.kill()
    other.wait()

    opening = spools.opened(tmp_path, owner="a", size=4 * MIB)

    assert opening.spool.path.name == "a-0.spool"
    assert places(read(opening.spool)) == list(range(100))
    assert opening.set_aside == []
    opening.spool.close()


def test_gaps_that_could_not_be_recorded_are_there_at_the_next_start_and_only_once(tmp_path: Path) -> None:
    gaps = [
        Gap(NOON, NOON + timedelta(seconds=2), losses.SPOOL_FULL, count=3, at_least=True),
        Gap(None, NOON, "unknown", "why"),
    ]
    found_again = Gap(NOON, NOON, losses.STREAM_TRIMMED, recorded=threading.Event())
    before = spools.opened(tmp_path, owner="a", size=4 * MIB).spool
    before.keep([*gaps, found_again])
    before.close()

    after = spools.opened(tmp_path, owner="a", size=4 * MIB).spool

    assert (after.take_gaps(), after.take_gaps()) == (gaps, [])
    after.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("other")
def test_a_spool_that_nobody_reads_is_found_unless_it_is_in_use_or_empty(tmp_path: Path) -> None:
    left = Spool(tmp_path / "b-0.spool", size=4 * MIB)
    left.append(placed([1]))
    left.close()
    text(tmp_path / "c-0.spool")
    mine = spools.opened(tmp_path, owner="d", size=4 * MIB).spool
    mine.append(placed([1]))

    found = list(spools.left_behind(tmp_path, mine.path))

    assert found == [tmp_path / "b-0.spool"]
    assert left.path.exists()
    mine.close()


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE message (place INTEGER)")
    file.close()


def torn(path: Path) -> None:
    """Half of its pages overwritten, as a broken disk leaves it."""
    held = Spool(path, size=4 * MIB)
    held.append(placed(range(500), size=500))
    held.close()
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xa5" * (path.stat().st_size // 2))


def text(path: Path) -> None:
    path.write_text("not a database\n" * 1000)


@pytest.mark.parametrize("spoil", [foreign, torn, text])
def test_a_file_that_is_no_spool_is_moved_aside_and_the_start_goes_on(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = tmp_path / "a-0.spool"
    spoil(path)
    content = path.read_bytes()

    opening = spools.opened(tmp_path, owner="a", size=4 * MIB)

    assert opening.spool.path == path
    assert [aside.read_bytes() for aside in opening.set_aside] == [content]
    opening.spool.append(placed([1]))
    assert places(read(opening.spool)) == [1]
    opening.spool.close()


steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(st.integers(1, 30_000), max_size=6)),
        st.tuples(st.just("read"), st.integers(1, 5)),
        st.tuples(st.just("forget"), st.just(0)),
        st.tuples(st.just("open"), st.integers(1, 3)),
    ),
    max_size=30,
)


class History:
    """A spool that is written, read, cut and opened again, and what became of each message."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.held = Spool(directory / "a", size=MIB)
        self.appended = self.lost = 0
        self.seen: list[int] = []

    def step(self, what: str, value: "int | list[int]") -> None:
        match what, value:
            case "append", list(sizes):
                self.append(sizes)
            case "read", int(most):
                self.read(most)
            case _, int(size):
                self.held.forget(self.seen[-1] if self.seen else -1)
                if what == "open":
                    self.reopen(size)
            case _:
                raise AssertionError(what)
        loss = self.held.take_loss()
        self.lost += loss.messages if loss else 0

    def append(self, sizes: list[int]) -> None:
        for size in sizes:
            self.held.append(placed([self.appended], size=size))
            self.appended += 1

    def read(self, most: int) -> None:
        self.seen += places(self.held.read(most, origin=ORIGIN))

    def reopen(self, size: int) -> None:
        loss = self.held.take_loss()
        self.lost += loss.messages if loss else 0
        self.held.close()
        self.held = Spool(self._directory / "a", size=size * MIB)


@settings(max_examples=40)
@given(steps=steps)
def test_whatever_is_done_nothing_is_lost_unsaid_or_out_of_order(
    steps: list[tuple[str, "int | list[int]"]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("spool")
    history = History(directory)

    for what, value in steps:
        history.step(what, value)
        assert on_disk(directory) <= 3 * MIB
    while history.held.unread:
        history.read(100)

    assert history.seen == sorted(set(history.seen))
    assert len(history.seen) + history.lost == history.appended
    history.held.close()
