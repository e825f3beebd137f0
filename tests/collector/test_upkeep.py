"""The leader's longer work: one chore's failure is its own."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from structlog.testing import capture_logs

from flower_collector.upkeep import CHORE_FAILED, Upkeep
from flower_store import errors, writes
from flower_store.settings import StoreSettings


@dataclass(frozen=True, slots=True)
class Act:
    name: str
    act: Callable[[], None]
    every: timedelta = timedelta(seconds=10)

    def work(self, store: writes.Writer, stopping: threading.Event) -> None:
        del store, stopping
        self.act()


def failing(error: Exception) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def upkeep(*chores: Act, clock: Callable[[], float]) -> Upkeep:
    store = writes.Writer(StoreSettings(database_url="postgresql://nowhere.invalid/flower"), cluster="default")
    return Upkeep(store, chores, leads=lambda: True, clock=clock)


def test_a_chore_is_done_when_it_is_due_and_again_after_its_time() -> None:
    done: list[str] = []
    seconds = [1000.0]
    thread = upkeep(Act("one", lambda: done.append("one")), clock=lambda: seconds[0])

    thread.work_once()
    thread.work_once()
    seconds[0] += 10
    thread.work_once()

    assert done == ["one", "one"]


def test_a_chore_that_fails_is_told_and_does_not_keep_the_next_from_its_work() -> None:
    done: list[str] = []
    broken = Act("broken", failing(ValueError("no")))
    away = Act("away", failing(errors.Unavailable("away")))
    thread = upkeep(broken, away, Act("whole", lambda: done.append("whole")), clock=lambda: 0.0)

    with capture_logs() as logged:
        thread.work_once()

    assert done == ["whole"]
    assert [(line["event"], line["chore"]) for line in logged] == [(CHORE_FAILED, "broken")]
