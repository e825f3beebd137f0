"""Which proxies are believed, and the rules that their settings must keep."""

import hashlib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flower_store.settings import SettingError

if TYPE_CHECKING:
    from litestar.types import Scope

    from flower_api.settings import ApiSettings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

UNIX = "unix"
"""Whoever comes by the Unix socket, which has no addresses."""

_PEER = "flower_proxy"
_HEADER = re.compile(r"[A-Za-z0-9-]+")
_NOT_A_NAME = frozenset(
    {"authorization", "cookie", "forwarded", "host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}
)
_BY_HEADER = ("proxy_user_header", "proxy_email_header", "proxy_groups_header")


@dataclass(frozen=True, slots=True)
class Trusted:
    """Addresses and networks whose word is taken."""

    networks: tuple[Network, ...]
    unix: bool

    def address(self, found: Address) -> bool:
        """Whether one of them has this address."""
        return any(found in network for network in self.networks)

    def peer(self, client: tuple[str, int] | None) -> bool:
        """Whether the connection is one of theirs; None is one by the Unix socket."""
        if client is None:
            return self.unix
        found = address(client[0])
        return found is not None and self.address(found)


def parsed(words: Sequence[str]) -> Trusted:
    """Raises ValueError with the rule."""
    networks = tuple(_network(word) for word in words if word != UNIX)
    return Trusted(networks, UNIX in words)


def address(text: str) -> Address | None:
    """An address, perhaps with a port (`192.0.2.7:80`, `[2001:db8::7]:80`); an IPv4 one in IPv6's form is IPv4."""
    bare = text.strip().strip('"')
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ipaddress.ip_address(bare.partition("%")[0])  # what stands behind % may be anything
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def note(scope: "Scope", peer: str) -> None:
    """Keep who the proxy is: the request itself will name the client."""
    scope[_PEER] = peer  # type: ignore[literal-required]  # ASGI lets layers add keys


def of(scope: "Scope") -> str:
    """The trusted proxy that this request came through last; empty where there is none."""
    found = scope.get(_PEER, "")
    return found if isinstance(found, str) else ""


def mark(settings: "ApiSettings") -> str:
    """Changes with the header; empty without one."""
    header = settings.proxy_user_header.lower()
    return hashlib.sha256(f"proxy\n{header}".encode()).hexdigest() if header else ""


def check(settings: "ApiSettings") -> None:
    """Raises SettingError."""
    given: Mapping[str, str] = {name: getattr(settings, name) for name in _BY_HEADER if getattr(settings, name)}
    try:
        parsed(settings.trusted_proxies)
    except ValueError as error:
        raise SettingError("trusted_proxies", ",".join(settings.trusted_proxies), str(error)) from None
    _check_use(settings, given)
    for name, header in given.items():
        if not _HEADER.fullmatch(header) or header.lower() in _NOT_A_NAME:
            raise SettingError(name, header, "must be the name of a header of its own, such as X-Forwarded-User")
    if given and not settings.proxy_user_header:
        raise SettingError(*next(iter(given.items())), "is of no use without proxy_user_header")


def _check_use(settings: "ApiSettings", given: Mapping[str, str]) -> None:
    needing = {"xheaders": settings.xheaders, "forwarded": settings.forwarded, **given}
    for name, value in needing.items():
        if value and not settings.trusted_proxies:
            raise SettingError(name, value, "must not be anybody's word: name the proxies in trusted_proxies")
    if settings.xheaders and settings.forwarded:
        rule = (
            "must not stand beside xheaders: a proxy writes one of them, and lets the other through as anybody wrote it"
        )
        raise SettingError("forwarded", settings.forwarded, rule)
    if settings.trusted_proxies and not any(needing.values()):
        rule = "are believed nothing: say what by xheaders, forwarded or proxy_user_header"
        raise SettingError("trusted_proxies", ",".join(settings.trusted_proxies), rule)


def _network(word: str) -> Network:
    try:
        return ipaddress.ip_network(word)
    except ValueError as error:
        rule = f"must be addresses, networks such as 10.0.0.0/8, or {UNIX} for the Unix socket"
        raise ValueError(f"{rule} ({error})") from None
