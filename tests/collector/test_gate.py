"""What the gate lets in, mends and sets aside, and why."""

import bz2
import json
import math
from datetime import timedelta

import pytest
from tests.collector.messages import NOON, TASK, body, fields, message

from flower_collector import cleaning, gate
from flower_store.events import MAX_NAME, MAX_TASK_ID
from flower_store.reasons import Reason

MESSAGES = [
    pytest.param(b"not JSON", Reason.NOT_JSON, id="not JSON"),
    pytest.param(b"\x80\x04\x95", Reason.NOT_UTF8, id="a pickle that says it is JSON"),
    pytest.param(b"", Reason.NOT_JSON, id="empty"),
    pytest.param(b'{"type": "task-started"', Reason.NOT_JSON, id="cut off"),
    pytest.param(b'{"type": "task-\xff"}', Reason.NOT_UTF8, id="not UTF-8"),
    pytest.param(b"[" * 100_000, Reason.TOO_DEEP, id="nested 100,000 deep"),
    pytest.param(b'{"a":' * 100_000, Reason.TOO_DEEP, id="objects nested 100,000 deep"),
    pytest.param(b"1" * 5000, Reason.NOT_JSON, id="a number of 5,000 digits"),
    pytest.param(b"[" + b"1," * 20_000 + b"1]", Reason.TOO_MANY, id="20,001 numbers"),
    pytest.param(b" " * (gate.MAX_BODY + 1), Reason.TOO_LARGE, id="over the largest message"),
    pytest.param(b"[{}, {]", Reason.NOT_JSON, id="a list that is not one"),
    pytest.param(b"[NaN] ]", Reason.NOT_JSON, id="a list with something behind it"),
]
EVENTS = [
    pytest.param(b"7", Reason.NOT_AN_EVENT, id="a number"),
    pytest.param(b"null", Reason.NOT_AN_EVENT, id="null"),
    pytest.param(b"[null]", Reason.NOT_AN_EVENT, id="a list of null"),
    pytest.param(b"[[[]]]", Reason.NOT_AN_EVENT, id="a list of lists"),
    pytest.param(b"{}", Reason.MISSING_FIELD, id="an empty object"),
    pytest.param(body(type=None), Reason.MISSING_FIELD, id="no type"),
    pytest.param(body(type={"a": 1}), Reason.WRONG_FIELD, id="a type that is an object"),
    pytest.param(body(type="order-placed"), Reason.UNKNOWN_TYPE, id="unknown type"),
    pytest.param(body(type="flower-probe"), Reason.WRONG_FIELD, id="a probe that no collector sent"),
    pytest.param(body(type="task-"), Reason.UNKNOWN_TYPE, id="a type with nothing behind the hyphen"),
    pytest.param(body(type="task-\0"), Reason.NUL, id="NUL in the type"),
    pytest.param(body(type="task-" + "x" * MAX_NAME), Reason.NAME_TOO_LONG, id="long type"),
    pytest.param(body(uuid=None), Reason.MISSING_FIELD, id="no task id"),
    pytest.param(body(uuid=["a"]), Reason.WRONG_FIELD, id="a task id that is a list"),
    pytest.param(body(uuid="x" * 10_000), Reason.TASK_ID_TOO_LONG, id="task id of 10 kB"),
    pytest.param(body(uuid="a\0b"), Reason.NUL, id="NUL in the task id"),
    pytest.param(body(uuid="\ud800"), Reason.SURROGATE, id="half a character in the task id"),
    pytest.param(body(hostname=None), Reason.MISSING_FIELD, id="no host name"),
    pytest.param(body(hostname="a\0"), Reason.NUL, id="NUL in the host name"),
    pytest.param(body(name="app\0"), Reason.NUL, id="NUL in the name"),
    pytest.param(body(name="x" * (MAX_NAME + 1)), Reason.NAME_TOO_LONG, id="long name"),
    pytest.param(body(name=7), Reason.WRONG_FIELD, id="a name that is a number"),
    pytest.param(body(type="task-sent", queue="q\0"), Reason.NUL, id="NUL in the queue"),
    pytest.param(body(timestamp=None), Reason.MISSING_FIELD, id="no timestamp"),
    pytest.param(body(timestamp=math.nan), Reason.NOT_FINITE, id="timestamp NaN"),
    pytest.param(body(timestamp=math.inf), Reason.NOT_FINITE, id="timestamp Infinity"),
    pytest.param(body(timestamp=-1e12), Reason.TIMESTAMP_RANGE, id="timestamp long ago"),
    pytest.param(body(timestamp=1e20), Reason.TIMESTAMP_RANGE, id="timestamp far ahead"),
    pytest.param(body(timestamp=10**400), Reason.TIMESTAMP_RANGE, id="timestamp without end"),
    pytest.param(body(timestamp="now"), Reason.WRONG_FIELD, id="timestamp text"),
    pytest.param(body(timestamp=True), Reason.WRONG_FIELD, id="timestamp true"),
    pytest.param(body(deep=json.loads("[" * 100 + "]" * 100)), Reason.TOO_DEEP, id="a field nested 100 deep"),
]


