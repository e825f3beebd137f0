"""What is served under `/api/`."""

from litestar import Router

from flower_api.flower2 import tasks, workers


def router() -> Router:
    """A new one for each application."""
    return Router(
        "/api",
        route_handlers=[tasks.list_tasks, tasks.task_info, tasks.task_types, workers.list_workers],
        tags=["Flower 2"],
    )
