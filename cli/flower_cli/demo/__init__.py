"""A small web shop as a real Celery cluster: what the dashboard shows before it sees the user's own tasks."""
