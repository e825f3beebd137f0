"""Who does the harm: draws faults from a deck, lets each last for a moment, and makes it good again."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.faults.scene import Member, Scene

log = logging.getLogger(__name__)

Act = Callable[[], object]
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'flower'"


@dataclass(frozen=True, slots=True)
class Fault:
    """Harm and its remedy. It comes `weight` times in a deck and lasts so many seconds."""

    name: str
    begin: Act
    end: Act
    weight: int = 1
    lasts: tuple[float, float] = (0.1, 2.0)


class Nemesis:
    """Runs faults one after the other; the next kind is drawn from a shuffled deck that holds every kind."""

    def __init__(self, faults: Sequence[Fault], chance: random.Random, *, haste: float = 1.0) -> None:
        """`haste` shortens what it waits for: 2 halves it."""
        self._faults = faults
        self._haste = haste
        self._chance = chance
        self._deck: list[Fault] = []
        self.done: list[str] = []

    def strike(self) -> None:
        """One fault, from its beginning to its end, and a moment of peace or none."""
        fault = self._drawn()
        lasts = self._chance.uniform(*fault.lasts) / self._haste
        log.info("fault %d: %s for %.1f s", len(self.done) + 1, fault.name, lasts)
        self.done.append(fault.name)
        fault.begin()
        time.sleep(lasts)
        fault.end()
        time.sleep(self._chance.choice((0.0, 0.2, 1.5)) / self._haste)

    def _drawn(self) -> Fault:
        if not self._deck:
            self._deck = [fault for fault in self._faults for _ in range(fault.weight)]
            self._chance.shuffle(self._deck)
        return self._deck.pop()


def of_collectors(scene: Scene, chance: random.Random) -> list[Fault]:
    """Faults of one collector, by lot, and of its lines."""

    def one(act: Callable[[Member], object]) -> Act:
        return lambda: act(chance.choice(scene.members))

    return [
        Fault("a collector is killed", one(lambda it: it.process.kill()), scene.heal, 4, (0.0, 1.0)),
        Fault("a collector is stopped", one(lambda it: it.process.stop()), scene.heal, 2, (0.0, 1.0)),
        Fault("a collector stands still", one(lambda it: it.process.pause()), scene.heal, 2, (0.1, 4.0)),
        Fault("the broker refuses a collector", one(lambda it: it.broker.cut()), scene.heal),
        Fault("a collector's line to the broker breaks", one(lambda it: it.broker.break_lines()), scene.heal, 2),
        Fault("a collector's line to the broker is stalled", one(lambda it: it.broker.stall()), scene.heal, 2),
    ]


def of_the_database(scene: Scene, chance: random.Random) -> list[Fault]:
    """Faults of the database and of the lines to it."""

    def one(act: Callable[[Member], object]) -> Act:
        return lambda: act(chance.choice(scene.members))

    def stop() -> None:
        scene.database.stop()

    return [
        Fault("the database refuses a collector", one(lambda it: it.database.cut()), scene.heal, 2, (0.1, 7.0)),
        Fault("a collector's line to the database is stalled", one(lambda it: it.database.stall()), scene.heal, 2),
        Fault("a collector's line to the database is slow", one(_slow), scene.heal),
        Fault("each COMMIT breaks the line", one(_break_at_commit), scene.heal, 2),
        Fault("all sessions of the database are ended", lambda: scene.database.query(TERMINATE), scene.heal, 2),
        Fault("the database is restarted", stop, scene.heal),
        Fault("the database crashes", scene.database.crash, scene.heal),
    ]


def _slow(member: Member) -> None:
    member.database.delay = 0.2


def _break_at_commit(member: Member) -> None:
    member.database.breaks = lambda data: b"COMMIT" in data
