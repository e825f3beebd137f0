"""What is served under `/api/`, behind the gate."""

from litestar import Router

from flower_api.flower2 import gate, tasks, workers
from flower_api.settings import ApiSettings


def router(settings: ApiSettings) -> Router:
    """A new one for each application."""
    return Router(
        "/api",
        route_handlers=[tasks.list_tasks, tasks.task_info, tasks.task_types, workers.list_workers],
        guards=[] if settings.unauthenticated_api else [gate.closed],
        tags=["Flower 2"],
    )