@pytest.mark.parametrize(("content", "reason"), MESSAGES + EVENTS)
def test_what_cannot_land_is_set_aside_with_its_reason(content: bytes, reason: Reason) -> None:
    opened = gate.open_message(message(content))

    assert [one.reason for one in opened.aside] == [reason]
    assert (opened.tasks, opened.workers) == ([], [])


@pytest.mark.parametrize(("content", "reason"), EVENTS)
def test_one_bad_event_of_a_list_does_not_spoil_its_neighbours(content: bytes, reason: Reason) -> None:
    good = body()

    opened = gate.open_message(message(b"[" + good + b", " + content + b" ," + good + b"]"))

    assert [one.reason for one in opened.aside] == [reason]
    assert [event.task_id for event in opened.tasks] == [TASK, TASK]


def test_only_json_is_read() -> None:
    pickled = gate.open_message(message(body(), content_type="application/x-python-serialize"))
    encoded = gate.open_message(message(body(), content_encoding="utf-16"))
    compressed = gate.open_message(message(bz2.compress(body()), compression="application/x-bz2"))
    unwrapped = gate.open_message(message(b"?", fault=Reason.ENVELOPE))

    opened = (pickled, encoded, compressed, unwrapped)
    assert [one.aside[0].reason for one in opened] == [
        Reason.CONTENT_TYPE, Reason.CONTENT_ENCODING, Reason.COMPRESSED, Reason.ENVELOPE,
    ]  # fmt: skip
    assert not any(one.tasks for one in opened)


def test_set_aside_input_keeps_its_bytes_and_where_it_came_from() -> None:
    opened = gate.open_message(message(b"?"))

    (aside,) = opened.aside
    assert (aside.body, aside.routing_key, aside.content_type) == (b"?", "task.multi", "application/json")
    assert aside.received_at == NOON


@pytest.mark.parametrize(
    ("changed", "reason", "expected"),
    [
        pytest.param({"args": "a\0b"}, Reason.NUL_REPLACED, {"args": "a␀b"}, id="NUL in a text"),
        pytest.param({"x": {"a\0": ["\0"]}}, Reason.NUL_REPLACED, {"x": {"a␀": ["␀"]}}, id="NUL deep inside"),
        pytest.param({"args": "a\ud800"}, Reason.SURROGATE_REPLACED, {"args": "a\ufffd"}, id="half a character"),
        pytest.param({"loss": math.nan}, Reason.NOT_FINITE_REPLACED, {"loss": None}, id="NaN in a custom field"),
        pytest.param({"runtime": -1}, Reason.NUMBER_DROPPED, {"runtime": None}, id="a runtime that no task has"),
        pytest.param({"runtime": 1e300}, Reason.NUMBER_DROPPED, {"runtime": None}, id="a runtime without end"),
    ],
)
def test_what_can_be_mended_lands_and_its_original_is_kept(
    changed: dict[str, object], reason: Reason, expected: dict[str, object]
) -> None:
    content = body(**changed)

    opened = gate.open_message(message(content))

    (event,) = opened.tasks
    assert {name: event.fields[name] for name in expected} == expected
    assert [(one.reason, one.body) for one in opened.aside] == [(reason, content)]


