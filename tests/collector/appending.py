"""Events of a Celery application that has the add-on, sent by its own dispatcher from this process."""

from types import TracebackType
from typing import Any, Self

from celery import Celery
from tests.collector.messages import NOON
from tests.collector.publishing import TASKS


class Application:
    """Sends while it is open. `options` are its configuration."""

    def __init__(self, url: str, *, events: str | None = "flower_worker:Events", **options: Any) -> None:
        self.app: Any = Celery("appending", broker=url, events=events, set_as_current=False)
        self.app.conf.update(options)
        self._connection = self.app.connection_for_write()
        self.dispatcher = self.app.events.Dispatcher(self._connection, hostname="celery@a", buffer_group={"task"})

    @property
    def stream(self) -> Any:
        """How appending went."""
        return self.app.events.stream

    def event(self, number: int, kind: str = "task-received", **fields: object) -> None:
        """An event of the task of this number, alone in its message, as far as the tests' day is concerned at noon."""
        self.buffer(number, kind, **fields)
        self.dispatcher.flush()

    def events(self, *numbers: int) -> None:
        for number in numbers:
            self.event(number)

    def buffer(self, number: int, kind: str = "task-received", **fields: object) -> None:
        """The same, to go out in one message with others."""
        self.dispatcher.send(kind, uuid=TASKS[number], name="app.add", timestamp=NOON.timestamp(), **fields)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.release()
        self.app.close()
