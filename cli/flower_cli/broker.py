"""The broker's URL, checked before anything is started for it, and shown without its password.

Kombu finds out about an unknown transport when it is told to connect: with a traceback, after the database is up.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import cast

from kombu import connection
from kombu import transport as transports

from flower_cli import suggestions
from flower_cli.configuration import Configuration
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
    return _refused_by_kombu(url, name)


def _refused_by_kombu(url: str, name: str) -> str | None:
    """Nothing is connected here; the transport's module is imported. What it says may hold the password."""
    connect = cast("Callable[[str], connection.Connection]", connection.Connection)
    try:
        transport = connect(url).transport
    except (ImportError, NameError) as error:  # kafka's modules name what they could not import
        return f"transport `{name}` needs a library that is not installed ({error.name})"
    except (ValueError, KeyError, AttributeError):
        return "is no URL that Celery could connect to, such as redis://localhost:6379/0"
    return None if transport else f"transport `{name}` cannot be used"


def _shown(url: str) -> str:
    found = _ADDRESS.fullmatch(url)
    return found["scheme"] + found["place"] if found else f"{url.partition('://')[0]}://…"