def test_a_text_without_end_keeps_its_two_ends() -> None:
    text = "begin" + "x" * cleaning.MAX_TEXT + "end"

    opened = gate.open_message(message(body(traceback=text)))

    traceback = opened.tasks[0].fields["traceback"]
    assert isinstance(traceback, str)
    assert (traceback.startswith("beginx"), traceback.endswith("xend")) == (True, True)
    assert len(traceback) < cleaning.MAX_TEXT + 100
    assert [one.reason for one in opened.aside] == [Reason.TEXT_CUT]


@pytest.mark.parametrize("clock", [10**30, -1, 2**62 + 1, "x", 1.5, True, [1]])
def test_a_senseless_clock_is_put_to_zero_and_counted(clock: object) -> None:
    opened = gate.open_message(message(body(clock=clock)))

    assert [event.clock for event in opened.tasks] == [0]
    assert (opened.clocks_clamped, opened.aside) == (1, [])


@pytest.mark.parametrize("pid", [2**70, -1, None, "7", True])
def test_a_senseless_process_id_is_put_to_zero(pid: object) -> None:
    opened = gate.open_message(message(body(pid=pid)))

    assert [event.pid for event in opened.tasks] == [0]


def test_an_event_without_a_clock_is_not_counted_as_senseless() -> None:
    opened = gate.open_message(message(body(clock=None)))

    assert ([event.clock for event in opened.tasks], opened.clocks_clamped) == ([0], 0)


def test_a_runtime_of_null_is_no_fault() -> None:
    opened = gate.open_message(message(body(type="task-succeeded", result="3", runtime=None)))

    assert ([event.type for event in opened.tasks], opened.aside) == (["task-succeeded"], [])


def test_unknown_task_events_are_kept_with_all_their_fields() -> None:
    opened = gate.open_message(message(body(type="task-progress", percent=50)))

    (event,) = opened.tasks
    assert (event.type, event.fields["percent"]) == ("task-progress", 50)
    assert {"uuid", "type", "hostname", "timestamp", "pid", "clock", "utcoffset"}.isdisjoint(event.fields)


def test_times_are_the_sender_s_and_its_utc_offset_is_never_applied() -> None:
    opened = gate.open_message(message(body(utcoffset=-9, timestamp=NOON.timestamp() + 0.25)))

    assert [event.at for event in opened.tasks] == [NOON + timedelta(seconds=0.25)]


def test_talk_among_workers_is_counted_and_not_kept() -> None:
    elect = body(type="worker-elect", action={"task": "secret"})

    opened = gate.open_message(message(elect))

    assert (opened.not_kept, opened.tasks, opened.workers, opened.aside) == (1, [], [], [])


def test_a_heartbeat_brings_what_fits_and_leaves_what_does_not() -> None:
    beat = fields(
        type="worker-heartbeat", freq=2.0, active=10**10, processed=5, loadavg=[0.5, 1e300, "x"], sw_ident="py\0celery",
        sw_ver=7, utcoffset=1e9,
    )  # fmt: skip

    (event,) = gate.open_message(message(json.dumps(beat).encode())).workers

    assert (event.freq, event.active, event.processed, event.loadavg) == (2.0, None, 5, (0.5,))
    assert (event.sw_ident, event.sw_ver, event.utcoffset) == ("py␀celery", None, None)


def test_the_longest_allowed_task_id_lands() -> None:
    task_id = "é" * MAX_TASK_ID

    opened = gate.open_message(message(body(uuid=task_id)))

    assert [event.task_id for event in opened.tasks] == [task_id]


def test_the_same_bytes_have_the_same_digest_alone_and_in_a_list() -> None:
    alone = gate.open_message(message(b"  " + body() + b"\n")).tasks
    listed = gate.open_message(message(b"[" + body() + b"," + body(clock=4) + b"]")).tasks
    beside_nan = gate.open_message(message(b"[" + body() + b"," + body(loss=math.nan) + b"]")).tasks

    assert alone[0].digest == listed[0].digest == beside_nan[0].digest
    assert alone[0].digest != listed[1].digest
    assert all(-(2**63) <= event.digest < 2**63 for event in alone + listed)
