"""What a search is: its terms, its keys, and which of them need a time range. `query_text` reads and writes it.

Pure: no database, no clock.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final, TypeAlias

from flower_store import states, timewords

SHORTEST_ID: Final = 8
"""Characters of the beginning of an id: fewer would find half of all tasks."""

IS: Final = (
    "running", "waiting", "lost", "stuck", "overdue", "ended_unseen", "late", "slow", "retried", "eta", "root",
)  # fmt: skip


class BadQuery(ValueError):
    """The text is no query: the rule that it breaks, and how many characters stand before the place."""

    def __init__(self, rule: str, position: int) -> None:
        self.rule = rule
        self.position = position
        super().__init__(f"at position {position}: {rule}")


@dataclass(frozen=True, slots=True)
class Value:
    """A text, whole or the beginning of one."""

    text: str
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """A text without a key: the beginning of an id or of a name."""

    value: Value
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Has:
    """The key has one of the values."""

    key: str
    values: tuple[Value, ...]
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written; in seconds where it has a unit."""

    text: str

    @property
    def value(self) -> float:
        """The number itself."""
        digits = self.text.rstrip("dhms")
        return float(digits) * timewords.UNITS.get(self.text[len(digits) :], 1.0)


@dataclass(frozen=True, slots=True)
class Compare:
    """The number under the key is larger, smaller, or as large: `sign` is one of > >= < <=."""

    key: str
    sign: str
    number: Number
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Between:
    """The number under the key lies between two, both included."""

    key: str
    low: Number
    high: Number
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """What does not match."""

    child: "Query"


@dataclass(frozen=True, slots=True)
class And:
    """All of at least two."""

    children: tuple["Query", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of at least two."""

    children: tuple["Query", ...]


Query: TypeAlias = Word | Has | Compare | Between | Not | And | Or


class Kind(Enum):
    """How the values of a key are read."""

    TEXT = "a text, or its beginning and *"
    PART = "a text"
    PATH = "a text among the arguments"
    ID = "a whole id, or at least 8 characters of one and *"
    STATE = f"one of {', '.join(states.ALL)}"
    IS = f"one of {', '.join(IS)}"
    MOMENT = "a time"
    LENGTH = "a length of time such as 300ms, 30s, 5m, 2h or 1d"
    COUNT = "a whole number"
    GROUP = "the number of an error group"


KEYS: Final[dict[str, Kind]] = {
    "id": Kind.ID, "root": Kind.ID, "parent": Kind.ID, "children-of": Kind.ID,
    "state": Kind.STATE, "is": Kind.IS,
    "name": Kind.TEXT, "queue": Kind.TEXT, "worker": Kind.TEXT, "routing": Kind.TEXT, "exchange": Kind.TEXT,
    "error": Kind.TEXT, "group": Kind.GROUP,
    "args": Kind.PART, "kwargs": Kind.PART, "result": Kind.PART, "text": Kind.PART,
    "runtime": Kind.LENGTH, "wait": Kind.LENGTH, "retries": Kind.COUNT,
    "after": Kind.MOMENT, "before": Kind.MOMENT,
}  # fmt: skip
"""Every key; beside them there are the paths `args.0` and `kwargs.user.id`."""

UNTOLD: Final = {
    "priority": "no event tells a task's priority",
    "header": "no event tells a task's headers",
    "stamp": "no event tells a task's stamps",
    "chord": "no event tells a task's chord",
}
"""Keys of the language that cannot be answered, and why."""

SCANS: Final = frozenset({"text", "args", "kwargs", "result", "routing", "exchange"})
"""Keys for which rows are read one by one, and so are paths: they need a short time range or a key beside them."""

NARROW: Final = frozenset({"id", "name", "worker", "state", "is", "parent", "children-of", "group"})
"""Keys that an index answers."""


def check_bounds(query: Query, *, now: datetime, bounded: bool = False) -> None:
    """Raise BadQuery where rows of more than a day would be read one by one. `bounded` says that they are fewer."""
    match query:
        case And(children):
            bounded = bounded or any(_narrows(child, now) for child in children)
            for child in children:
                check_bounds(child, now=now, bounded=bounded)
        case Or(children):
            for child in children:
                check_bounds(child, now=now, bounded=bounded)
        case Not(child):
            check_bounds(child, now=now, bounded=bounded)
        case Has(key, _, position) if not bounded and (key in SCANS or "." in key):
            rule = (
                f"{key} needs a time range of at most 24 hours (after:-24h), or a name, worker, state or id beside it"
            )
            raise BadQuery(rule, position)
        case _:
            pass


def _narrows(query: Query, now: datetime) -> bool:
    if isinstance(query, Has) and query.key == "after":
        return all(
            (now - timewords.parse(one.text, now)).total_seconds() <= timewords.UNITS["d"] for one in query.values
        )
    if isinstance(query, Or):
        return all(_narrows(child, now) for child in query.children)
    if isinstance(query, And):
        return any(_narrows(child, now) for child in query.children)
    return isinstance(query, Word) or (isinstance(query, Has) and query.key in NARROW)
