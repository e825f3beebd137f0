"""What every route of the dashboard needs."""

from flower_api.access import rules
from flower_api.access.permissions import Permission
from flower_api.access.rules import Rule, Rules

PAGES: Rules = {
    **rules.reads("/", "/dashboard", "/tasks", "/task/{task_id}", "/workers", "/worker/{hostname}"),
    **rules.reads(
        *(f"/c/{{cluster}}/{name}" for name in ("tasks", "task-rows", "task", "errors", "workers", "unseen"))
    ),
    **rules.reads("/c/{cluster}", "/c/{cluster}/tasks/{task_id}"),
    ("POST", "/c/{cluster}/errors/{group_id}"): rules.does(Permission.DECIDE),
    # Pages of their own look for the session themselves.
    **rules.public("/login", "/login/provider", "/logout"),
    ("POST", "/login"): Rule(writes=True),
    ("POST", "/logout"): Rule(writes=True),
    **rules.public("/static/{file_path}", "/static/dist/{file_path}"),
}
