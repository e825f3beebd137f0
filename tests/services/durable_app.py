"""The app of `celery_app.py` with the add-on that also appends its events to a Redis stream."""

import os

from tests.services import celery_app

app = celery_app.app
app.events_cls = "flower_worker:Events"
app.conf.flower_stream_max_length = int(os.environ.get("STREAM_MAX_LENGTH", "0"))
