"""Which roles somebody has: by patterns of names and e-mail addresses (`operator=*@example.com`, `admin/prod=alice`)
and by groups that a provider of logins tells (`operator=group:backend`).

Without any pattern everybody who comes in is an admin, as in Flower. With patterns, whom none fits is not let in.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flower_api.access.permissions import Grant, Role

BASIC = "basic"
"""The way of passwords, whose names are those of the configuration."""
PROXY = "proxy"
"""The way of a trusted proxy, whose word is taken for names, too."""
_GROUP = "group:"
_RULE = re.compile(r"(?P<role>[a-z]+)(?:/(?P<cluster>[^=]+))?=(?P<pattern>.+)")


class BadRule(ValueError):
    """What a rule must be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who somebody is, as a way of login found out. `email` only where the way has proved that it is theirs.

    What a provider of logins calls somebody may be of their own choice: no pattern is about that, but about
    their proven address and their groups.
    """

    way: str
    name: str
    email: str = ""
    groups: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """Unique over all ways."""
        return f"{self.way}:{self.name}"

    @property
    def words(self) -> tuple[str, ...]:
        """What patterns are about."""
        return tuple(filter(None, (self.name, self.email) if self.way in (BASIC, PROXY) else (self.email,)))


@dataclass(frozen=True, slots=True)
class RoleRule:
    """A role for whom the pattern fits, in one cluster or in all."""

    role: Role
    cluster: str | None
    pattern: str

    @property
    def of_group(self) -> bool:
        """Whether the pattern is one of groups."""
        return self.pattern.startswith(_GROUP)

    def fits(self, identity: Identity) -> bool:
        """Whether the whole name or e-mail address, or after `group:` a group, is as the pattern says."""
        if self.of_group:
            return self.group(identity.groups) is not None
        return self.pattern == "*" or any(_fits(self.pattern.lower(), word.lower()) for word in identity.words)

    def group(self, groups: Sequence[str]) -> str | None:
        """The first of these groups that the pattern is about, in the case of letters in which it is told."""
        if not self.of_group:
            return None
        return next((one for one in groups if _fits(self.pattern.removeprefix(_GROUP), one)), None)


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


def telling(groups: Sequence[str], rules: Sequence[RoleRule]) -> tuple[str, ...]:
    """Of these groups as many as make every rule fit that all of them do: a cookie has no room for hundreds."""
    found = (rule.group(groups) for rule in rules)
    return tuple(dict.fromkeys(one for one in found if one is not None))


def _fits(pattern: str, word: str) -> bool:
    """Within a pattern `*` is anything without an @, so that no domain can be slipped in."""
    parts = (re.escape(part) for part in pattern.split("*"))
    return re.fullmatch("[^@]*".join(parts), word) is not None
