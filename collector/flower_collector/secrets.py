"""Hides secrets in what workers say of their configuration, before it is stored. Pure.

Celery censors its own `conf` by key alone, and not well: `sentry_dsn` and a URL under a name of the user's came
through, and so did the passwords in `stats` under `transport_options`.
"""

import re

HIDDEN = "********"

_NAMES = re.compile(
    r"passw|passphrase|secret|token|credential|dsn$|apikey|accesskey|privatekey|encryptionkey|signingkey", re.IGNORECASE
)
"""In a name without its separators."""
_SEPARATORS = re.compile(r"[-_.\s]+")
# scheme://user:password@, the password up to the last @ before the path, since it may hold one itself.
_IN_URL = re.compile(r"(?P<before>\b[a-zA-Z][\w+.-]*://[^\s:/@'\"]*:)[^\s/'\"]+(?P<after>@)")


def masked(value: object) -> object:
    """The value with every secret hidden: texts under a telling name, and passwords in URLs anywhere."""
    if isinstance(value, dict):
        return {name: _under(str(name), inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner) for inner in value]
    if isinstance(value, str):
        return _IN_URL.sub(rf"\g<before>{HIDDEN}\g<after>", value)
    return value


def _under(name: str, value: object) -> object:
    plain = isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""
    return HIDDEN if plain and _NAMES.search(_SEPARATORS.sub("", name)) else masked(value)
