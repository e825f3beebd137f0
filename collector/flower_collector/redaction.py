"""What must not be stored is hidden here, between the gate and the batch: nothing after it sees the original.

It fails closed: what cannot be taken apart safely while a rule could match is hidden whole, and so is an event on which
the redaction itself fails. Without a rule there is no Redaction, and no cost.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import structlog

from flower_collector import cleaning
from flower_collector.gate import Opened
from flower_collector.representations import HIDDEN, Names, Unclear
from flower_collector.settings import EVERYTHING, CollectorSettings
from flower_store.events import SetAside, TaskEvent

log = structlog.get_logger()

REDACTION_DEFECT = "redaction defect"

_ARGUMENTS = frozenset({"args", "kwargs"})
_RESULTS = frozenset({"result"})
# What Celery itself writes about a task: names, ids, numbers and times.
_OF_CELERY = frozenset({
    "name", "queue", "exchange", "routing_key", "root_id", "parent_id", "eta", "expires", "retries", "runtime",
    "requeue", "terminated", "expired", "signum",
})  # fmt: skip
_TYPES = frozenset(
    f"task-{kind}"
    for kind in (
        "sent", "received", "started", "succeeded", "failed", "rejected", "revoked", "retried", "cancelled",
    )
)  # fmt: skip
_FRAME = re.compile(r'  File "[^"\n]*", line \d+, in \S+')
_CUT = re.compile(r"[^\s'\",]*\.\.\.")


@dataclass(frozen=True, slots=True)
class Redaction:
    """The rules of one collector."""

    names: Names
    values: re.Pattern[str] | None
    whole: frozenset[str]
    everything: bool = False

    def apply(self, opened: Opened) -> None:
        """Hide in all that one message held."""
        opened.tasks = [self.event(event) for event in opened.tasks]
        opened.aside = [_without_body(one) for one in opened.aside]

    def event(self, event: TaskEvent) -> TaskEvent:
        """The event as it may be stored."""
        try:
            fields = self.fields(event.fields, celery=event.type in _TYPES)
        except Exception:  # the original must not be stored because of a defect of ours
            log.exception(REDACTION_DEFECT)
            fields = _hidden(event.fields)
        return msgspec.structs.replace(event, fields=fields)

    def fields(self, fields: Mapping[str, object], *, celery: bool = True) -> dict[str, object]:
        """An event's fields as they may be stored; `celery` where the event is one of Celery's own types."""
        if self.everything:
            return _hidden(fields)
        if not celery:
            shown = self._structure(dict(fields))
            return shown if isinstance(shown, dict) else {"fields": shown}
        return {name: self._field(name, value) for name, value in fields.items()}

    def _field(self, name: str, value: object) -> object:
        if name in _OF_CELERY and not isinstance(value, dict | list):
            return value
        if value is None or (name not in self.whole and not self.names.mentioned(name)):
            return self._traceback(value) if name == "traceback" else self._of_field(value)
        return HIDDEN

    def _of_field(self, value: object) -> object:
        return self._text(value) if isinstance(value, str) else self._structure(value)

    def _text(self, text: str) -> str:
        """A representation, or a sentence."""
        if len(text) > cleaning.MAX_TEXT:  # its middle was cut out, and may have held the name
            return HIDDEN
        try:
            return self._matched(self.names.hide(text))
        except Unclear:
            return HIDDEN

    def _traceback(self, value: object) -> object:
        """Of a traceback that mentions a name, its frames remain: files and lines, no source and no message."""
        if not isinstance(value, str) or self._text(value) != HIDDEN:
            return self._of_field(value)
        frames = [line for line in value.splitlines() if _FRAME.fullmatch(line)]
        return "\n".join([*map(self._matched, frames), HIDDEN])

    def _matched(self, text: str) -> str:
        """Without what the values' pattern finds, and what it would have found had Celery not cut it off."""
        if self.values is None:
            return text
        return _CUT.sub(HIDDEN, self.values.sub(HIDDEN, text))

    def _structure(self, value: object) -> object:
        """A JSON value; a container in which a name stands as a value is hidden whole."""
        match value:
            case str():
                return HIDDEN if len(value) > cleaning.MAX_TEXT or self.names.mentioned(value) else self._matched(value)
            case dict():
                return self._object(value)
            case list():
                if any(isinstance(one, str) and self.names.mentioned(one) for one in value):
                    return HIDDEN
                return [self._structure(one) for one in value]
            case bool() | None:
                return value
            case _:
                return HIDDEN if self.values and self.values.search(str(value)) else value

    def _object(self, value: dict[str, object]) -> object:
        named = {name for name in value if self.names.mentioned(name)}
        for name, one in value.items():
            said = name not in named and isinstance(one, str) and self.names.mentioned(one)
            if said or (self.values and self.values.search(name)):
                return HIDDEN
        return {name: HIDDEN if name in named else self._structure(one) for name, one in value.items()}


def of(settings: CollectorSettings) -> Redaction | None:
    """The redaction that these settings ask for; None where they ask for none."""
    whole = (frozenset() if settings.store_args else _ARGUMENTS) | (frozenset() if settings.store_results else _RESULTS)
    if not (settings.redact or settings.redact_values or whole):
        return None
    # A word is found anywhere in a name; whoever writes it as a pattern, `*token*` or `pass*`, gets no less.
    words = tuple(word.strip(EVERYTHING) for word in settings.redact if word != EVERYTHING)
    values = re.compile(settings.redact_values) if settings.redact_values else None
    return Redaction(Names(words), values, whole, everything=EVERYTHING in settings.redact)


def _hidden(fields: Mapping[str, object]) -> dict[str, object]:
    """Only what Celery itself says about the task; of anything else not even its name."""
    kept = {name: one for name, one in fields.items() if name in _OF_CELERY and not isinstance(one, dict | list)}
    known = (_ARGUMENTS | _RESULTS | {"exception", "traceback"}) & fields.keys()
    return kept | {name: HIDDEN for name in known if fields[name] is not None}


def _without_body(one: SetAside) -> SetAside:
    """What could not be read cannot be searched."""
    return msgspec.structs.replace(one, body=f"{HIDDEN} {len(one.body)} bytes".encode())
