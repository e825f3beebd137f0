"""Hides secrets in any text that leaves the process: passwords of URLs, and the values given as secret settings.

The last net, not the first: nothing should log a secret. It works on the finished text, so nothing slips by in
an exception, a nested value or another library's message.
"""

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

HIDDEN = "***"
# Shorter ones, such as a user `guest` with the password `guest`, would hide half of every line.
SHORTEST = 6
# scheme://user:password@ ; the password ends at the last @ before the path, as it may hold one itself.
_URL_PASSWORD = re.compile(r"(?P<before>[a-zA-Z][\w+.-]*://[^\s:/@'\"]*:)[^\s/'\"]+(?P<after>@)")

_SECRET_NAME = re.compile(r"password|secret|token", re.IGNORECASE)
_SECRET_FIELD = re.compile(r'"[^"]*(?:password|secret|token)[^"]*"\s*:\s*"([^"]+)"', re.IGNORECASE)


class Mask:
    """`mask(text)` is the text without the secrets."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        words = {form for secret in secrets for word in _words(secret) for form in _forms(word)}
        # The longest first, or a part of it would be replaced and its rest remain.
        ordered = sorted(words, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        """The text as it may be shown."""
        text = _URL_PASSWORD.sub(rf"\g<before>{HIDDEN}\g<after>", text)
        return self._secrets.sub(HIDDEN, text) if self._secrets else text


def _words(secret: str) -> Iterator[str]:
    """What of a secret value must not be seen: of a URL its password, of JSON its secret fields, otherwise all."""
    if secret.lstrip().startswith("{"):
        yield from _fields(secret)
    elif "://" in secret:
        for url in secret.split(";"):  # Celery's form for several brokers
            yield from _of_url(url.strip())
    else:
        yield from _long_enough(secret)


def _fields(text: str) -> Iterator[str]:
    for value in _SECRET_FIELD.findall(text):
        yield from _long_enough(value)


def _of_url(url: str) -> Iterator[str]:
    if "@" in url:
        yield url  # for one that is written in a way which the lines below do not expect
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    named = [value for name, value in parse_qsl(parts.query) if _SECRET_NAME.search(name)]
    if parts.password and parts.password != parts.username:
        named += [parts.password, unquote(parts.password)]
    for word in named:
        yield from _long_enough(word)


def _long_enough(word: str) -> Iterator[str]:
    if len(word) >= SHORTEST:
        yield word


def _forms(word: str) -> tuple[str, ...]:
    """The word itself, and as JSON and Python write it."""
    return word, json.dumps(word)[1:-1], repr(word)[1:-1]
