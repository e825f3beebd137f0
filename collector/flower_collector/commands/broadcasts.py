"""Celery's remote control: one command to workers, and their replies."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, cast

import msgspec
from celery.app.control import Control

from flower_collector import app, driver, replies, secrets
from flower_collector.cleaning import Cleaner
from flower_collector.commands import line
from flower_collector.reasons import Refused
from flower_store.claims import Claim

PATIENCE = 10.0
"""Seconds that a worker may take to reply: longer than a request waits, so that a late reply is still in the log."""

MANY_PATIENCE = 1.0
"""Seconds for the replies of all workers, whose number is a guess. It is Celery's own default."""

_UNREADABLE = {"error": "a reply that cannot be shown"}


class _Enough(Exception):
    """Every worker has replied."""


def ask(
    cluster: app.App,
    claim: Claim,
    opened: tuple[driver.Connection, driver.AmqpChannel],
    *,
    workers: int,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, object]:
    """Send it, to the worker that it names or to all, and return replies by host name; `workers` is how many live.

    A reply that comes late to the question before is not counted: kombu itself would end the wait with it.
    """
    worker = claim.target.get("worker")
    expected = 0 if claim.kind == "shutdown" else 1 if worker else workers
    patience = PATIENCE if worker else MANY_PATIENCE
    found: dict[str, object] = {}
    until = clock() + patience

    def heard(reply: object) -> None:
        found.update(_cleaned(reply))
        if len(found) >= expected or clock() >= until:
            raise _Enough

    connection, channel = opened
    with suppress(_Enough):
        _control(cluster).broadcast(
            claim.kind,
            arguments=_arguments(claim),
            destination=[worker] if worker else None,
            connection=connection,
            channel=channel,
            reply=expected > 0,
            timeout=patience,
            limit=_NO_LIMIT,
            callback=heard,
        )
    return found


_NO_LIMIT = 1_000_000


def _control(cluster: app.App) -> Any:  # noqa: ANN401 - Celery ships no types
    """One of its own: the inspection empties what replies the application's has kept."""
    control = cast("Any", Control)(cluster)
    line.once(control)
    return control


def _arguments(claim: Claim) -> dict[str, object]:
    """As Celery's own `control` methods send them."""
    given = dict(claim.arguments)
    match claim.kind:
        case "revoke":
            return given | {"task_id": claim.target.get("tasks") or claim.target["task"]}
        case "rate_limit" | "time_limit":
            return given | {"task_name": claim.target["name"]}
        case "pool_restart":
            return given | {"reload": False}
        case "shutdown":
            return {}
        case _:
            return given


def _cleaned(reply: object) -> Mapping[str, object]:
    """One worker's reply by its host name, as the store can hold it."""
    if not isinstance(reply, Mapping):
        return {}
    return {host: _shown(value) for host, value in reply.items() if isinstance(host, str) and "\0" not in host}


def _shown(value: object) -> object:
    try:
        text = msgspec.json.encode(Cleaner().fields({"reply": value})["reply"], enc_hook=str)
    except (Refused, TypeError, ValueError, RecursionError, OverflowError):
        return _UNREADABLE
    return secrets.masked(msgspec.json.decode(text)) if len(text) <= replies.MAX_REPLY else _UNREADABLE
