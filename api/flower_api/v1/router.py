"""What is served under `/api/v1/`."""

from litestar import Router
from litestar.di import Provide

from flower_api import arguments
from flower_api.v1 import (
    audit,
    clusters,
    collectors,
    commands,
    completeness,
    configured,
    error_groups,
    etags,
    export,
    gaps,
    names,
    queues,
    selection,
    series,
    set_aside,
    tasks,
    tokens,
    views,
    waiting,
    workers,
)


def router() -> Router:
    """A new one for each application."""
    of_one = Router(
        "/{slug:str}",
        route_handlers=[
            collectors.list_collectors,
            commands.ask,
            commands.list_commands,
            commands.one_command,
            completeness.audit,
            error_groups.decide,
            error_groups.list_errors,
            error_groups.one_error,
            export.export,
            gaps.list_gaps,
            names.list_names,
            queues.history,
            queues.list_queues,
            queues.one_queue,
            waiting.messages,
            series.series,
            set_aside.list_set_aside,
            tasks.count_tasks,
            tasks.list_tasks,
            tasks.one_task,
            workers.history,
            workers.list_workers,
            workers.one_worker,
        ],
        dependencies={"selected": Provide(selection.selected, sync_to_thread=False)},
    )
    return Router(
        "/api/v1",
        route_handlers=[
            configured.list_settings,
            Router("/audit", route_handlers=[audit.export, audit.list_entries], dependencies=audit.DEPENDENCIES),
            Router("/clusters", route_handlers=[clusters.list_clusters, clusters.one_cluster, of_one]),
            Router("/views", route_handlers=[views.list_views, views.remove, views.save]),
            Router("/tokens", route_handlers=[tokens.create, tokens.list_tokens, tokens.revoke]),
        ],
        guards=[arguments.declared],
        middleware=[etags.etagged],
    )
