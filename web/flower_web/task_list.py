"""The task list as its template needs it: rows, and every address on the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from flower_store.records import Count
from flower_web import states
from flower_web.addresses import Addresses
from flower_web.intake import Intake
from flower_web.task_query import TaskQuery
from flower_web.task_row import TaskRow

_ALIKE = 12
"""Names offered in place of one that matched nothing."""


@dataclass(frozen=True, slots=True)
class Toggle:
    """One state or mark of the filter; the empty state stands for everything."""

    state: str
    on: bool
    address: str
    count: Count | None = None


@dataclass(frozen=True, slots=True)
class TaskList:
    """One page of the list."""

    query: TaskQuery
    addresses: Addresses
    rows: Sequence[TaskRow]
    newest: str | None = None
    """Token of the newest row; None when newer ones are not counted, because this is not the first page."""
    next: str | None = None
    """Token after which the next page begins; None on the last page."""
    names: Sequence[str] = ()
    counts: Mapping[str, Count] | None = None
    marked: Mapping[str, Count] = field(default_factory=dict)
    """How many tasks bear each mark; marks that none bears are absent."""

    @property
    def name(self) -> str:
        """The name filter as written."""
        return self.query.name

    @property
    def filtered(self) -> bool:
        """Whether the list leaves anything out."""
        return self.query.filtered

    @property
    def kept(self) -> list[tuple[str, str]]:
        """What the name form carries on beside the name."""
        return [(key, value) for key, value in self.query.newest.pairs if key != "name"]

    @property
    def searched(self) -> str:
        """The filter in words."""
        parts = [f"state {' or '.join(self.query.states)}"] if self.query.states else []
        parts += [f"the mark {' or '.join(map(states.mark, self.query.marks))}"] if self.query.marks else []
        parts += [f"a name that begins with “{self.query.name}”"] if self.query.name else []
        parts += [f"worker “{self.query.worker}”"] if self.query.worker else []
        parts += [f"failures of the error group {self.query.group}"] if self.query.group else []
        return " and ".join(parts)

    @property
    def alike(self) -> Sequence[tuple[str, str]]:
        """Known names that hold the text somewhere else than at their beginning, each with its address."""
        text = self.query.name.casefold()
        found = [name for name in self.names if text in name.casefold()] if text else []
        return [(name, self.addresses.tasks(replace(self.query.newest, name=name).pairs)) for name in found[:_ALIKE]]

    @property
    def any_worker(self) -> str:
        """This view without its worker."""
        return self.addresses.tasks(replace(self.query.newest, worker="").pairs)

    @property
    def any_group(self) -> str:
        """This view without its error group."""
        return self.addresses.tasks(replace(self.query.newest, group=0).pairs)

    @property
    def toggles(self) -> tuple[Toggle, ...]:
        """The state filter: all, then each state."""
        counts = self.counts or {}
        everything = replace(self.query.newest, states=(), marks=())
        first = Toggle(
            "", on=not self.query.states and not self.query.marks, address=self.addresses.tasks(everything.pairs)
        )
        return first, *(self._toggle(state, counts.get(state)) for state in states.FILTERS)

    @property
    def mark_toggles(self) -> tuple[Toggle, ...]:
        """The filter by mark: only marks that a task bears, or that are filtered by."""
        shown = [kind for kind in states.MARKS if kind in self.marked or kind in self.query.marks]
        return tuple(self._mark_toggle(kind) for kind in shown)

    def _mark_toggle(self, kind: str) -> Toggle:
        address = self.addresses.tasks(self.query.toggled_mark(kind).pairs)
        count = self.marked.get(kind, Count(0, exact=True))
        return Toggle(kind, on=kind in self.query.marks, address=address, count=count)

    def _toggle(self, state: str, count: Count | None) -> Toggle:
        address = self.addresses.tasks(self.query.toggled(state).pairs)
        return Toggle(state, on=state in self.query.states, address=address, count=count)

    @property
    def newest_address(self) -> str:
        """This view from its beginning."""
        return self.addresses.tasks(self.query.newest.pairs)

    @property
    def first_address(self) -> str | None:
        """The way back to the beginning, on a later page."""
        return self.newest_address if self.query.after else None

    @property
    def next_address(self) -> str | None:
        """The next page."""
        return self.addresses.tasks([*self.query.newest.pairs, ("after", self.next)]) if self.next else None

    @property
    def rows_address(self) -> str:
        """Where the live island asks for the rows on this page."""
        newest = [("newest", self.newest)] if self.newest is not None else []
        return self.addresses.task_rows([*self.query.newest.pairs, *newest])


@dataclass(frozen=True, slots=True)
class RowsAnswer:
    """The live island's answer: rows asked for, how many newer ones match, and the toggles when asked for."""

    rows: Sequence[TaskRow]
    now: datetime
    intake: Intake
    newer: int | None = None
    newer_text: str = ""
    list: TaskList | None = None


def newer_text(newer: Count) -> str:
    """The label of the "N new" button."""
    if not newer.exact:
        return f"More than {newer.value:,} new tasks"
    return f"{newer.value:,} new {'task' if newer.value == 1 else 'tasks'}"
