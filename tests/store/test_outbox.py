"""Commands in the store: taken once, never late, append-only, without what must not stay."""

import threading
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from tests.collector.asking import Asker
from tests.store.conftest import Query

from flower_store import claims, errors, outbox
from flower_store.claims import Claim, Ending
from flower_store.settings import StoreSettings
from flower_store.writes import Instance, Writer

KINDS = {"revoke", outbox.SEND, outbox.LOOKUP}
SECOND = timedelta(seconds=1)


def a_collector(writer: Writer) -> uuid.UUID:
    """One that lives, of this cluster."""
    made = Instance(id=uuid.uuid4(), hostname="here", pid=1, version="3", promise="")
    writer.beat(made, stored=0, aside=0, lag=None)
    return made.id


@pytest.fixture
def me(writer: Writer) -> uuid.UUID:
    return a_collector(writer)


@pytest.fixture
def ask(settings: StoreSettings) -> Asker:
    return Asker(settings)


def take(writer: Writer, collector: uuid.UUID, *, most: int = 9, **more: Any) -> list[Claim]:
    given: dict[str, Any] = {"shown": as_it_is, **more}
    return claims.claim(writer, collector, KINDS, most=most, **given)


def as_it_is(claim: Claim) -> Mapping[str, object]:
    return claim.arguments


def starred(claim: Claim) -> Mapping[str, object]:
    return {"args": "*" * len(claim.payload or "")}


def test_a_command_is_taken_once_in_the_order_in_which_it_was_asked(writer: Writer, me: uuid.UUID, ask: Asker) -> None:
    numbers = [ask.issue("revoke").id for _ in range(3)]

    taken = [[one.id for one in take(writer, me, most=2)] for _ in range(3)]

    assert taken == [numbers[:2], numbers[2:], []]


