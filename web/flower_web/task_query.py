"""What the task list's address says, checked once: states, marks, name, worker, place in the list, length of a page."""

from dataclasses import dataclass, replace

from litestar.datastructures import MultiDict

from flower_store import marks, states

LIMITS = (25, 50, 100, 200)
DEFAULT_LIMIT = 50
LONGEST_NAME = 1_000
_DIGITS = 10
MOST_IDS = 200
"""Rows that one page shows at most, and that the live island may ask for at once."""


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """One view of the task list. Its address holds everything but the defaults."""

    states: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    """Kinds of marks, in the address as `is=lost`."""
    name: str = ""
    worker: str = ""
    """A hostname, or the beginning of one with `*` at its end."""
    group: int = 0
    """The number of an error group; 0 is none."""
    after: str = ""
    limit: int = DEFAULT_LIMIT

    @property
    def filtered(self) -> bool:
        """Whether anything is left out."""
        return bool(self.states or self.marks or self.narrow)

    @property
    def narrow(self) -> bool:
        """Whether counting may mean to look at every task: names and workers have no counts of their own."""
        return bool(self.name or self.worker or self.group)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The query string's parts, defaults left out."""
        parts = [("state", state) for state in self.states]
        parts += [("is", mark) for mark in self.marks]
        parts += [("name", self.name)] if self.name else []
        parts += [("worker", self.worker)] if self.worker else []
        parts += [("group", str(self.group))] if self.group else []
        parts += [("limit", str(self.limit))] if self.limit != DEFAULT_LIMIT else []
        return parts + ([("after", self.after)] if self.after else [])

    @property
    def newest(self) -> "TaskQuery":
        """The same view from its beginning."""
        return replace(self, after="")

    def toggled(self, state: str) -> "TaskQuery":
        """The view with this state switched on or off, from its beginning."""
        return replace(self, after="", states=_toggled(self.states, state))

    def toggled_mark(self, mark: str) -> "TaskQuery":
        """The view with this mark switched on or off, from its beginning."""
        return replace(self, after="", marks=_toggled(self.marks, mark))

    def matches(self, state: str, mark: str | None = None) -> bool:
        """Whether a task in this state and with this mark belongs to the view."""
        return (not self.states or state in self.states) and (not self.marks or mark in self.marks)


def _toggled(kept: tuple[str, ...], one: str) -> tuple[str, ...]:
    return tuple(each for each in kept if each != one) if one in kept else (*kept, one)


def parsed(given: MultiDict[str]) -> TaskQuery:
    """The view that a query string asks for. What nobody knows is left out: an old link still opens a page."""
    wanted = {part.upper() for part in _parts(given, "state")}
    marked = {part.lower() for part in _parts(given, "is")}
    limit, group = given.get("limit", ""), given.get("group", "")
    return TaskQuery(
        states=tuple(state for state in states.ALL if state in wanted),
        marks=tuple(kind for kind in marks.KINDS if kind in marked),
        name=_text(given, "name"),
        worker=_text(given, "worker"),
        group=int(group) if group.isascii() and group.isdigit() and len(group) < _DIGITS else 0,
        after=given.get("after", ""),
        limit=int(limit) if limit in map(str, LIMITS) else DEFAULT_LIMIT,
    )


def _parts(given: MultiDict[str], key: str) -> list[str]:
    return [part.strip() for each in given.getall(key, []) for part in each.split(",")]


def _text(given: MultiDict[str], key: str) -> str:
    return given.get(key, "").replace("\0", "").strip()[:LONGEST_NAME]
