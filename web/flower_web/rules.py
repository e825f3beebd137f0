"""What every route of the dashboard needs."""

from flower_api.access import rules
from flower_api.access.permissions import Permission
from flower_api.access.rules import Rules

PAGES: Rules = {
    **rules.reads("/", "/dashboard", "/tasks", "/task/{task_id}", "/workers", "/worker/{hostname}"),
    **rules.reads(
        *(f"/c/{{cluster}}/{name}" for name in ("tasks", "task-rows", "task", "errors", "workers", "unseen"))
    ),
    **rules.reads("/c/{cluster}", "/c/{cluster}/tasks/{task_id}"),
    ("POST", "/c/{cluster}/errors/{group_id}"): rules.does(Permission.DECIDE),
    **rules.public("/static/{file_path}", "/static/dist/{file_path}"),
}
