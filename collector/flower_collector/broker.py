"""Whether a broker's URL could ever be reached, found out before anything is started. Nothing is connected."""

from collections.abc import Callable
from typing import Protocol, cast

from flower_collector import driver
from flower_store.settings import SettingError

_NUMBERED = ("redis", "rediss", "sentinel", "sentinels")
"""Transports whose path is the number of a database."""

_FORMS = "must be like redis://host:port/number or amqp://user:password@host:port/vhost"


class _Parsed(Protocol):
    """What a kombu connection has read out of its URL."""

    transport: object
    transport_cls: str
    virtual_host: str | None

    def as_uri(self) -> str:
        """Its URL without the password."""
        ...


def check(connect: Callable[[], driver.Connection]) -> None:
    """Raise SettingError for a URL that no attempt could reach; its text is not repeated, it may hold a password."""
    try:
        parsed = cast("_Parsed", connect())
        _ = parsed.transport, parsed.as_uri()  # the transport is looked up and imported here
    except ImportError as error:
        raise _broken(f"needs a Python package that is not installed: {error.name or error}") from error
    except (KeyError, AttributeError) as error:
        raise _broken("must begin with a transport that kombu knows, such as redis:// or amqp://") from error
    except Exception as error:  # kombu and its transports raise whatever parsing gave them
        raise _broken(_FORMS) from error
    number = (parsed.virtual_host or "").strip("/")
    if parsed.transport_cls in _NUMBERED and number and not number.isdecimal():
        raise _broken("the path of a Redis URL is the number of its database")


def _broken(rule: str) -> SettingError:
    return SettingError("broker", "…", rule)
