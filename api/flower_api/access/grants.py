"""Which roles somebody has: patterns of names and e-mail addresses, `operator=*@example.com`, `admin/prod=alice`.

Without any pattern everybody who comes in is an admin, as in Flower. With patterns, whom none fits is not let in.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flower_api.access.permissions import Grant, Role

_RULE = re.compile(r"(?P<role>[a-z]+)(?:/(?P<cluster>[^=]+))?=(?P<pattern>.+)")


class BadRule(ValueError):
    """What a rule must be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who somebody is, as a way of login found out. `email` only where the way has proved that it is theirs."""

    way: str
    name: str
    email: str = ""
    groups: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """Unique over all ways."""
        return f"{self.way}:{self.name}"


@dataclass(frozen=True, slots=True)
class RoleRule:
    """A role for whom the pattern fits, in one cluster or in all."""

    role: Role
    cluster: str | None
    pattern: str

    def fits(self, identity: Identity) -> bool:
        """Whether the whole name, e-mail address or `group:…` is as the pattern says."""
        words = [identity.name, identity.email, *(f"group:{one}" for one in identity.groups)]
        return any(_fits(self.pattern, word) for word in words if word)


def parsed(rules: Sequence[str]) -> tuple[RoleRule, ...]:
    """The rules that these texts are. Raises BadRule."""
    return tuple(map(_rule, rules))


def _rule(text: str) -> RoleRule:
    found = _RULE.fullmatch(text)
    if found is None or found["role"] not in tuple(Role):
        known = ", ".join(Role)
        raise BadRule(f"`{text}` must be ROLE=PATTERN or ROLE/CLUSTER=PATTERN with a role of {known}")
    return RoleRule(Role(found["role"]), found["cluster"], found["pattern"])


def of(identity: Identity, rules: Sequence[RoleRule]) -> tuple[Grant, ...]:
    """The roles of this one; none is a stranger."""
    if not rules:
        return (Grant(Role.ADMIN),)
    return tuple(
        Grant(rule.role, None if rule.cluster is None else frozenset({rule.cluster}))
        for rule in rules
        if rule.fits(identity)
    )


def _fits(pattern: str, word: str) -> bool:
    """`*` alone is everybody; within a pattern it is anything without an @, so that no domain can be slipped in."""
    if pattern == "*":
        return not word.startswith("group:")
    parts = (re.escape(part) for part in pattern.lower().split("*"))
    return re.fullmatch("[^@]*".join(parts), word.lower()) is not None
