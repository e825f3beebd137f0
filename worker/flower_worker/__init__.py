"""For the user's Celery app: events are published as ever, and appended to a capped Redis stream that a collector of
Flower's reads, so that none is lost while no collector runs.

    app = Celery("proj", broker="redis://…", events="flower_worker:Events")

Imports Celery, kombu and the standard library alone, and runs wherever they do: it lives in other people's processes.
"""

from flower_worker.events import Events

__all__ = ["Events"]
