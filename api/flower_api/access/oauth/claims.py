"""What claims say of somebody: the address, if it is proven, and the groups."""

import re
from collections.abc import Mapping

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_LONGEST = 254
"""Characters of an address (RFC 5321) and of a group."""
_MOST = 10_000
"""Groups that are looked at."""


def email(claims: Mapping[str, object], *, trusted: bool = False) -> str:
    """The address, where it is verified or whoever configured this trusts the provider; otherwise empty."""
    proven = trusted or claims.get("email_verified") in (True, "true")  # some providers send a text
    found = claims.get("email")
    return address(found) if proven else ""


def address(found: object) -> str:
    """The text, if it is like an address; otherwise empty."""
    like_one = isinstance(found, str) and len(found) <= _LONGEST and found.isprintable()
    return str(found) if like_one and _ADDRESS.fullmatch(str(found)) else ""


def groups(claims: Mapping[str, object], claim: str) -> tuple[str, ...]:
    """The groups: a list, or one alone. Dots in the name of the claim are its own, or a path through objects."""
    if not claim:
        return ()
    found = claims[claim] if claim in claims else _followed(claims, claim)
    given = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    kept = (one for one in given[:_MOST] if isinstance(one, str) and 0 < len(one) <= _LONGEST and one.isprintable())
    return tuple(dict.fromkeys(kept))


def _followed(claims: Mapping[str, object], path: str) -> object:
    found: object = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
