"""Options of a task that is sent (Celery's manual, `Task.apply_async`): what each may be, told before it is sent."""

from collections.abc import Callable, Mapping
from datetime import datetime

from litestar.exceptions import ClientException

from flower_store import outbox

_Check = Callable[[object], bool]


def check(options: Mapping[str, object], *, sent_as_given: bool) -> None:
    """Refuse what Celery does not have or cannot use. `sent_as_given`: times go out as they are, not read as Flower's.

    Raises ClientException that names the option and its rule.
    """
    rules = {**_RULES, **_TIMES} if sent_as_given else _RULES
    for option, value in options.items():
        if option not in outbox.OPTIONS:
            raise ClientException(f"Invalid option '{option[:100]}'")
        is_right, rule = rules.get(option, _ANY)
        if value is not None and not is_right(value):
            raise ClientException(f"{option}: must be {rule}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_time(value: object) -> bool:
    try:
        datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        return False
    return True


_ANY: tuple[_Check, str] = (lambda _: True, "")
_TEXT: tuple[_Check, str] = (_is_text, "a text that is not empty")
_NUMBER: tuple[_Check, str] = (_is_number, "a number of seconds")
_ISO = "a time such as 2026-12-31T12:00:00+00:00"

_RULES: Mapping[str, tuple[_Check, str]] = {
    **dict.fromkeys(("queue", "exchange", "routing_key", "serializer"), _TEXT),
    **dict.fromkeys(("time_limit", "soft_time_limit"), _NUMBER),
    **dict.fromkeys(("priority", "retries", "delivery_mode"), (_is_whole, "a whole number")),
    "headers": (lambda value: isinstance(value, dict), "an object"),
}
_TIMES: Mapping[str, tuple[_Check, str]] = {
    "countdown": _NUMBER,
    "eta": (_is_time, _ISO),
    "expires": (lambda value: _is_number(value) or _is_time(value), f"a number of seconds, or {_ISO}"),
}
