"""What workers answer to an inspection, as values that the store can hold. Pure; its secrets are hidden."""

from collections.abc import Mapping, Sequence

import msgspec

from flower_collector import secrets
from flower_collector.cleaning import Cleaner, has_surrogate
from flower_collector.reasons import Refused
from flower_store.events import MAX_NAME

MAX_REPLY = 4 * 1024**2
"""Bytes of one worker's answer to one method, as JSON; a worker with 10,000 registered tasks needs one."""


def by_host(answers: Sequence[object] | None) -> dict[str, object]:
    """Answers by host name, from Celery's form `[{host: answer}, …]`; what is not of this form is left out."""
    found: dict[str, object] = {}
    for answer in answers or ():
        if isinstance(answer, Mapping):
            found |= {host: cleaned for host, value in answer.items() if _names(host) for cleaned in _cleaned(value)}
    return found


def _names(host: object) -> bool:
    return isinstance(host, str) and 0 < len(host) <= MAX_NAME and "\0" not in host and not has_surrogate(host)


def _cleaned(value: object) -> list[object]:
    """The answer, or nothing where it is an error or cannot be held."""
    if isinstance(value, Mapping) and list(value) == ["error"]:
        return []
    try:
        fields = Cleaner().fields({"reply": value})
        text = msgspec.json.encode(fields["reply"], enc_hook=str)
    except (Refused, TypeError, ValueError, RecursionError, OverflowError):
        return []
    return [secrets.masked(msgspec.json.decode(text))] if len(text) <= MAX_REPLY else []
