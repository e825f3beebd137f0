"""`/api/v1/clusters/…`: gaps, the audit, collectors, input that was set aside."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.api import written

from flower_store import completeness, losses, reconciling
from flower_store.dimensions import Bounds
from flower_store.events import SetAside
from flower_store.factories import a_heartbeat, an_event, uuid_of
from flower_store.findings import FindingRecord
from flower_store.settings import StoreSettings
from flower_store.writes import Instance, Writer

HERE = "/api/v1/clusters/default"
START = written.START
SECOND = timedelta(seconds=1)


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def get(api: httpx.Client, path: str, **query: Any) -> Any:
    answer = api.get(f"{HERE}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_gaps_say_when_why_and_how_many(api: httpx.Client, writer: Writer) -> None:
    writer.record_gap(START, START + 4 * SECOND, reason=losses.QUEUE_OVERFLOW, count=7, detail="flower.default")

    document = get(api, "gaps")

    assert document == {
        "gaps": [
            {
                "from": iso(START),
                "until": iso(START + 4 * SECOND),
                "reason": "queue_overflow",
                "sentence": losses.sentence("queue_overflow"),
                "detail": "flower.default",
                "count": 7,
                "count_exact": True,
                "starts_missing": 0,
                "starts_repaired": 0,
                "unfinished": 0,
                "unfinished_exact": True,
            }
        ],
        "next": None,
    }


def test_gaps_of_an_interval_are_those_that_touch_it(api: httpx.Client, writer: Writer) -> None:
    for second in (0, 100, 200):
        writer.record_gap(START + second * SECOND, START + (second + 10) * SECOND, reason=f"r{second}")

    found = get(api, "gaps", **{"from": iso(START + 105 * SECOND), "until": iso(START + 150 * SECOND)})

    assert [gap["reason"] for gap in found["gaps"]] == ["r100"]


def test_gaps_are_paged_without_one_twice(api: httpx.Client, writer: Writer) -> None:
    for number in range(5):
        writer.record_gap(START, START + SECOND, reason=f"r{number}")

    first = get(api, "gaps", limit=2)
    second = get(api, "gaps", limit=2, after=first["next"])
    third = get(api, "gaps", limit=2, after=second["next"])

    assert [gap["reason"] for page in (first, second, third) for gap in page["gaps"]] == ["r4", "r3", "r2", "r1", "r0"]
    assert third["next"] is None


def test_what_the_audit_misses_is_told_in_a_sentence(api: httpx.Client, writer: Writer) -> None:
    begin = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    writer.record_gap(begin, begin + 4 * SECOND, reason=losses.COLLECTOR_AWAY)
    writer.write([], [a_heartbeat(8, clock=10, processed=0), a_heartbeat(12, clock=90, processed=525)])
    completeness.audit(writer, grace=0 * SECOND)

    document = get(api, "completeness", **{"from": iso(begin), "until": iso(begin + timedelta(hours=1))})

    assert (document["started"], document["seen"], document["missing"]) == (525, 0, 525)
    assert document["audited_until"] == iso(begin + 12 * SECOND)
    (interval,) = document["intervals"]
    assert document["sentence"] == "525 of 525 task starts were not seen."
    assert interval["sentence"] == (
        "525 task starts of celery@a between 12:00:08 and 12:00:12 were not seen (events off)."
    )


def test_workers_past_the_bound_are_said_not_to_be_audited(
    api: httpx.Client, writer: Writer, database_url: str
) -> None:
    begin = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    span = {"from": iso(begin), "until": iso(datetime.now(UTC) + timedelta(hours=1))}
    before = get(api, "completeness", **span)
    crowded = Writer(StoreSettings(database_url=database_url), cluster="default", bounds=Bounds(workers=1))
    crowded.write([an_event("started", 5, worker=f"celery@{name}", clock=20) for name in "abc"])
    crowded.write([], [a_heartbeat(8, worker="celery@c", clock=10), a_heartbeat(12, worker="celery@c", clock=90)])
    crowded.close()
    completeness.audit(writer, grace=0 * SECOND)

    after = get(api, "completeness", **span)

    assert (before["unaudited"], before["sentence"]) == (
        None, "Nothing was audited yet: that takes two heartbeats of a worker.",
    )  # fmt: skip
    assert after["unaudited"] == 2
    assert after["sentence"] == (
        "Workers past the bound (--max-workers) are not audited; 2 task starts of theirs were seen."
    )


def test_the_gap_that_explains_a_difference_tells_its_cost(api: httpx.Client, writer: Writer) -> None:
    begin = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    writer.record_gap(begin + 8 * SECOND, begin + 12 * SECOND, reason=losses.COLLECTOR_AWAY)
    writer.write([], [a_heartbeat(8, clock=10, processed=0), a_heartbeat(12, clock=90, processed=1)])
    completeness.audit(writer, grace=0 * SECOND)

    (gap,) = get(api, "gaps")["gaps"]
    (interval,) = get(api, "completeness", **{"from": iso(begin), "until": iso(begin + 60 * SECOND)})["intervals"]

    assert gap["starts_missing"] == 1
    assert interval["sentence"] == (
        "1 task start of celery@a between 12:00:08 and 12:00:12 was not seen (collector away)."
    )


def test_a_count_that_is_a_lower_bound_says_so(api: httpx.Client, writer: Writer) -> None:
    for number, (count, at_least) in enumerate([(7, False), (8, True), (None, False)]):
        at = START + number * SECOND
        writer.record_gap(at, at, reason=losses.QUEUE_OVERFLOW, count=count, at_least=at_least)

    told = [(gap["count"], gap["count_exact"]) for gap in get(api, "gaps")["gaps"]]

    assert told == [(None, False), (8, False), (7, True)]


def test_a_gap_tells_what_was_repaired_and_what_is_still_open(api: httpx.Client, writer: Writer) -> None:
    begin = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    writer.record_gap(begin + 8 * SECOND, begin + 12 * SECOND, reason=losses.COLLECTOR_AWAY)
    known = [an_event("sent", 7, task_id=task_id) for task_id in ("found", "open", "told")]
    writer.write(
        [*known, an_event("received", 13, task_id="told", clock=100)],
        [a_heartbeat(8, clock=10, processed=0), a_heartbeat(12, clock=90, processed=2)],
    )
    completeness.audit(writer, grace=0 * SECOND)
    end = reconciling.Outcome(state="SUCCESS", done_at=begin + 10 * SECOND)
    reconciling.keep(writer, [], [(uuid_of("found"), end)])

    (gap,) = get(api, "gaps")["gaps"]
    document = get(api, "completeness", **{"from": iso(begin), "until": iso(begin + 60 * SECOND)})

    assert (gap["starts_missing"], gap["starts_repaired"]) == (2, 1)
    assert (gap["unfinished"], gap["unfinished_exact"]) == (1, True)
    assert document["sentence"] == "2 of 2 task starts were not seen; 1 was repaired from the result backend."


def test_collectors_say_what_they_promise(api: httpx.Client, writer: Writer) -> None:
    instance = Instance(id=uuid4(), hostname="h", pid=7, version="3", promise="Everything.")
    found = FindingRecord("probe_lost", "Probes do not come back.", START)
    writer.beat(instance, stored=5, aside=2, lag=0.5 * SECOND, found=[found])

    (collector,) = get(api, "collectors")["collectors"]

    assert (collector["promise"], collector["alive"], collector["stored"]) == ("Everything.", True, 5)
    assert (collector["set_aside"], collector["lag"], collector["broker_away_since"]) == (2, 0.5, None)
    assert collector["findings"] == [
        {"kind": "probe_lost", "sentence": "Probes do not come back.", "since": iso(START)}
    ]


def test_collectors_are_paged_whatever_beats_meanwhile(api: httpx.Client, writer: Writer) -> None:
    instances = [Instance(id=uuid4(), hostname=f"h{number}", pid=7, version="3", promise="") for number in range(5)]
    for instance in instances:
        writer.beat(instance, stored=0, aside=0, lag=None)

    seen: list[str] = []
    cursor: dict[str, str] = {}
    while len(seen) < 99:
        page = get(api, "collectors", limit=2, **cursor)
        seen += [one["hostname"] for one in page["collectors"]]
        for instance in instances:
            writer.beat(instance, stored=1, aside=0, lag=None)
        if page["next"] is None:
            break
        cursor = {"after": page["next"]}

    assert seen == ["h4", "h3", "h2", "h1", "h0"]


def test_input_that_was_set_aside_can_be_looked_at(api: httpx.Client, writer: Writer) -> None:
    bodies = [b"plain", b"\xff\x00", "é".encode()]
    writer.write([], [], [aside("no_id", body) for body in bodies])
    writer.write([], [], [aside("not_json", b"{")])

    first = get(api, "set-aside", limit=2)
    second = get(api, "set-aside", limit=2, before=first["next"])

    found = [message["body"] or base64.b64decode(message["body_base64"]) for message in first["messages"]]
    found += [message["body"] or base64.b64decode(message["body_base64"]) for message in second["messages"]]
    assert found == ["{", "é", b"\xff\x00", "plain"]
    assert first["counts"] == {"no_id": 3, "not_json": 1}
    assert second["next"] is None
    assert [one["reason"] for one in get(api, "set-aside", reason="not_json")["messages"]] == ["not_json"]
    assert len(get(api, "set-aside", reason="not_json,no_id")["messages"]) == 4  # no_id: of another build


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("gaps?frm=2026-01-01", 400, "did you mean 'from'"),
        ("gaps?from=someday", 400, "from"),
        ("gaps?from=now&until=-1h", 400, "from: must be earlier than until"),
        ("gaps?until=-99999999999d", 400, "until: must be at most 36500d (100 years) ago"),
        ("gaps?after=x", 400, "is not a cursor"),
        ("gaps?limit=0", 400, "limit"),
        ("completeness?from=2026-01-02&until=2026-01-01", 400, "earlier than until"),
        ("set-aside?limit=101", 400, "limit"),
        ("set-aside?reason=not_json,foo", 400, "reason: 'foo' is none of content_type, content_encoding, "),
        ("commands?kind=foo", 400, "kind: 'foo' is none of add_consumer, autoscale, "),
        ("collectors?after=x", 400, "after: is not a cursor"),
        ("collectors?from=now", 400, "unknown argument"),
    ],
)
def test_what_cannot_be_read_is_a_problem_that_says_so(
    standing_api: httpx.Client, path: str, status: int, detail: str
) -> None:
    answer = standing_api.get(f"{HERE}/{path}", headers={"Accept": "text/html"})

    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert detail in answer.json()["detail"]


@pytest.mark.parametrize("address", ["completeness", "errors", "names", "queues/q/history", "series", "workers"])
@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("from=-400000d", "from: must be at most 36500d (100 years) ago"),
        ("from=2999-01-01", "from: must be earlier than now, where no until is given"),
        ("until=0001-01-01", "until: must lie in the years 2 to 9998, in UTC"),
        ("until=-5x", "until: must be a time such as 2026-11-24T10:00:00Z, -15m, "),
        ("from=9999-12-31T23:00:00Z&until=9999-12-31T23:59:59.9Z", "until: must lie in the years 2 to 9998"),
        ("from=0001-12-31&until=0002-01-01", "from: must lie in the years 2 to 9998"),
    ],
)
def test_an_interval_that_cannot_be_is_told_by_end_and_rule(
    standing_api: httpx.Client, address: str, query: str, detail: str
) -> None:
    answer = standing_api.get(f"{HERE}/{address}?{query}")

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(detail)


def test_a_cluster_that_is_not_there_is_a_problem(standing_api: httpx.Client) -> None:
    answer = standing_api.get("/api/v1/clusters/nowhere/gaps")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "nowhere" in answer.json()["detail"]


def aside(reason: str, body: bytes) -> SetAside:
    return SetAside(
        received_at=START,
        reason=reason,
        detail="d",
        routing_key="task.multi",
        content_type="application/json",
        body=body,
    )
