"""What somebody who may publish to the broker can send: messages that broke naive collectors or Celery's own receiver.

Each is (body, content type, headers). None of them is an event that could land, but those in `LANDS`.
"""

import bz2
import gzip
import json
import math
import pickle
from collections.abc import Mapping

from tests.collector.messages import body, fields

JSON = "application/json"
Hostile = tuple[bytes, str, Mapping[str, str]]


def _compressed(content: bytes, name: str) -> Hostile:
    return (content, JSON, {"compression": name})


BOMBS: tuple[Hostile, ...] = (
    _compressed(bz2.compress(bytes(300_000_000)), "application/x-bz2"),
    _compressed(gzip.compress(bytes(300_000_000)), "application/x-gzip"),
    _compressed(b"?", "application/x-unknown"),
)

_NO_EVENTS = (
    b"", b"\xff\xfe", b"not JSON", b"7", b"null", b'"text"', b"[null]", b"[[[]]]", b"{}", b"[" * 100_000,
    b'{"a":' * 100_000, b'{"type": 7}', b'{"type": "task-sent"}', b"9" * 5_000, b"[{}]",
    body(type=None), body(type={"a": 1}), body(type="x" * 10_000), body(type="order-placed"), body(type="task-\0"),
    body(uuid=None), body(uuid=["a"]), body(uuid=7), body(uuid="x" * 10_000), body(uuid="a\0b"),
    body(hostname=None), body(hostname="h" * 10_000), body(hostname="h\0"),
    body(timestamp=None), body(timestamp="now"), body(timestamp=math.nan), body(timestamp=math.inf),
    body(timestamp=1e20), body(timestamp=-1e12), body(timestamp=True),
)  # fmt: skip

REFUSED: tuple[Hostile, ...] = (
    *((content, JSON, {}) for content in _NO_EVENTS),
    (pickle.dumps(fields()), "application/x-python-serialize", {}),
    (b"a: 1", "application/x-yaml", {}),
    (body(), "application/x-nobody", {}),
)

LANDS: tuple[Hostile, ...] = tuple(
    (content, JSON, {})
    for content in (
        body(uuid="nul-in-args", args="a\0b"),
        body(uuid="half-a-pair", args="\ud800"),
        body(uuid="endless-clock", clock=10**30),
        body(uuid="large-pid", pid=2**70),
        body(uuid="nan-in-args", args=math.nan),
        body(uuid="typed", args={"__type__": "uuid", "__value__": {"hex": "x"}}),
        body(uuid="retries", retries=10**40),
        body(uuid="<script>alert(1)</script>", name="'; DROP TABLE task; --"),
        json.dumps(fields(uuid="long-text", args="x" * 2_000_000)).encode(),
    )
)
