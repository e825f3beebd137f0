"""The broker's URL, checked before anything is started for it, and shown without its password.

The collector checks it too, but in `flower up` only after the database is there.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import cast

from kombu import connection
from kombu import transport as transports

import flower_collector.broker
from flower_cli import suggestions
from flower_cli.configuration import Configuration
from flower_collector import driver
from flower_collector.settings import CollectorSettings
from flower_store.settings import SettingError

# Celery's form for several brokers, which are tried in turn.
SEPARATOR = ";"
# An address that is written in any other way may hold its password anywhere.
_ADDRESS = re.compile(r"(?P<scheme>[\w+.]+://)([^@/?]*@)?(?P<place>[\w.:\[\],-]*(/[^@?]*)?)(\?[^@]*)?")
KNOWN = cast("Mapping[str, object]", transports.TRANSPORT_ALIASES)


def check(configuration: Configuration) -> None:
    """Raise Refused for a URL that no broker can have here; none at all may come from the app."""
    for url in _urls(configuration.settings(CollectorSettings).broker):
        if rule := _broken_rule(url):
            raise configuration.refusal(SettingError("broker", "…", rule))


def shown(broker: str) -> str:
    """Where it is, for people: `redis://localhost:6379/0`, without user, password and options."""
    return SEPARATOR.join(map(_shown, _urls(broker)))


def called(settings: CollectorSettings) -> str:
    """What a sentence calls it; only its process knows the broker of an app."""
    if settings.broker:
        return f"the broker {shown(settings.broker)}"
    return f"the broker of {settings.app}" if settings.app else "the broker"


def _urls(broker: str) -> Iterator[str]:
    return (url.strip() for url in broker.split(SEPARATOR) if url.strip())


def _broken_rule(url: str) -> str | None:
    scheme, separator, _ = url.partition("://")
    name = scheme.partition("+")[0]
    if not separator or not re.fullmatch(r"[\w.]+", name):
        return "must be a URL, such as redis://localhost:6379/0"
    if name not in KNOWN and "." not in name:  # a dot: the path of somebody's own transport
        guess = suggestions.did_you_mean(name, KNOWN) or f"; known are {', '.join(sorted(KNOWN, key=str.lower))}"
        return f"unknown transport `{name}`{guess}"
    return _refused_by_collector(url)


def _refused_by_collector(url: str) -> str | None:
    connect = cast("Callable[[str], driver.Connection]", connection.Connection)
    try:
        flower_collector.broker.check(lambda: connect(url))
    except SettingError as error:
        return error.rule
    return None


def _shown(url: str) -> str:
    found = _ADDRESS.fullmatch(url)
    return found["scheme"] + found["place"] if found else f"{url.partition('://')[0]}://…"
