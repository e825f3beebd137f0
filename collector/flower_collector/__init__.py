"""The collector: a Celery cluster's events, from the broker into the store (`docs/architecture.md`)."""