def test_two_who_take_at_once_never_take_the_same(settings: StoreSettings, writer: Writer, ask: Asker) -> None:
    collectors = [a_collector(writer) for _ in range(4)]
    numbers = [ask.issue("revoke").id for _ in range(40)]
    begin, taken = threading.Barrier(4), list[int]()

    def work(collector: uuid.UUID) -> None:
        mine = Writer(settings, cluster="default")
        mine.connect()
        begin.wait()
        while found := take(mine, collector, most=3):
            taken.extend(one.id for one in found)
        mine.close()

    threads = [threading.Thread(target=work, args=(one,)) for one in collectors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(taken) == numbers


def test_what_is_too_late_or_unknown_or_another_clusters_is_not_taken(
    settings: StoreSettings, writer: Writer, me: uuid.UUID, ask: Asker, query: Query
) -> None:
    ask.issue("revoke", expires=timedelta(0))
    ask.issue("something of a later build")
    other = Writer(settings, cluster="other")
    stranger = a_collector(other)
    ask.issue("revoke")

    assert take(other, stranger) == []
    assert len(take(writer, me)) == 1
    assert query("SELECT count(*) FROM command WHERE claimed_at IS NOT NULL") == [(1,)]
    other.close()


def test_the_time_that_is_left_counts_from_before_the_question(writer: Writer, me: uuid.UUID, ask: Asker) -> None:
    ask.issue("revoke", expires=timedelta(seconds=30))

    (claim,) = take(writer, me, clock=lambda: 1_000.0)

    assert 1_000.0 < claim.until <= 1_030.0


def test_what_must_not_stay_goes_when_it_is_taken(writer: Writer, me: uuid.UUID, ask: Asker, query: Query) -> None:
    ask.issue(outbox.SEND, payload="hunter2")

    (claim,) = take(writer, me, shown=starred)

    assert claim.payload == "hunter2"
    assert query("SELECT payload, arguments FROM command") == [(None, {"args": "*******"})]


def test_the_end_is_told_once_and_by_its_taker_alone(writer: Writer, me: uuid.UUID, ask: Asker) -> None:
    number = ask.issue("revoke").id
    take(writer, me)

    claims.finish(writer, a_collector(writer), number, Ending(outcome=outbox.FAILED))
    assert ask.read(number).status == "running"
    claims.finish(writer, me, number, Ending(outcome=outbox.DONE, reply={"a": 1}))
    claims.finish(writer, me, number, Ending(outcome=outbox.FAILED))

    assert (ask.read(number).status, ask.read(number).reply) == ("done", {"a": 1})


def test_a_taken_command_cannot_be_withdrawn_and_a_withdrawn_one_not_taken(
    writer: Writer, me: uuid.UUID, ask: Asker
) -> None:
    first = ask.issue("revoke").id
    take(writer, me)
    second = ask.issue("revoke").id

    assert not ask.withdraw(first)
    assert ask.withdraw(second)
    assert take(writer, me) == []
    assert ask.read(second).status == "expired"


@pytest.mark.parametrize("gone", ["stopped_at = now()", "beat_at = now() - interval '11 s'"])
def test_what_a_collector_took_that_is_gone_has_an_unknown_outcome(
    writer: Writer, me: uuid.UUID, ask: Asker, query: Query, gone: str
) -> None:
    number = ask.issue("revoke").id
    take(writer, me)
    assert ask.read(number).status == "running"

    query(f"UPDATE collector SET {gone} RETURNING 1")

    assert ask.read(number).status == "unknown"
    assert take(writer, a_collector(writer)) == []


def test_claims_of_which_their_collector_never_heard_are_ended(writer: Writer, me: uuid.UUID, ask: Asker) -> None:
    unheard, running = ask.issue("revoke").id, ask.issue("revoke").id
    take(writer, me)

    assert claims.disown(writer, me, [running]) == 1
    assert (ask.read(unheard).status, ask.read(running).status) == ("failed", "running")


REWRITES = (
    "UPDATE command SET actor = 'nobody'",
    "UPDATE command SET reason = 'another'",
    "UPDATE command SET target = '{}'",
    "UPDATE command SET asked_at = now()",
    "UPDATE command SET arguments = '{\"n\": 2}'",
    "UPDATE command SET claimed_by = NULL, claimed_at = NULL",
    "UPDATE command SET outcome = 'failed'",
    "UPDATE command SET reply = '{\"b\": 2}'",
    "UPDATE command SET expires_at = expires_at + interval '1 hour'",
    "DELETE FROM command",
)


@pytest.mark.parametrize("rewrite", REWRITES)
def test_the_log_is_append_only(writer: Writer, me: uuid.UUID, ask: Asker, rewrite: str) -> None:
    number = ask.issue("revoke", target={"task": "t"}, arguments={"n": 1}).id
    take(writer, me)
    claims.finish(writer, me, number, Ending(outcome=outbox.DONE, reply={"a": 1}))

    with pytest.raises(errors.Rejected, match="append-only"), writer.session() as connection:
        connection.execute(rewrite.encode())


def test_lookups_and_answers_go_after_a_while_and_the_log_stays(
    writer: Writer, me: uuid.UUID, ask: Asker, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in (outbox.LOOKUP, outbox.SEND):
        number = ask.issue(kind, payload="secret").id
        take(writer, me)
        claims.finish(writer, me, number, Ending(outcome=outbox.DONE, answer="a result"))
    ask.issue(outbox.SEND, payload="secret", expires=timedelta(0))

    claims.tidy(writer)
    assert query("SELECT count(*) FROM command WHERE answer IS NOT NULL") == [(2,)]
    monkeypatch.setattr(claims, "HELD", timedelta(0))
    claims.tidy(writer)

    assert query("SELECT kind, answer, payload FROM command ORDER BY id") == [(outbox.SEND, None, None)] * 2


def test_a_waiter_hears_of_a_command(settings: StoreSettings, writer: Writer, me: uuid.UUID, ask: Asker) -> None:
    with claims.listening(settings) as heard:
        assert not heard(0.01)
        ask.issue("revoke")

        assert heard(60)
    assert len(take(writer, me)) == 1
