"""The address of RabbitMQ's management API, read from any form of its URL. Pure.

Flower's manual has `http://user:password@host:15672/api/`; without the slash or without `/api`, behind a path prefix,
and with a virtual host at its end, it means the same.
"""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

HTTP, HTTPS = 15_672, 15_671
"""Ports of the management plugin."""

RULE = "must be like http://user:password@host:15672/api/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where it is, and as whom to ask: `user` is None where the URL does not say."""

    host: str
    port: int
    secure: bool
    path: str = "/api"
    user: str | None = None
    password: str = ""

    def __str__(self) -> str:
        """For the log, so without the password."""
        return f"{'https' if self.secure else 'http'}://{self.host}:{self.port}{self.path}"


def parse(url: str) -> Address:
    """The address; raises ValueError, which does not repeat the URL."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise ValueError(RULE) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError(RULE)
    secure = parts.scheme == "https"
    return Address(
        host=parts.hostname,
        port=port or (443 if secure else 80),
        secure=secure,
        path=_path(parts.path),
        user=None if parts.username is None else unquote(parts.username),
        password=unquote(parts.password or ""),
    )


def _path(path: str) -> str:
    """Up to `/api`, which is added where it is missing."""
    prefix = f"{path.rstrip('/')}/".partition("/api/")[0]
    return f"{prefix.rstrip('/')}/api"
