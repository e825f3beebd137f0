"""Tasks sent by name: their code is not needed here, so nothing that a decorator says of them is known either."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from amqp.exceptions import ChannelError, PreconditionFailed

from flower_collector import app, secrets
from flower_collector.cleaning import Cleaner
from flower_collector.commands import line, routing
from flower_collector.reasons import Refused
from flower_collector.redaction import Redaction
from flower_store import outbox
from flower_store.claims import Claim

_DATE = "%Y-%m-%d %H:%M:%S.%f"
"""Flower's form of times in options; without a zone they are in the application's."""

_NO_ROUTE = 312
"""AMQP's code of a message that is given back because no queue is bound for it."""

MAX_SHOWN = 8_192
"""Characters of arguments that the log keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What the API put into the payload."""

    args: list[Any]
    kwargs: dict[str, Any]
    options: dict[str, Any]


def published(claim: Claim) -> Published:
    """The payload of a command that sends a task."""
    return Published(**json.loads(claim.payload or "{}"))


def send(cluster: app.App, claim: Claim, opened: routing.Opened, *, kind: str) -> None:
    """Publish the task, under the id that the command names.

    Raises whatever Celery makes of the options, and ValueError where RabbitMQ refuses one: it tells that in the place
    of its receipt, for which Celery does not wait by default.
    """
    what = published(claim)
    options = {name: value for name, value in what.options.items() if name in outbox.OPTIONS}
    if claim.kind != outbox.SEND:
        options |= _normalized(options)
    options |= routing.destination(cluster, claim, options, opened, kind=kind)
    producer = line.producer(opened[1])
    try:
        cast("Any", cluster).send_task(
            claim.target["name"],
            args=what.args,
            kwargs=what.kwargs,
            task_id=claim.target["task"],
            producer=producer,
            retry=False,
            **options,
        )
    except Exception as error:
        if producer.sent:  # the task itself; what failed is the event that tells of it
            return
        if isinstance(error, PreconditionFailed):
            raise ValueError(str(error)) from error  # noqa: TRY004 - a value that the broker refuses
        if isinstance(error, ChannelError) and error.reply_code == _NO_ROUTE:
            raise ValueError(f"{error}: no queue is bound there any more, so name one") from error
        raise


def shown(claim: Claim, redaction: Redaction | None) -> Mapping[str, object]:
    """The arguments as the log may keep them: as texts, without secrets, and cut where they are long."""
    what = published(claim)
    fields: dict[str, object] = {name: secrets.masked(value) for name, value in what.options.items()}
    for name, value in (("args", what.args), ("kwargs", what.kwargs)):
        fields[name] = repr(secrets.masked(value))
    if redaction is not None:
        fields = redaction.fields(fields)
    try:
        fields = Cleaner().fields(fields)
    except Refused:
        fields = {"args": "…", "kwargs": "…"}
    return dict(claim.arguments) | {name: _cut(value) for name, value in fields.items()}


def _cut(value: object) -> object:
    return f"{value[:MAX_SHOWN]}…" if isinstance(value, str) and len(value) > MAX_SHOWN else value


def _normalized(options: Mapping[str, Any]) -> dict[str, object]:
    """Times and numbers as Flower reads them for `apply` and `async-apply`; raises ValueError."""
    found: dict[str, object] = {}
    if "eta" in options:
        found["eta"] = datetime.strptime(options["eta"], _DATE)  # noqa: DTZ007 - in the application's time zone, as Flower took it
    if "countdown" in options:
        found["countdown"] = float(options["countdown"])
    if "expires" in options:
        found["expires"] = _seconds_or_time(options["expires"])
    return found


def _seconds_or_time(value: Any) -> float | datetime:  # noqa: ANN401 - a JSON value
    try:
        return float(value)
    except ValueError:
        return datetime.strptime(value, _DATE)  # noqa: DTZ007 - in the application's time zone, as Flower took it
