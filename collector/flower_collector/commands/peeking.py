"""Looking at what waits in a queue, on Redis, where that changes nothing."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, cast

import msgspec

from flower_collector import driver, secrets
from flower_collector.cleaning import Cleaner
from flower_collector.queues.redis import Channel, client, keys
from flower_collector.queues.way import Unsupported
from flower_collector.reasons import Refused
from flower_collector.redaction import Redaction
from flower_store import outbox
from flower_store.claims import Claim, Ending

MOST_BYTES = 8 * 1024**2
"""Bytes of messages that one look takes from the broker; it ends with the message that passes them."""

MAX_SHOWN = 8_192
"""Characters of one text that are shown."""

NOT_HERE = (
    "only Redis shows what waits without changing it: RabbitMQ would hand the messages out and take them back, as "
    "redelivered, which counts against a quorum queue's delivery limit"
)

_LARGEST = 2**63 - 1

_HEADERS = {
    "id": "id", "task": "name", "argsrepr": "args", "kwargsrepr": "kwargs", "eta": "eta", "expires": "expires",
    "retries": "retries", "root_id": "root_id", "parent_id": "parent_id",
}  # fmt: skip
"""Headers of a task's message (Celery's manual, "Message Protocol", version 2), and what events call the same."""


class _Client(Protocol):
    def lindex(self, name: str, index: int) -> bytes | None: ...


class _Message(msgspec.Struct):
    headers: dict[str, Any] = {}


def peek(
    claim: Claim, opened: tuple[driver.Connection, driver.AmqpChannel], *, kind: str, redaction: Redaction | None
) -> Ending:
    """The messages that will be given out next, the next one first; raises Unsupported.

    The log keeps how many were shown, and whoever asked gets them: their headers alone, for no body is opened.
    """
    if kind != "redis":
        raise Unsupported(NOT_HERE)
    channel = cast("Channel", opened[1])
    name, most = str(claim.target["queue"]), int(cast("int", claim.arguments["limit"]))
    found = [_shown(raw, redaction) for raw in _waiting(cast("_Client", client(channel)), keys(channel, name), most)]
    reply = {"queue": name, "shown": len(found)}
    return Ending(outcome=outbox.DONE, reply=reply, answer=json.dumps(found))


def _waiting(asked: _Client, lists: list[str], most: int) -> Iterator[bytes]:
    """One by one, so that no answer of Redis's is larger than a message."""
    taken = size = 0
    for key in lists:
        place = -1
        while taken < most and size < MOST_BYTES and (raw := asked.lindex(key, place)) is not None:
            taken, size, place = taken + 1, size + len(raw), place - 1
            yield raw


def _shown(raw: bytes, redaction: Redaction | None) -> Mapping[str, object]:
    """What its headers say, as it may be stored; null where they say nothing."""
    try:
        headers = msgspec.json.decode(raw, type=_Message).headers
        fields = Cleaner().fields({ours: headers.get(theirs) for theirs, ours in _HEADERS.items()})
    except (msgspec.MsgspecError, RecursionError, Refused):
        return dict.fromkeys(_HEADERS.values())
    task_id = fields.pop("id")
    hidden = redaction.fields(fields) if redaction is not None else fields
    shown = {"id": task_id, **{name: secrets.masked(value) for name, value in hidden.items()}}
    return {name: _text(value) for name, value in shown.items()}


def _text(value: object) -> object:
    """A number or a text; whatever else a stranger put there is shown as JSON."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST):
        return value
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{text[:MAX_SHOWN]}…" if len(text) > MAX_SHOWN else text
