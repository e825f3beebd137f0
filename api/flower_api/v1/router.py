"""What is served under `/api/v1/`."""

from litestar import Router

from flower_api.v1 import collectors, completeness, gaps, set_aside, tasks


def router() -> Router:
    """A new one for each application."""
    return Router(
        "/api/v1/clusters/{slug:str}",
        route_handlers=[
            collectors.list_collectors,
            completeness.audit,
            gaps.list_gaps,
            set_aside.list_set_aside,
            tasks.list_tasks,
            tasks.one_task,
        ],
    )
