"""The app of real_tasks.py for workers that wait for the broker's receipt of each message, events too."""

from tests.faults.real_tasks import app

__all__ = ["app"]

app.conf.broker_transport_options = {"confirm_publish": True}
