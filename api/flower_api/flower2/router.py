"""What is served under `/api/`, and what Flower's own page asked for."""

from litestar import Router
from litestar.di import Provide

from flower_api.flower2 import asking, control, datatable, queues, sending, tasks, workers


def router() -> Router:
    """A new one for each application."""
    asks = {"ask": Provide(asking.provide)}
    beneath = Router(
        "/api",
        route_handlers=[
            queues.lengths,
            tasks.list_tasks,
            tasks.task_info,
            tasks.task_types,
            workers.list_workers,
            Router("/", route_handlers=[sending.result, *control.HANDLERS, *sending.HANDLERS], dependencies=asks),
        ],
        tags=["Flower 2"],
    )
    return Router("/", route_handlers=[beneath, datatable.table])
