"""The hub that spreads changes, without a database: how it comes back, and what it keeps."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from flower_api import live
from flower_api.live import Live
from flower_store import errors


def scripted(*sessions: Sequence[int]) -> live.Listen:
    """Connections that tell these notices and then break; afterwards none can be had."""
    left = list(sessions)

    async def listen() -> AsyncGenerator[int]:
        for notice in left.pop(0) if left else ():
            yield notice
        raise errors.Unavailable("gone")

    return listen


@asynccontextmanager
async def listening(clock: Callable[[], float] = lambda: 0.0) -> AsyncGenerator[Live]:
    """A hub whose connection holds."""
    begun = asyncio.Event()

    async def listen() -> AsyncGenerator[int]:
        yield 0
        begun.set()
        await asyncio.Event().wait()

    hub = Live(listen, most=10, clock=clock)
    running = asyncio.create_task(hub.run())
    await begun.wait()
    yield hub
    running.cancel()


async def until_its_end(hub: Live) -> None:
    with pytest.raises(asyncio.CancelledError):
        await hub.run()


def hub_with(*sessions: Sequence[int], pauses: list[float] | None = None, attempts: int | None = None) -> Live:
    """A hub that stops where the script ends; its pauses are noted and not waited for."""
    noted: list[float] = [] if pauses is None else pauses
    most = len(sessions) if attempts is None else attempts

    async def wait(seconds: float) -> None:
        noted.append(seconds)
        if len(noted) == most:
            raise asyncio.CancelledError

    return Live(scripted(*sessions), most=10, wait=wait, clock=lambda: 0.0, chance=lambda: 1.0)


def test_it_waits_ever_longer_for_a_database_that_stays_away_and_never_gives_up() -> None:
    pauses: list[float] = []

    asyncio.run(until_its_end(hub_with(pauses=pauses, attempts=3_000)))

    assert pauses[:6] == [0.5, 1, 2, 4, 8, 15]
    assert set(pauses[6:]) == {15}


def test_a_connection_that_held_makes_the_next_attempt_quick() -> None:
    pauses: list[float] = []

    asyncio.run(until_its_end(hub_with((), (), (0, 1), pauses=pauses)))

    assert pauses == [0.5, 1, 0.5]


def test_nobody_is_taken_while_changes_cannot_be_heard() -> None:
    hub = hub_with((0,))

    with pytest.raises(live.Away):
        hub.subscribe(1)
    asyncio.run(until_its_end(hub))
    with pytest.raises(live.Away):
        hub.subscribe(1)


def test_who_comes_before_the_first_notice_waits_for_it() -> None:
    async def scenario() -> list[bool]:
        connected = asyncio.Event()

        async def listen() -> AsyncGenerator[int]:
            await connected.wait()
            yield 0
            await asyncio.Event().wait()

        hub = Live(listen, most=10)
        running = asyncio.create_task(hub.run())
        await hub.begun(timedelta(seconds=0.01))
        heard = [hub.listening]
        connected.set()
        await hub.begun(timedelta(seconds=60))
        heard.append(hub.listening)
        running.cancel()
        return heard

    assert asyncio.run(scenario()) == [False, True]


def test_many_changes_are_one_message_and_an_outage_is_told_once() -> None:
    async def scenario() -> tuple[list[bool], int]:
        async with listening() as hub:
            subscription = hub.subscribe(1)
            before = subscription.version
            for _ in range(50):
                subscription.tell(subscription.version + 1)
            subscription.tell(subscription.version + 1, resync=True)
            heard = [await subscription.news(timedelta(seconds=0.01)) for _ in range(2)]
            told = [subscription.take_resync() for _ in range(2)]
            return heard + told, subscription.version - before

    assert asyncio.run(scenario()) == ([True, False, True, False], 51)


def test_a_stream_that_nobody_holds_frees_its_place() -> None:
    async def scenario() -> int:
        async with listening() as hub:
            hub.subscribe(1)  # as of a response that is dropped before its first byte
            return hub.streams

    assert asyncio.run(scenario()) == 0


def test_versions_grow_though_the_clock_goes_back() -> None:
    times = iter([5.0, 3.0, 9.0])

    async def scenario() -> list[int]:
        async with listening(lambda: next(times)) as hub:
            return [hub.subscribe(1).version for _ in range(3)]

    assert asyncio.run(scenario()) == [5000, 5001, 9000]
