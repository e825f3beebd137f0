"""Hostile bytes without end: genuine messages, changed at random places in ways that have broken decoders."""

import json
import random
from collections.abc import Iterator

from tests.collector.messages import TASK, fields

from flower_collector import gate
from flower_store.events import MAX_NAME, MAX_TASK_ID, Event

_SENT = fields(type="task-sent", queue="celery", routing_key="celery", exchange="", root_id=TASK, eta=None)
_CORPUS = [
    json.dumps(story).encode()
    for story in (
        fields(),
        _SENT,
        fields(type="task-succeeded", result="'3'", runtime=0.25),
        fields(type="task-failed", exception="E('x')", traceback="a\n\tb"),
        fields(type="task-progress", done=[1, {"a": None}]),
        fields(type="worker-heartbeat", freq=2.0, loadavg=[1, 2, 3], active=1, processed=7, sw_ver="5.7.0"),
        [fields(), fields(type="task-started")],
        [_SENT, {"type": "worker-elect"}, []],
    )
]
_PIECES = (
    b"null", b"NaN", b"-Infinity", b"1e400", b"1" * 40, b'"\\ud800"', b'"\\u0000"', b"\x00", b"\xff\xfe", b"[[[[",
    b"{" * 70, b"[" * 1_500, b'"' + b"a" * 1_100 + b'"', b"true", b"-1", b"1e15", b'"task-"', b'"worker-online"',
    b"\xed\xa0\x80", b"", b"7", b"{}", b'"text"',
)  # fmt: skip

_HARMED, _KEPT = 0.2, 0.7


def mutated(chance: random.Random) -> Iterator[bytes]:
    """One input after the other, for as long as they are asked for."""
    while True:
        content = bytearray(chance.choice(_CORPUS))
        for _ in range(chance.randint(1, 3)):
            change(content, chance)
        yield bytes(content)


def mutated_entry(content: bytes, chance: random.Random) -> dict[bytes, bytes]:
    """An entry of the add-on's stream with this body, some of whose fields are changed, missing or strange."""
    entry = {
        b"body": content,
        b"content-type": b"application/json",
        b"content-encoding": b"utf-8",
        b"routing-key": b"x",
    }
    for name in list(entry):
        if chance.random() < _HARMED:
            changed = bytearray(entry.pop(name))
            change(changed, chance)
            if chance.random() < _KEPT:
                entry[name] = bytes(changed)
    return entry


def change(content: bytearray, chance: random.Random) -> None:
    """Change it at one random place."""
    start = chance.randrange(len(content) + 1)
    end = min(len(content), start + chance.choice((0, 1, 1, 4, 12)))
    match chance.choice((0, 1, 2, 3, 3, 3, 3, 3)):
        case 0:
            content[start:end] = chance.choice(_PIECES)
        case 1:
            content[start:end] = content[: chance.randrange(40)]
        case 2:
            content[start:end] = chance.randbytes(end - start)
        case _:
            _put_value(content, chance)


def _put_value(content: bytearray, chance: random.Random) -> None:
    """Another value behind some colon: the JSON stays one more often than by blind changes."""
    colon = content.find(b": ", chance.randrange(len(content) + 1))
    comma = content.find(b", ", colon)
    if 0 <= colon < comma:
        content[colon + 2 : comma] = chance.choice(_PIECES)


def check(opened: gate.Opened) -> None:
    """What the gate lets in keeps the store's bounds; nothing disappears."""
    assert opened.tasks or opened.workers or opened.aside or opened.not_kept or opened == gate.Opened()
    events: list[Event] = [*opened.tasks, *opened.workers]
    for event in events:
        assert 0 <= event.clock < 2**63
        assert 0 <= event.pid < 2**31
        assert 0 < len(event.hostname) <= MAX_NAME
        event.hostname.encode()
    for task in opened.tasks:
        assert 0 < len(task.task_id) <= MAX_TASK_ID
        assert -(2**31) <= task.digest < 2**31
        task.task_id.encode()
