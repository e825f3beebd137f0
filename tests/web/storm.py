"""F-storm in memory: 500 changes a second, served through the dashboard's own templates and script.

The harness of the live list's prototype: real Litestar, real event stream, real templates, no database.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from litestar import Litestar, Request, Response, get
from litestar.datastructures import State
from litestar.response import ServerSentEvent, ServerSentEventMessage, Template
from litestar.static_files import create_static_files_router

from flower_store import states
from flower_store.records import Count
from flower_web import assets, rendering, task_list, task_query
from flower_web.addresses import Addresses
from flower_web.frame import Frame
from flower_web.intake import FINE
from flower_web.task_list import RowsAnswer
from flower_web.task_row import TaskRow

CLUSTER = "storm"
CHANGES_A_SECOND = 500
PAGE = 50
LIFE = (states.PENDING, states.RECEIVED, states.STARTED, states.SUCCESS)
ADDRESSES = Addresses("", CLUSTER)


@dataclass
class Storm:
    """Tasks in the order of their arrival; each change moves one on through its life, or brings a new one."""

    tasks: list[str] = field(default_factory=lambda: [states.PENDING] * 200)
    version: int = 0
    shown: int = 0
    """Index of the oldest task on the page that was asked for last."""
    refused: bool = False
    """Whether the stream is answered with 503."""
    born: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def rage(self) -> None:
        """Change and change, in 50 strokes a second; every tenth change is a new task."""
        for stroke in itertools.count():
            for change in range(CHANGES_A_SECOND // 50):
                self._change(stroke * 10 + change)
            await asyncio.sleep(1 / 50)

    def _change(self, number: int) -> None:
        self.version += 1
        if number % 10 == 0:
            self.tasks.append(states.PENDING)
            return
        # Every fourth change falls into the page as it was shown last, so that its rows live.
        index = self.shown + number // 4 % PAGE if number % 4 == 0 else number * 7919 % len(self.tasks)
        now = LIFE.index(self.tasks[index])
        self.tasks[index] = LIFE[(now + 1) % len(LIFE)]

    def row(self, index: int) -> TaskRow:
        task_id = f"00000000-0000-4000-8000-{index:012d}"
        state = self.tasks[index]
        return TaskRow(
            anchor=task_id,
            task_id=task_id,
            address=ADDRESSES.task(task_id),
            state=state,
            shown_state=state,
            seen_at=self.born,
            name="app.emails.send_receipt",
            queue="mail",
            worker="celery@storm",
            wait=0.34,
            run=1.2 if state == states.SUCCESS else None,
            preview="(1042, 'de')",
        )


def app(storm: Storm) -> Litestar:
    """The harness: one page of the real list, its rows, its stream."""

    @get("/c/storm/tasks")
    async def page() -> Template:
        newest = len(storm.tasks) - 1
        storm.shown = len(storm.tasks) - PAGE
        shown = tuple(storm.row(index) for index in range(newest, newest - PAGE, -1))
        found = task_list.TaskList(task_query.TaskQuery(), ADDRESSES, rows=shown, newest=str(newest))
        frame = Frame("Tasks", ADDRESSES, now=datetime.now(UTC), here="tasks", clusters=(CLUSTER,))
        return Template("tasks.html", context={"frame": frame, "list": found})

    @get("/c/storm/task-rows")
    async def rows(request: Request[None, None, State]) -> Template:
        newer = len(storm.tasks) - 1 - int(request.query_params["newest"])
        shown = tuple(storm.row(int(task_id[-12:])) for task_id in request.query_params.getall("id"))
        answer = RowsAnswer(shown, datetime.now(UTC), FINE, newer, task_list.newer_text(Count(newer, exact=True)))
        return Template("task_rows.html", context={"answer": answer})

    @get("/events/stream")
    async def stream() -> ServerSentEvent | Response[str]:
        if storm.refused:
            return Response("too many streams", status_code=503)
        return ServerSentEvent(messages())

    async def messages() -> AsyncGenerator[ServerSentEventMessage]:
        while True:
            yield ServerSentEventMessage(event="changed", data=f'{{"version": {storm.version}}}')
            await asyncio.sleep(0.5)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None]:
        raging = asyncio.create_task(storm.rage())
        yield
        raging.cancel()

    return Litestar(
        [page, rows, stream, create_static_files_router("/static", [assets.STATIC])],
        template_config=rendering.template_config(),
        lifespan=[lifespan],
    )
