"""What is served under `/api/`, and what Flower's own page asked for."""

from litestar import Router
from litestar.di import Provide

from flower_api import changing
from flower_api.flower2 import asking, control, datatable, queues, sending, tasks, workers


def router(*, read_only: bool) -> Router:
    """A new one for each application. With `read_only`, nothing may be changed."""
    refusing = [changing.cross_site, *([changing.read_only] if read_only else [])]
    asks = {"ask": Provide(asking.provide)}
    beneath = Router(
        "/api",
        route_handlers=[
            queues.lengths,
            tasks.list_tasks,
            tasks.task_info,
            tasks.task_types,
            workers.list_workers,
            Router("/", route_handlers=[sending.result], dependencies=asks),
            Router("/", route_handlers=[*control.HANDLERS, *sending.HANDLERS], guards=refusing, dependencies=asks),
        ],
        tags=["Flower 2"],
    )
    return Router("/", route_handlers=[beneath, datatable.table])
